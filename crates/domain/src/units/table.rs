//! The units that engineers write, each by its exact definition.
//!
//! Sources: the SI Brochure (9th edition, 2019), NIST SP 811 for inch, pound
//! and pound-force (exact since 1959 and by g₀ = 9.80665 m/s²), CODATA 2018
//! for the electronvolt (exact since 2019). Names that stand for two units
//! (ton, Btu, gallon) are left out on purpose.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::One;

use super::dimension::Dimension;
use super::exact::decimal;
use super::scale::Scale;

/// What one name stands for.
pub(super) struct Definition {
    pub(super) dimension: Dimension,
    pub(super) scale: Scale,
    /// What is added before scaling: 273.15 for `°C`.
    pub(super) offset: Option<BigRational>,
}

/// The unit of `name`, with its prefix if it has one.
pub(super) fn look_up(name: &str) -> Option<Definition> {
    if let Some((_, offset, per_kelvin)) =
        OFFSET_UNITS.iter().find(|(names, ..)| names.split(' ').any(|known| known == name))
    {
        return Some(Definition {
            dimension: Dimension::whole(KELVIN),
            scale: Scale::new(factor(per_kelvin), 0),
            offset: Some(factor(offset)),
        });
    }
    if let Some(row) = row(name) {
        return Some(row.definition(BigRational::one()));
    }
    PREFIXES.iter().find_map(|(symbol, power)| {
        let row = row(name.strip_prefix(symbol)?).filter(|row| row.prefixed)?;
        Some(row.definition(BigRational::from(BigInt::from(10)).pow(*power)))
    })
}

/// All names without prefix and whether they take one, for suggestions.
pub(super) fn names() -> impl Iterator<Item = (&'static str, bool)> {
    let offset = OFFSET_UNITS.iter().map(|(names, ..)| (*names, false));
    UNITS
        .iter()
        .map(|row| (row.names, row.prefixed))
        .chain(offset)
        .flat_map(|(names, prefixed)| names.split(' ').map(move |name| (name, prefixed)))
}

fn row(name: &str) -> Option<&'static Row> {
    UNITS.iter().find(|row| row.names.split(' ').any(|known| known == name))
}

struct Row {
    /// All spellings, between spaces.
    names: &'static str,
    /// A decimal or a quotient of two.
    factor: &'static str,
    powers: [i32; 8],
    prefixed: bool,
    pi: i32,
}

impl Row {
    fn definition(&self, prefix: BigRational) -> Definition {
        Definition {
            dimension: Dimension::whole(self.powers),
            scale: Scale::new(factor(self.factor) * prefix, self.pi),
            offset: None,
        }
    }
}

fn factor(text: &str) -> BigRational {
    let (above, below) = text.split_once('/').unwrap_or((text, "1"));
    let exact = |part| decimal(part).expect("the table holds decimals only");
    exact(above) / exact(below)
}

const fn fixed(names: &'static str, factor: &'static str, powers: [i32; 8]) -> Row {
    Row { names, factor, powers, prefixed: false, pi: 0 }
}

const fn si(names: &'static str, factor: &'static str, powers: [i32; 8]) -> Row {
    Row { names, factor, powers, prefixed: true, pi: 0 }
}

const fn angle(names: &'static str, factor: &'static str, powers: [i32; 8]) -> Row {
    Row { names, factor, powers, prefixed: false, pi: 1 }
}

/// Both micro signs, U+00B5 and U+03BC, are in use.
const PREFIXES: &[(&str, i32)] = &[
    ("da", 1),
    ("Q", 30),
    ("R", 27),
    ("Y", 24),
    ("Z", 21),
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("µ", -6),
    ("μ", -6),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
    ("z", -21),
    ("y", -24),
    ("r", -27),
    ("q", -30),
];

/// Names, what is added to a reading, and kelvins per degree.
const OFFSET_UNITS: &[(&str, &str, &str)] =
    &[("°C degC ℃ celsius", "273.15", "1"), ("°F degF ℉ fahrenheit", "459.67", "5/9")];

