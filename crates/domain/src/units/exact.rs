//! Numbers on their way between units: exact until they are written as JSON.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;
use serde_json::Number;

use super::error::Error;
use super::scale::nearest_float;
use crate::lang::Text;

/// A converted number, not rounded yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Exact {
    /// Not in lowest terms: finding the greatest common divisor of numbers
    /// such as 10^1000 costs a thousand times the conversion.
    pub(super) value: BigRational,
    /// The number as it was written, where nothing was to be converted.
    pub(super) written: Option<String>,
    /// The number is a zero that was written with a minus.
    pub(super) minus_zero: bool,
}

impl Exact {
    /// The nearest 64-bit float, ties to even: the only rounding there is.
    pub fn to_f64(&self) -> Result<f64, Error> {
        if self.minus_zero {
            return Ok(-0.0);
        }
        nearest_float(&self.value).ok_or_else(|| {
            Error::Range(Text::new(
                "the converted number is beyond the largest 64-bit float, about 1.8e308; give a \
                 smaller one",
                "le nombre converti dépasse le plus grand flottant de 64 bits, environ 1,8e308 ; \
                 donnez-en un plus petit",
            ))
        })
    }

    /// The exact value as a fraction in lowest terms.
    #[must_use]
    pub fn ratio(&self) -> BigRational {
        self.value.reduced()
    }

    /// The value where it is whole.
    fn whole(&self) -> Option<BigInt> {
        let (above, below) = (self.value.numer(), self.value.denom());
        (above % below).is_zero().then(|| above / below)
    }

    /// The number as JSON.
    ///
    /// What needed no conversion stays as it was written. A conversion that
    /// comes out whole is written as an integer of any size where `integer`
    /// says that the property is one; everything else becomes a float,
    /// rounded once and written with the fewest digits that read back.
    pub fn to_json(&self, integer: bool) -> Result<Number, Error> {
        if let Some(written) = &self.written {
            // Refuses here what no float holds, in every property but integers.
            if !integer || self.whole().is_none() {
                self.to_f64()?;
            }
            return Ok(number(written));
        }
        if let Some(whole) = self.whole().filter(|_| integer) {
            return Ok(number(&whole.to_string()));
        }
        Ok(number(&format!("{:?}", self.to_f64()?)))
    }
}

fn number(text: &str) -> Number {
    text.parse().expect("it was written by the JSON grammar")
}

/// More digits than the exact value of any float64 has, zeros included.
const MAX_DIGITS: usize = 1100;

/// A power of ten beyond which no two units bring a number back into range:
/// each factor is below 10^309 by [`super::scale::MAX_BITS`].
const MAX_POWER: i64 = 2500;

/// The exact value of a decimal such as `-12.5e-3`, not in lowest terms; the
/// text is as [`split_number`] gives it or as JSON has it.
pub(super) fn decimal(text: &str) -> Result<BigRational, Error> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.len() > MAX_DIGITS {
        return Err(too_many_digits(digits.len()));
    }
    // `BigInt` reads underscores and signs in places where JSON has none.
    let only_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let sized = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if !only_digits(digits.strip_prefix('-').unwrap_or(&digits)) || !only_digits(sized) {
        return Err(not_a_number(text));
    }
    let digits: BigInt = digits.parse().map_err(|_| not_a_number(text))?;
    if digits.is_zero() {
        return Ok(BigRational::zero());
    }
    // An exponent too long for an integer counts as the bound.
    let size = sized.parse::<i64>().unwrap_or(2 * MAX_POWER).min(2 * MAX_POWER);
    let exponent = if exponent.starts_with('-') { -size } else { size };
    let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let shift = (exponent - places).clamp(-MAX_POWER, MAX_POWER);
    let power = BigInt::from(10).pow(u32::try_from(shift.unsigned_abs()).unwrap_or(0));
    Ok(if shift >= 0 {
        BigRational::from(digits * power)
    } else {
        BigRational::new_raw(digits, power)
    })
}

