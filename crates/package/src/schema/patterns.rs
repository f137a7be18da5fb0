//! What matching the patterns of a schema may cost.
//!
//! The regular expressions are matched without backtracking, so a text takes
//! time in proportion to its length times the pattern's. That product can
//! still be hours, and a match can't be interrupted: so it is bounded before.

use regex_syntax::hir::{Class, Hir, HirKind, Look};
use serde_json::Value;

use crate::json::{Json, Kind};

/// Steps that matching one document may take, a few seconds of one core:
/// repetitions within repetitions take up to 50 nanoseconds for each, and ten
/// times that where the fuzzer watches.
const MOST_STEPS: u64 = if cfg!(feature = "fuzzing") { 10_000_000 } else { 100_000_000 };
/// A match that ends within so many bytes of a text's start looks no further.
const SHORT: usize = 1000;

/// What a pattern costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Ranges of characters that are compiled, repetitions written out.
    pub(super) size: u64,
    /// Steps for each byte of a text.
    pub(super) steps: Steps,
}

/// Steps for each byte of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// Of patterns that look at whole texts.
    whole: u64,
    /// Of those that look at the first [`SHORT`] bytes.
    beginning: u64,
}

/// How much text there is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes {
    whole: u64,
    /// Of each text the first [`SHORT`] bytes.
    beginnings: u64,
}

impl Weight {
    /// The weight of a pattern; none where it is no regular expression.
    pub(super) fn of(pattern: &str) -> Self {
        let Ok(hir) = regex_syntax::Parser::new().parse(pattern) else { return Self::default() };
        let properties = hir.properties();
        let is_short = properties.look_set_prefix().contains(Look::Start)
            && properties.maximum_len().is_some_and(|length| length <= SHORT);
        let (size, steps) = weigh(&hir);
        let steps = match is_short {
            true => Steps { whole: 0, beginning: steps },
            false => Steps { whole: steps, beginning: 0 },
        };
        Self { size, steps }
    }
}

impl Steps {
    /// Those of the patterns in one node of a schema.
    pub(super) fn of(schema: &Value) -> Self {
        let own = schema.get("pattern").and_then(Value::as_str);
        let of_names = schema.get("patternProperties").and_then(Value::as_object);
        let of_names = of_names.into_iter().flat_map(|all| all.keys().map(String::as_str));
        own.into_iter()
            .chain(of_names)
            .fold(Self::default(), |sum, pattern| sum.and(Weight::of(pattern).steps))
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            whole: self.whole.saturating_add(other.whole),
            beginning: self.beginning.saturating_add(other.beginning),
        }
    }

    /// Whether there are patterns at all.
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }

    /// Whether matching so much text could take too long.
    pub(super) fn too_long(self, bytes: Bytes) -> bool {
        let whole = self.whole.saturating_mul(bytes.whole);
        whole.saturating_add(self.beginning.saturating_mul(bytes.beginnings)) > MOST_STEPS
    }
}

impl Bytes {
    /// The texts and keys of a document.
    pub(super) fn of(document: &Json<'_>) -> Self {
        match &document.kind {
            Kind::Text(text) => Self::of_text(text),
            Kind::List(items) => items.iter().map(Self::of).fold(Self::default(), Self::and),
            Kind::Object(members) => {
                let members =
                    members.iter().map(|(key, value)| Self::of_text(key).and(Self::of(value)));
                members.fold(Self::default(), Self::and)
            }
            _ => Self::default(),
        }
    }

    /// The same of a value without places.
    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::of_text(text),
            Value::Array(items) => {
                items.iter().map(Self::of_value).fold(Self::default(), Self::and)
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(key, value)| Self::of_text(key).and(Self::of_value(value)));
                members.fold(Self::default(), Self::and)
            }
            _ => Self::default(),
        }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { whole: self.whole + other.whole, beginnings: self.beginnings + other.beginnings }
    }

    /// All of the text, in bytes.
    pub(super) fn all(self) -> u64 {
        self.whole
    }

    fn of_text(text: &str) -> Self {
        Self { whole: text.len() as u64, beginnings: text.len().min(SHORT) as u64 }
    }
}

/// Ranges and steps of a pattern's parts.
fn weigh(hir: &Hir) -> (u64, u64) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (1, 1),
        HirKind::Literal(literal) => (literal.0.len() as u64, literal.0.len() as u64),
        HirKind::Class(Class::Unicode(class)) => (class.ranges().len() as u64, 1),
        HirKind::Class(Class::Bytes(class)) => (class.ranges().len() as u64, 1),
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min).max(1));
            let (size, steps) = weigh(&repetition.sub);
            (size.saturating_mul(times), steps.saturating_mul(times))
        }
        HirKind::Capture(capture) => weigh(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(weigh).fold((0, 0), |sum: (u64, u64), part| {
                (sum.0.saturating_add(part.0), sum.1.saturating_add(part.1))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_written_out_and_short_matches_look_at_beginnings() {
        for (pattern, whole, beginning) in [
            ("^[A-Z]{2}-[0-9]{4}$", 0, 7),
            ("[a-z]+", 1, 0),
            ("^(a+)+$", 1, 0),
            ("(?:a|b)*a(?:a|b){3000}c", 3003, 0),
            ("((a{100}){100}){100}", 1_000_000, 0),
        ] {
            let found = Weight::of(pattern).steps;
            // An anchor counts a step.
            let near = found.whole.abs_diff(whole) <= 2 && found.beginning.abs_diff(beginning) <= 2;
            assert!(near, "{pattern}: {found:?}");
        }
        assert!(Weight::of(r"\w{10}").size > 1000);
        assert_eq!(Weight::of("("), Weight::default());
    }

    #[test]
    fn a_long_text_is_too_much_for_a_large_pattern_only() {
        let text = Bytes::of_value(&Value::String("a".repeat(1_000_000)));
        let steps = |pattern: &str| Weight::of(pattern).steps;
        assert!(steps("(?:a|b)*a(?:a|b){3000}c").too_long(text));
        assert!(!steps("^[a-z ,.]+$").too_long(text));
        assert!(!steps("^[a-z ,.]{1,900}$").too_long(text));
    }
}