//                        L  M  T  I  Θ  N  J  angle
const NUMBER: [i32; 8] = [0, 0, 0, 0, 0, 0, 0, 0];
const METRE: [i32; 8] = [1, 0, 0, 0, 0, 0, 0, 0];
const AREA: [i32; 8] = [2, 0, 0, 0, 0, 0, 0, 0];
const VOLUME: [i32; 8] = [3, 0, 0, 0, 0, 0, 0, 0];
const KILOGRAM: [i32; 8] = [0, 1, 0, 0, 0, 0, 0, 0];
const LINEAR_MASS: [i32; 8] = [-1, 1, 0, 0, 0, 0, 0, 0];
const DENSITY: [i32; 8] = [-3, 1, 0, 0, 0, 0, 0, 0];
const SECOND: [i32; 8] = [0, 0, 1, 0, 0, 0, 0, 0];
const HERTZ: [i32; 8] = [0, 0, -1, 0, 0, 0, 0, 0];
const SPEED: [i32; 8] = [1, 0, -1, 0, 0, 0, 0, 0];
const ACCELERATION: [i32; 8] = [1, 0, -2, 0, 0, 0, 0, 0];
const NEWTON: [i32; 8] = [1, 1, -2, 0, 0, 0, 0, 0];
const LINEAR_FORCE: [i32; 8] = [0, 1, -2, 0, 0, 0, 0, 0];
const PASCAL: [i32; 8] = [-1, 1, -2, 0, 0, 0, 0, 0];
const JOULE: [i32; 8] = [2, 1, -2, 0, 0, 0, 0, 0];
const WATT: [i32; 8] = [2, 1, -3, 0, 0, 0, 0, 0];
const VISCOSITY: [i32; 8] = [-1, 1, -1, 0, 0, 0, 0, 0];
const KINEMATIC: [i32; 8] = [2, 0, -1, 0, 0, 0, 0, 0];
const AMPERE: [i32; 8] = [0, 0, 0, 1, 0, 0, 0, 0];
const COULOMB: [i32; 8] = [0, 0, 1, 1, 0, 0, 0, 0];
const KELVIN: [i32; 8] = [0, 0, 0, 0, 1, 0, 0, 0];
const SPECIFIC_ENERGY: [i32; 8] = [2, 0, -2, 0, 0, 0, 0, 0];
const RADIAN: [i32; 8] = [0, 0, 0, 0, 0, 0, 0, 1];
const TURNING: [i32; 8] = [0, 0, -1, 0, 0, 0, 0, 1];