/// Splits a quantity's text into its number, rewritten as JSON, and the rest.
pub(super) fn split_number(text: &str) -> Result<(String, &str), Error> {
    let text = text.trim();
    let (sign, unsigned) = match text.strip_prefix(['-', '−']) {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, rest) = leading_digits(unsigned);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), leading_digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(not_a_number(text));
    }
    if rest.starts_with(',') && !leading_digits(&rest[1..]).0.is_empty() {
        return Err(Error::Number(Text::new(
            format!("`{}` holds a comma; write the decimals after a point: 12.5 mm", cut(text)),
            format!(
                "`{}` contient une virgule ; écrivez les décimales après un point : 12.5 mm",
                cut(text)
            ),
        )));
    }
    // `5 eV` and `5eV` are electronvolts: an exponent needs a digit.
    let (exponent, rest) = exponent(rest).unwrap_or(("", rest));
    let whole = whole.trim_start_matches('0');
    let mut number = format!("{sign}{}", if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        number.push('.');
        number.push_str(fraction);
    }
    number.push_str(exponent);
    Ok((number, rest))
}

fn exponent(text: &str) -> Option<(&str, &str)> {
    let after = text.strip_prefix(['e', 'E'])?;
    let unsigned = after.strip_prefix(['+', '-']).unwrap_or(after);
    let (digits, rest) = leading_digits(unsigned);
    (!digits.is_empty()).then(|| (&text[..text.len() - rest.len()], rest))
}

fn leading_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

pub(super) fn not_a_number(text: &str) -> Error {
    let found = cut(text);
    Error::Number(Text::new(
        format!("expected a number and a unit such as \"12.5 mm\", found `{found}`"),
        format!("attendu : un nombre et une unité comme « 12.5 mm » ; trouvé : `{found}`"),
    ))
}

fn too_many_digits(found: usize) -> Error {
    Error::Range(Text::new(
        format!(
            "expected a number of at most {MAX_DIGITS} digits beside a unit, found {found} digits; \
             give it without a unit, in the unit of the input"
        ),
        format!(
            "attendu : un nombre d'au plus {MAX_DIGITS} chiffres à côté d'une unité ; trouvé : \
             {found} chiffres ; donnez-le sans unité, dans l'unité de l'entrée"
        ),
    ))
}

/// The beginning of a text for a message.
pub(super) fn cut(text: &str) -> String {
    let mut short: String = text.chars().filter(|found| !found.is_control()).take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        let ratio = |n: i64, d: i64| BigRational::new(n.into(), d.into());
        assert_eq!(decimal("0.1"), Ok(ratio(1, 10)));
        assert_eq!(decimal("-12.50E-1"), Ok(ratio(-5, 4)));
        assert_eq!(decimal("3e2"), Ok(ratio(300, 1)));
        assert_eq!(decimal("0e999999999999999999999"), Ok(ratio(0, 1)));
        for wrong in ["", "e5", "1e", "1x", "--1", "1.2.3", "1e+-5", "1_0", "1.-2"] {
            assert!(decimal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn more_digits_than_any_float_has_are_refused() {
        assert!(decimal(&"9".repeat(MAX_DIGITS)).is_ok());
        assert_eq!(decimal(&"9".repeat(MAX_DIGITS + 1)).unwrap_err().code(), "unit_range");
        let exact = format!("{:.1074}", 5e-324);
        assert_eq!(nearest_float(&decimal(&exact).unwrap()), Some(5e-324));
    }

    #[test]
    fn extreme_exponents_cost_nothing_and_end_as_floats_do() {
        let nearest = |text| nearest_float(&decimal(text).unwrap());
        assert_eq!(nearest("1e99999999999999999999"), None);
        assert_eq!(nearest("1e-99999999999999999999"), Some(0.0));
    }

    #[test]
    fn a_number_ends_where_its_unit_begins() {
        let split = |text| split_number(text).unwrap();
        assert_eq!(split("12 cm²"), ("12".to_owned(), " cm²"));
        assert_eq!(split("−.50kN"), ("-0.50".to_owned(), "kN"));
        assert_eq!(split("+007e3 N"), ("7e3".to_owned(), " N"));
        assert_eq!(split("5eV"), ("5".to_owned(), "eV"));
        assert!(split_number("12,5 mm").unwrap_err().text().fr.contains("virgule"));
        assert!(split_number("mm").is_err());
    }
}
