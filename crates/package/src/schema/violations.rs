//! The violations of a document, in memory that does not grow with it.
//!
//! The validator keeps every error of every alternative it tries; a list of
//! a million wrong items would cost gigabytes. So a large document is first
//! only asked whether it is valid, and its errors are looked for in a copy
//! with short lists.

use std::cell::Cell;

use domain::Text;
use domain::fault::shown_key;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::{Compiled, message};

/// Documents beyond this many bytes of JSON count as large.
const LARGE: usize = 256 << 10;
/// Items and members that a copy keeps of each list and object.
const KEPT: usize = 200;

/// At most `most` violations with their JSON Pointers; `value` was read from
/// `bytes` bytes. Errors that do not count are passed over.
pub(super) fn violations(
    compiled: &Compiled,
    value: &Value,
    bytes: usize,
    most: usize,
    counts: impl Fn(&ValidationError<'_>) -> bool,
) -> Vec<(String, Text)> {
    let collect = |value: &Value, counts: &dyn Fn(&ValidationError<'_>) -> bool| {
        let errors = compiled.validator.iter_errors(value).filter(|error| counts(error));
        let each = errors
            .take(most)
            .flat_map(|error| message::each(&error, |at| compiled.spots.names_at(at)));
        // The places are kept together, and their keys are the caller's.
        each.take(most).map(|(at, text)| (shown_key(at), text)).collect::<Vec<_>>()
    };
    if bytes <= LARGE {
        return collect(value, &counts);
    }
    if compiled.validator.is_valid(value) {
        return Vec::new();
    }
    // What is passed over may be all that is wrong.
    let passed_over = Cell::new(false);
    let found = collect(&shortened(value), &|error| {
        let real = counts(error);
        passed_over.set(passed_over.get() || !real);
        real && !is_by_shortening(error.kind())
    });
    if !found.is_empty() || passed_over.get() {
        return found;
    }
    vec![(
        String::new(),
        Text::new(
            format!(
                "the schema is violated beyond the first {KEPT} items of a list or members of an object; such large values are not searched further. Check a part by itself"
            ),
            format!(
                "le schéma est violé au-delà des {KEPT} premiers éléments d’une liste ou membres d’un objet ; d’aussi grandes valeurs ne sont pas examinées plus loin. Vérifiez une partie seule"
            ),
        ),
    )]
}

/// A copy that keeps the beginning of each list and object.
fn shortened(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().take(KEPT).map(shortened).collect(),
        Value::Object(members) => {
            let members = members.iter().take(KEPT);
            Value::Object(members.map(|(key, value)| (key.clone(), shortened(value))).collect())
        }
        _ => value.clone(),
    }
}

/// Errors that the shortening itself can bring about.
fn is_by_shortening(kind: &ValidationErrorKind) -> bool {
    matches!(
        kind,
        ValidationErrorKind::MinItems { .. }
            | ValidationErrorKind::MinProperties { .. }
            | ValidationErrorKind::Required { .. }
            | ValidationErrorKind::Contains
            | ValidationErrorKind::Constant { .. }
            | ValidationErrorKind::Enum { .. }
    )
}
