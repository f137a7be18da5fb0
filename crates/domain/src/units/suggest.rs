//! What a person who wrote an unknown unit probably meant.

use super::error::Error;
use super::exact::cut;
use super::table;
use crate::lang::Text;

/// The error for the unknown `name` in `whole`, with a suggestion if one is near.
pub(super) fn unknown(name: &str, whole: &str) -> Error {
    let place = if name == whole { String::new() } else { format!(" (`{}`)", cut(whole)) };
    let name = cut(name);
    let (en, fr) = nearest(&name).map_or_else(
        || {
            (
                "use an SI unit or a common one such as mm, kN, MPa, psi".to_owned(),
                "employez une unité SI ou courante comme mm, kN, MPa, psi".to_owned(),
            )
        },
        |near| (format!("did you mean `{near}`?"), format!("vouliez-vous dire `{near}` ?")),
    );
    Error::Unknown(Text::new(
        format!("unknown unit `{name}`{place}: {en}"),
        format!("unité inconnue `{name}`{place} : {fr}"),
    ))
}

fn nearest(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let singular = lower.strip_suffix('s').unwrap_or(&lower);
    if let Some((_, symbol)) = WORDS
        .iter()
        .find(|(words, _)| words.split(' ').any(|word| word == lower || word == singular))
    {
        return Some((*symbol).to_owned());
    }
    // The prefixes that engineers use come first, so that `KN` becomes `kN`.
    let usual = ["", "k", "M", "m", "G", "c", "d", "da", "h", "µ", "n"];
    let known: Vec<String> = usual
        .into_iter()
        .flat_map(|prefix| {
            table::names()
                .filter(move |(_, prefixed)| *prefixed || prefix.is_empty())
                .map(move |(unit, _)| format!("{prefix}{unit}"))
        })
        .collect();
    let plural = name.strip_suffix('s');
    let long = lower.chars().count() > 2;
    known
        .iter()
        .find(|known| plural == Some(known.as_str()))
        .or_else(|| known.iter().find(|known| known.to_lowercase() == lower))
        .or_else(|| {
            known.iter().find(|known| long && one_edit_apart(&lower, &known.to_lowercase()))
        })
        .cloned()
}

/// Whether one character added, dropped or replaced makes `left` of `right`.
fn one_edit_apart(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let (short, long) = if left.len() <= right.len() { (&left, &right) } else { (&right, &left) };
    let same = short.iter().zip(long).take_while(|(one, other)| one == other).count();
    match long.len() - short.len() {
        0 => short[same..].iter().skip(1).eq(long[same..].iter().skip(1)),
        1 => short[same..] == long[same + 1..],
        _ => false,
    }
}

/// Unit names written out, in English and French, and their symbols.
const WORDS: &[(&str, &str)] = &[
    ("meter metre mètre", "m"),
    ("millimeter millimetre millimètre", "mm"),
    ("centimeter centimetre centimètre", "cm"),
    ("kilometer kilometre kilomètre", "km"),
    ("micron micrometer micromètre", "µm"),
    ("inche pouce", "in"),
    ("pied", "ft"),
    ("newton", "N"),
    ("kilonewton", "kN"),
    ("meganewton méganewton", "MN"),
    ("pascal", "Pa"),
    ("kilopascal", "kPa"),
    ("megapascal mégapascal", "MPa"),
    ("gigapascal", "GPa"),
    ("joule", "J"),
    ("watt", "W"),
    ("kilowatt", "kW"),
    ("gram gramme", "g"),
    ("kilogram kilogramme kilo", "kg"),
    ("ton tonne", "t"),
    ("pound livre lb", "lb"),
    ("second seconde sec", "s"),
    ("minute mn", "min"),
    ("hour heure", "h"),
    ("jour", "d"),
    ("year an année a", "yr"),
    ("hertz", "Hz"),
    ("radian", "rad"),
    ("degré", "°"),
    ("tour", "tr"),
    ("kelvin", "K"),
    ("volt", "V"),
    ("amp ampere ampère", "A"),
    ("liter litre", "L"),
    ("mole", "mol"),
    ("kmh km/h", "km/h"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_suggested() {
        for (written, meant) in [
            ("KN", "kN"),
            ("Mpa", "MPa"),
            ("Kg", "kg"),
            ("newtons", "N"),
            ("mètre", "m"),
            ("lbs", "lb"),
            ("degC°", "degC"),
            ("psii", "psi"),
            ("mms", "mm"),
        ] {
            assert_eq!(nearest(written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(nearest("furlong"), None);
        assert_eq!(
            unknown("KN", "KN/m²").to_string(),
            "unknown unit `KN` (`KN/m²`): did you mean `kN`?"
        );
    }

    #[test]
    fn every_suggestion_is_a_unit() {
        for (_, symbol) in WORDS {
            super::super::Unit::parse(symbol).unwrap();
        }
    }
}
