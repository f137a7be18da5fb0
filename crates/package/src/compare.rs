//! Compares a result with a known answer, as test cases do.

use domain::json::Pointer;
use domain::testing::Difference;
use serde_json::Value;

/// The relative tolerance where a test case gives none.
pub const DEFAULT_REL_TOLERANCE: f64 = 1e-9;

/// Every place where `got`, a result's JSON text, differs from `expected`.
///
/// Only what `expected` lists is compared; further keys of objects are free,
/// lists must have the same length. Numbers compare by value, so that 100
/// equals 100.0, and agree when they are within `rel` times the expected
/// value or within `abs`, whichever is wider; where neither is given, within
/// [`DEFAULT_REL_TOLERANCE`].
///
/// # Errors
/// When `got` is no JSON.
pub fn compare(
    expected: &Value,
    got: &[u8],
    rel: Option<f64>,
    abs: Option<f64>,
) -> Result<Vec<Difference>, serde_json::Error> {
    let got: Value = serde_json::from_slice(got)?;
    let rel = rel.unwrap_or(if abs.is_some() { 0.0 } else { DEFAULT_REL_TOLERANCE });
    let mut found = Vec::new();
    Comparison { rel, abs: abs.unwrap_or(0.0) }.value(
        &Pointer::root(),
        expected,
        Some(&got),
        &mut found,
    );
    Ok(found)
}

struct Comparison {
    rel: f64,
    abs: f64,
}

impl Comparison {
    fn value(
        &self,
        at: &Pointer,
        expected: &Value,
        got: Option<&Value>,
        found: &mut Vec<Difference>,
    ) {
        match (expected, got) {
            (Value::Object(wanted), Some(Value::Object(members))) => {
                for (key, value) in wanted {
                    self.value(&at.key(key), value, members.get(key), found);
                }
                return;
            }
            (Value::Array(wanted), Some(Value::Array(items))) if wanted.len() == items.len() => {
                for (index, (value, item)) in wanted.iter().zip(items).enumerate() {
                    self.value(&at.index(index), value, Some(item), found);
                }
                return;
            }
            (Value::Number(wanted), Some(Value::Number(number))) if self.agree(wanted, number) => {
                return;
            }
            (expected, Some(got)) if !expected.is_number() && expected == got => return,
            _ => {}
        }
        let difference = match (as_f64(expected), got.and_then(as_f64)) {
            (Some(expected), Some(got)) => Some(got - expected).filter(|d| d.is_finite()),
            _ => None,
        };
        found.push(Difference {
            pointer: at.to_string(),
            expected: expected.clone(),
            got: got.cloned(),
            difference,
        });
    }

    fn agree(&self, expected: &serde_json::Number, got: &serde_json::Number) -> bool {
        if expected.as_str() == got.as_str() {
            return true;
        }
        let parse = |number: &serde_json::Number| number.as_str().parse::<f64>().ok();
        let (Some(expected), Some(got)) = (parse(expected), parse(got)) else { return false };
        expected == got || (expected - got).abs() <= (self.rel * expected.abs()).max(self.abs)
    }
}

fn as_f64(value: &Value) -> Option<f64> {
    value.as_number()?.as_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(expected: &str, got: &str, rel: Option<f64>, abs: Option<f64>) -> Vec<String> {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let found = compare(&expected, got.as_bytes(), rel, abs).unwrap();
        found.into_iter().map(|difference| difference.pointer).collect()
    }

    #[test]
    fn only_listed_keys_are_compared_and_numbers_by_value() {
        assert!(differences(r#"{"a": 100}"#, r#"{"a": 100.0, "b": 1}"#, None, None).is_empty());
        assert!(
            differences(r#"{"a": 1e2, "s": "x"}"#, r#"{"s": "x", "a": 100}"#, None, None)
                .is_empty()
        );
        assert_eq!(differences(r#"{"a": {"b": 1}}"#, r#"{"a": {"c": 1}}"#, None, None), ["/a/b"]);
        assert_eq!(differences("[1, 2]", "[1]", None, None), [""]);
        assert_eq!(differences("1", "true", None, None), [""]);
        assert_eq!(differences("1", "\"1\"", None, None), [""]);
        assert!(differences("\"NaN\"", "\"NaN\"", None, None).is_empty());
    }

    #[test]
    fn tolerances_are_relative_by_default_and_as_given_otherwise() {
        assert!(differences("1", "1.0000000009", None, None).is_empty());
        assert_eq!(differences("1", "1.000000002", None, None), [""]);
        assert!(differences("0", "0.4", None, Some(0.5)).is_empty());
        assert_eq!(differences("1000", "1000.6", None, Some(0.5)), [""]);
        assert!(differences("1000", "1009", Some(0.01), Some(0.5)).is_empty());
        assert_eq!(differences("0", "1e-300", None, None), [""]);
    }

    #[test]
    fn a_difference_shows_expected_got_and_by_how_much() {
        let found = compare(&json!({"stress": 100}), br#"{"stress": 90.5}"#, None, None).unwrap();
        assert_eq!(found[0].difference, Some(-9.5));
        let missing = compare(&json!({"stress": 100}), b"{}", None, None).unwrap();
        assert_eq!((missing[0].got.as_ref(), missing[0].difference), (None, None));
    }

    #[test]
    fn integers_beyond_float64_are_equal_only_within_tolerance() {
        let big = "123456789012345678901234567890";
        assert!(differences(big, big, Some(0.0), None).is_empty());
        assert_eq!(differences("9007199254740992", "9007199254740995", Some(0.0), None), [""]);
    }
}