const UNITS: &[Row] = &[
    // Numbers.
    fixed("1 - dimensionless", "1", NUMBER),
    fixed("% percent", "0.01", NUMBER),
    fixed("‰ permille", "0.001", NUMBER),
    fixed("ppm", "1e-6", NUMBER),
    fixed("ppb", "1e-9", NUMBER),
    // Length, area, volume.
    si("m", "1", METRE),
    fixed("in inch", "0.0254", METRE),
    fixed("ft foot feet", "0.3048", METRE),
    fixed("yd yard", "0.9144", METRE),
    fixed("mi mile", "1609.344", METRE),
    fixed("nmi", "1852", METRE),
    fixed("mil thou", "0.0000254", METRE),
    fixed("\u{c5} \u{212b}", "1e-10", METRE),
    fixed("ha", "10000", AREA),
    si("L l", "0.001", VOLUME),
    // Mass and what is weighed.
    si("g", "0.001", KILOGRAM),
    si("t", "1000", KILOGRAM),
    fixed("lb lbm", "0.45359237", KILOGRAM),
    fixed("oz", "0.45359237/16", KILOGRAM),
    fixed("slug", "4.4482216152605/0.3048", KILOGRAM),
    si("u Da", "1.66053906660e-27", KILOGRAM),
    fixed("plf", "4.4482216152605/0.3048", LINEAR_FORCE),
    fixed("klf", "4448.2216152605/0.3048", LINEAR_FORCE),
    fixed("pcf", "0.45359237/0.028316846592", DENSITY),
    fixed("tex", "1e-6", LINEAR_MASS),
    // Time and motion.
    si("s", "1", SECOND),
    fixed("min", "60", SECOND),
    fixed("h hr", "3600", SECOND),
    fixed("d day", "86400", SECOND),
    fixed("yr", "31557600", SECOND),
    si("Hz Bq", "1", HERTZ),
    fixed("kph", "1/3.6", SPEED),
    fixed("mph", "0.44704", SPEED),
    fixed("knot", "1852/3600", SPEED),
    fixed("g0 gn g_0", "9.80665", ACCELERATION),
    // Force, pressure, energy, power.
    si("N", "1", NEWTON),
    si("kgf kp", "9.80665", NEWTON),
    fixed("tf", "9806.65", NEWTON),
    fixed("dyn", "1e-5", NEWTON),
    fixed("lbf", "4.4482216152605", NEWTON),
    fixed("ozf", "4.4482216152605/16", NEWTON),
    fixed("kip klbf", "4448.2216152605", NEWTON),
    si("Pa", "1", PASCAL),
    si("bar", "100000", PASCAL),
    fixed("atm", "101325", PASCAL),
    fixed("at", "98066.5", PASCAL),
    fixed("Torr torr", "101325/760", PASCAL),
    fixed("mmHg", "133.322387415", PASCAL),
    fixed("psi", "4.4482216152605/0.00064516", PASCAL),
    fixed("ksi", "4448.2216152605/0.00064516", PASCAL),
    fixed("Msi", "4448221.6152605/0.00064516", PASCAL),
    fixed("psf", "4.4482216152605/0.09290304", PASCAL),
    fixed("ksf", "4448.2216152605/0.09290304", PASCAL),
    si("J", "1", JOULE),
    si("Wh", "3600", JOULE),
    si("cal", "4.184", JOULE),
    si("eV", "1.602176634e-19", JOULE),
    fixed("erg", "1e-7", JOULE),
    si("Nm", "1", JOULE),
    si("Nmm", "0.001", JOULE),
    si("W VA var", "1", WATT),
    fixed("hp", "745.69987158227022", WATT),
    fixed("ch", "735.49875", WATT),
    si("P", "0.1", VISCOSITY),
    si("St", "0.0001", KINEMATIC),
    si("Gy Sv", "1", SPECIFIC_ENERGY),
    // Temperature differences; readings with their own zero are above.
    si("K", "1", KELVIN),
    fixed("Δ°C delta_degC", "1", KELVIN),
    fixed("°R degR Δ°F delta_degF", "5/9", KELVIN),
    // Electricity, light, chemistry.
    si("A", "1", AMPERE),
    si("C", "1", COULOMB),
    si("Ah", "3600", COULOMB),
    si("V", "1", [2, 1, -3, -1, 0, 0, 0, 0]),
    si("\u{3a9} \u{2126} ohm", "1", [2, 1, -3, -2, 0, 0, 0, 0]),
    si("S", "1", [-2, -1, 3, 2, 0, 0, 0, 0]),
    si("F", "1", [-2, -1, 4, 2, 0, 0, 0, 0]),
    si("H", "1", [2, 1, -2, -2, 0, 0, 0, 0]),
    si("Wb", "1", [2, 1, -2, -1, 0, 0, 0, 0]),
    si("T", "1", [0, 1, -2, -1, 0, 0, 0, 0]),
    si("mol", "1", [0, 0, 0, 0, 0, 1, 0, 0]),
    si("kat", "1", [0, 0, -1, 0, 0, 1, 0, 0]),
    si("cd", "1", [0, 0, 0, 0, 0, 0, 1, 0]),
    si("lm", "1", [0, 0, 0, 0, 0, 0, 1, 2]),
    si("lx", "1", [-2, 0, 0, 0, 0, 0, 1, 2]),
    // Angles.
    si("rad", "1", RADIAN),
    si("sr", "1", [0, 0, 0, 0, 0, 0, 0, 2]),
    angle("° deg degree degrees", "1/180", RADIAN),
    angle("gon grad", "1/200", RADIAN),
    angle("arcmin", "1/10800", RADIAN),
    angle("arcsec", "1/648000", RADIAN),
    angle("tr turn rev", "2", RADIAN),
    angle("rpm", "2/60", TURNING),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_for_one_unit() {
        let all: Vec<&str> = names().map(|(name, _)| name).collect();
        for (at, name) in all.iter().enumerate() {
            assert!(!all[..at].contains(name), "{name}");
            look_up(name).unwrap();
        }
    }

    #[test]
    fn a_prefixed_name_never_hides_another_unit() {
        // These read as prefix and unit too; the plain unit must win.
        for (name, factor) in [("min", "60"), ("ft", "0.3048"), ("Pa", "1"), ("cd", "1")] {
            assert_eq!(look_up(name).unwrap().scale.ratio, super::factor(factor), "{name}");
        }
    }
}
