//! Units of measure and their exact conversion.
//!
//! A number is read as the decimal it is written as, multiplied by the exact
//! rational factor between two units, and rounded once to the nearest 64-bit
//! float, ties to even. Only π (degrees, turns) and roots that are no
//! rational (`MPa·√m` to `N/mm^1.5`) are approximated, by rationals of 80
//! digits, which no float can tell from the true number.

mod dimension;
mod error;
mod exact;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod parse;
mod quantity;
mod scale;
mod suggest;
mod table;

use std::fmt;
use std::str::FromStr;

use num_rational::BigRational;
use num_traits::Zero;

pub use self::dimension::Dimension;
pub use self::error::Error;
pub use self::exact::Exact;
pub use self::quantity::Quantity;
use self::scale::Scale;
use crate::lang::Text;

/// A unit of measure such as `kN·m`, `N/mm²` or `°C`.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    text: String,
    dimension: Dimension,
    scale: Scale,
    /// What is added to a reading before it is scaled: 273.15 for `°C`.
    offset: Option<BigRational>,
}

impl Unit {
    /// Reads a unit.
    ///
    /// Products by `·`, `*`, `.` or a space, quotients by `/`, powers by
    /// superscripts, `^`, `**` or plain digits (`mm2`), SI prefixes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::unit(text)
    }

    /// The unit as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which powers of the base quantities it measures.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Whether both mean the same, as `N/mm²` and `MPa` do.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.dimension == other.dimension
            && self.scale == other.scale
            && self.offset == other.offset
    }

    /// Converts the decimal `value`, a JSON number's text, from this unit to
    /// `target`.
    pub fn convert(&self, value: &str, target: &Self) -> Result<Exact, Error> {
        self.agree_with(target)?;
        let exact = exact::decimal(value)?;
        let minus = value.starts_with('-');
        let written = self.is_same_as(target).then(|| value.to_owned());
        Ok(self.converted(exact, minus, written, target))
    }

    /// Converts the exact value of `value` from this unit to `target`,
    /// rounded once.
    pub fn convert_f64(&self, value: f64, target: &Self) -> Result<f64, Error> {
        self.agree_with(target)?;
        let exact = BigRational::from_float(value)
            .ok_or_else(|| exact::not_a_number(&value.to_string()))?;
        self.converted(exact, value.is_sign_negative(), None, target).to_f64()
    }

    /// Refuses a unit that measures another kind of quantity than `expected`.
    pub fn agree_with(&self, expected: &Self) -> Result<(), Error> {
        if self.dimension.agrees_with(expected.dimension) {
            return Ok(());
        }
        let (wanted, found) = (expected.dimension.name(), self.dimension.name());
        let bare = |name: &str| {
            name.split_once(' ').map_or_else(|| name.to_owned(), |(_, noun)| noun.to_owned())
        };
        Err(Error::Dimension(Text::new(
            format!(
                "expected {} such as {}, found {} ({})",
                wanted.en,
                expected.text,
                self.text,
                bare(&found.en)
            ),
            format!(
                "attendu : {} comme {} ; trouvé : {} ({})",
                wanted.fr,
                expected.text,
                self.text,
                bare(&found.fr)
            ),
        )))
    }

    fn converted(
        &self,
        value: BigRational,
        minus: bool,
        written: Option<String>,
        target: &Self,
    ) -> Exact {
        let minus_zero =
            minus && value.is_zero() && self.offset.is_none() && target.offset.is_none();
        let mut value = match &self.offset {
            Some(offset) if written.is_none() => sum(&value, offset),
            _ => value,
        };
        if written.is_none() {
            let factor = self.scale.per(&target.scale);
            value = BigRational::new_raw(
                value.numer() * factor.numer(),
                value.denom() * factor.denom(),
            );
            if let Some(offset) = &target.offset {
                value = sum(&value, &-offset);
            }
        }
        Exact { value, written, minus_zero }
    }
}

/// The sum without finding lowest terms, which would cost more than all else.
fn sum(left: &BigRational, right: &BigRational) -> BigRational {
    BigRational::new_raw(
        left.numer() * right.denom() + right.numer() * left.denom(),
        left.denom() * right.denom(),
    )
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
