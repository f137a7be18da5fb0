//! Values of options that are not just any text, refused in both languages.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds};
use std::str::FromStr;
use std::time::Duration;

use domain::Text;

/// What a value should have been.
#[derive(Clone, Debug, thiserror::Error)]
#[error("expected {}", .0.en)]
pub(crate) struct Expected(pub(crate) Text);

/// A whole number of a range such as `1..` or `0..=9`.
pub(crate) fn whole<T>(
    range: impl RangeBounds<T> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<T, Expected> + Clone + Send + Sync + 'static
where
    T: FromStr + Display + PartialOrd + Default,
{
    move |text| {
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let least = T::default();
            let low = match range.start_bound() {
                Bound::Included(low) | Bound::Excluded(low) => low,
                Bound::Unbounded => &least,
            };
            Expected(match range.end_bound() {
                Bound::Included(high) | Bound::Excluded(high) => Text::new(
                    format!("a whole number from {low} to {high}"),
                    format!("un nombre entier de {low} à {high}"),
                ),
                Bound::Unbounded => Text::new(
                    format!("a whole number from {low}"),
                    format!("un nombre entier à partir de {low}"),
                ),
            })
        })
    }
}

/// A time in seconds, with decimals where they are meant.
pub(crate) fn seconds(text: &str) -> Result<Duration, Expected> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| {
        Expected(Text::new(
            "a number of seconds such as 30 or 0.5",
            "un nombre de secondes tel que 30 ou 0.5",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_a_range_are_refused_with_the_range() {
        let limit = whole::<u32>(1..=100);
        assert_eq!(limit("7").unwrap(), 7);
        for text in ["0", "101", "x", "1.5", ""] {
            let expected = limit(text).unwrap_err().0;
            assert_eq!(expected.en, "a whole number from 1 to 100");
            assert_eq!(expected.fr, "un nombre entier de 1 à 100");
        }
        let expected = whole::<u32>(1..)("0").unwrap_err().0;
        assert_eq!(expected.en, "a whole number from 1");
    }

    #[test]
    fn seconds_may_have_decimals() {
        assert_eq!(seconds("0.3").unwrap(), Duration::from_millis(300));
        assert_eq!(seconds("0").unwrap(), Duration::ZERO);
        for text in ["-1", "NaN", "1e300", "soon"] {
            assert!(seconds(text).unwrap_err().0.fr.contains("secondes tel que 30"), "{text}");
        }
    }
}
