//! The violations of a document, in memory that does not grow with it.
//!
//! The validator keeps every error of every alternative it tries; a list of
//! a million wrong items would cost gigabytes. So a large document is first
//! only asked whether it is valid, and its errors are looked for in a copy
//! with short lists.

use std::cell::Cell;
use std::collections::HashSet;

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
/// Values that a copy keeps in any case, to reach into a list of objects.
const FEWEST: usize = 5;
/// Errors that may be held at once, each up to two kilobytes with those of
/// the alternatives in it.
const MOST_ERRORS: u64 = 30_000;
/// Bytes that the places of those errors may take together.
const MOST_PLACES: u64 = 64 << 20;
/// Assertions that may be made about one document, a few seconds of one core.
const MOST_STEPS: u64 = 500_000_000;

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
        // Each error has its place in full.
        if places(value, 0).saturating_mul(compiled.assertions) > MOST_PLACES {
            let valid = compiled.validator.is_valid(value);
            return if valid { Vec::new() } else { vec![(String::new(), keys_too_long())] };
        }
        let errors = compiled.validator.iter_errors(value).filter(|error| counts(error));
        let errors = only_types(errors.take(most).collect());
        let each =
            errors.iter().flat_map(|error| message::each(error, |at| compiled.spots.names_at(at)));
        // The places are kept together, and their keys are the caller's.
        each.take(most).map(|(at, text)| (shown_key(at), text)).collect::<Vec<_>>()
    };
    let steps = steps(value, compiled.divides).saturating_mul(compiled.assertions);
    if steps > MOST_STEPS {
        return vec![(String::new(), too_many_steps())];
    }
    if bytes <= LARGE && !too_many(compiled, value) {
        return collect(value, &counts);
    }
    if compiled.validator.is_valid(value) {
        return Vec::new();
    }
    // What is passed over may be all that is wrong.
    let passed_over = Cell::new(false);
    let mut left = usize::try_from(MOST_ERRORS / compiled.assertions).unwrap_or(0).max(FEWEST);
    let found = collect(&shortened(value, &mut left), &|error| {
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
                "the schema is violated beyond the first {KEPT} items of a list or members of an object, or deeper down; such large values are not searched further. Check a part by itself"
            ),
            format!(
                "le schéma est violé au-delà des {KEPT} premiers éléments d’une liste ou membres d’un objet, ou plus bas ; d’aussi grandes valeurs ne sont pas examinées plus loin. Vérifiez une partie seule"
            ),
        ),
    )]
}

/// The errors without those that only say again what a wrong type says: a
/// number is none of the texts of a list either.
fn only_types(errors: Vec<ValidationError<'_>>) -> Vec<ValidationError<'_>> {
    let of_type = |error: &ValidationError<'_>| match error.kind() {
        ValidationErrorKind::Type { .. } => Some(error.instance_path().as_str().to_owned()),
        _ => None,
    };
    let wrong: HashSet<String> = errors.iter().filter_map(of_type).collect();
    let says_again = |error: &ValidationError<'_>| {
        matches!(
            error.kind(),
            ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. }
        ) && wrong.contains(error.instance_path().as_str())
    };
    errors.into_iter().filter(|error| !says_again(error)).collect()
}

/// Whether there may be more errors than can be held at once.
pub(super) fn too_many(compiled: &Compiled, value: &Value) -> bool {
    values(value).saturating_mul(compiled.assertions) > MOST_ERRORS
}

/// A copy that keeps the beginning of each list and object, and no more than
/// `left` values below this one.
fn shortened(value: &Value, left: &mut usize) -> Value {
    match value {
        Value::Array(items) => {
            let mut kept = Vec::new();
            for item in items.iter().take(KEPT) {
                if *left == 0 {
                    break;
                }
                *left -= 1;
                kept.push(shortened(item, left));
            }
            Value::Array(kept)
        }
        Value::Object(members) => {
            let mut kept = serde_json::Map::new();
            for (key, member) in members.iter().take(KEPT) {
                if *left == 0 {
                    break;
                }
                *left -= 1;
                kept.insert(key.clone(), shortened(member, left));
            }
            Value::Object(kept)
        }
        _ => value.clone(),
    }
}

/// How many values there are.
fn values(value: &Value) -> u64 {
    1 + match value {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(members) => members.values().map(values).sum(),
        _ => 0,
    }
}

/// Bytes of the JSON Pointers of all values together, where the first one's
/// has `above`.
fn places(value: &Value, above: u64) -> u64 {
    above
        + match value {
            Value::Array(items) => items.iter().map(|item| places(item, above + 6)).sum(),
            Value::Object(members) => {
                let below = |key: &String| above + key.len() as u64 + 1;
                members.iter().map(|(key, member)| places(member, below(key))).sum()
            }
            _ => 0,
        }
}

fn keys_too_long() -> Text {
    Text::new(
        "the schema is violated, and the keys are too long to say where; shorten them",
        "le schéma est violé, et les clés sont trop longues pour dire où ; raccourcissez-les",
    )
}

/// How many steps an assertion about each value takes.
fn steps(value: &Value, divides: bool) -> u64 {
    1 + match value {
        Value::Array(items) => items.iter().map(|item| steps(item, divides)).sum(),
        Value::Object(members) => members.values().map(|member| steps(member, divides)).sum(),
        // Divided exactly: 1e-300 is a fraction of a thousand bits.
        Value::Number(number) if divides => {
            let text = number.as_str();
            let exponent = text.split(['e', 'E']).nth(1).map_or(0, |digits| {
                digits.trim_start_matches(['+', '-']).parse().unwrap_or(u64::MAX >> 16)
            });
            text.len() as u64 + exponent.min(400) * 50
        }
        _ => 0,
    }
}

fn too_many_steps() -> Text {
    Text::new(
        "there is so much here, and the schema asks so much of each value, that checking could take minutes; pass large data as a file, or ask the author for fewer alternatives",
        "il y a tant de valeurs ici, et le schéma demande tant de chacune, que la vérification pourrait prendre des minutes ; passez les grandes données en fichier, ou demandez à l’auteur moins d’alternatives",
    )
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
