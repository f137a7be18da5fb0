//! Changes to single values of a JSON text; every other byte stays.

use std::ops::Range;

use super::parse;

/// A value to put in the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// JSON Pointer of the value to replace.
    pub pointer: String,
    /// JSON text to put there.
    pub json: String,
}

/// Puts each replacement in its place and leaves every other byte alone: file
/// references become paths before a run, paths become references after it.
///
/// Gives nothing where `json` is no JSON or a pointer names no value.
#[must_use]
pub fn replace(json: &[u8], replacements: &[Replacement]) -> Option<Vec<u8>> {
    let document = parse(json).ok()?;
    let mut splices = Splices::default();
    for Replacement { pointer, json } in replacements {
        splices.push(document.at(pointer)?.span.clone(), json.clone());
    }
    Some(splices.apply(json))
}

/// Pieces of text to put in the place of ranges that do not overlap.
#[derive(Debug, Default)]
pub(crate) struct Splices(Vec<(Range<usize>, String)>);

impl Splices {
    pub(crate) fn push(&mut self, span: Range<usize>, text: String) {
        self.0.push((span, text));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn apply(mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.sort_by_key(|(span, _)| (span.start, span.end));
        let added: usize = self.0.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(bytes.len() + added);
        let mut from = 0;
        for (span, text) in &self.0 {
            out.extend_from_slice(&bytes[from..span.start]);
            out.extend_from_slice(text.as_bytes());
            from = span.end;
        }
        out.extend_from_slice(&bytes[from..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_values_change() {
        let text = br#"{ "a": 1.50, "b/c": ["x", 1E5] }"#;
        let out = replace(
            text,
            &[
                Replacement { pointer: "/b~1c/0".into(), json: "\"/in/x\"".into() },
                Replacement { pointer: "/a".into(), json: "2".into() },
            ],
        );
        assert_eq!(out.unwrap(), br#"{ "a": 2, "b/c": ["/in/x", 1E5] }"#);
        let nowhere = Replacement { pointer: "/z".into(), json: "0".into() };
        assert_eq!(replace(text, &[nowhere]), None);
    }
}
