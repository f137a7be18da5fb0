//! Checks a result against the outputs' schema; what it finds only warns.

use domain::json::Pointer;
use domain::{Fault, Text};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::spots::{Here, Spots};
use super::{FileRef, Schemas, message};
use crate::code;

/// Warnings beyond this many add nothing for whoever reads them.
const MOST_WARNINGS: usize = 20;

impl Schemas {
    /// The warnings that a result earns.
    ///
    /// `non_finite` holds the JSON Pointers of the strings that stand for NaN
    /// and the infinities. They count as numbers, which no bound applies to,
    /// and have one warning of their own.
    #[must_use]
    pub fn check_outputs(&self, result: &[u8], non_finite: &[String]) -> Vec<Fault> {
        let mut warnings = Vec::new();
        if !non_finite.is_empty() {
            warnings.push(non_finite_warning(non_finite));
        }
        let Some(outputs) = &self.outputs else { return warnings };
        let Ok(mut value) = serde_json::from_slice::<Value>(result) else {
            warnings.push(Fault::warning(
                code::OUTPUT_VIOLATION,
                Text::new(
                    "the result is nested too deeply to be checked against `io.outputs_schema`",
                    "le résultat est trop imbriqué pour être vérifié par rapport à `io.outputs_schema`",
                ),
            ));
            return warnings;
        };
        for pointer in non_finite {
            if let Some(place) = value.pointer_mut(pointer) {
                *place = Value::from(0);
            }
        }
        let errors = outputs.validator.iter_errors(&value);
        for error in errors.filter(|error| counts(error, non_finite)).take(MOST_WARNINGS) {
            let each = message::each(&error, |at| outputs.spots.names_at(at));
            warnings.extend(
                each.into_iter()
                    .map(|(at, text)| Fault::warning(code::OUTPUT_VIOLATION, text).at_key(at)),
            );
        }
        warnings
    }

    /// The strings of a result that stand where the outputs' schema says
    /// `format: file`: paths of files that the run wrote.
    #[must_use]
    pub fn output_files(&self, result: &[u8]) -> Vec<FileRef> {
        let mut found = Vec::new();
        if let Some(outputs) = self.outputs.as_ref().filter(|outputs| outputs.spots.any)
            && let Ok(value) = serde_json::from_slice::<Value>(result)
        {
            files(&outputs.spots, &Pointer::root(), &outputs.spots.root(), &value, &mut found);
        }
        found
    }
}

/// A bound on a number that is none says nothing; that it should not be a
/// number does.
fn counts(error: &ValidationError<'_>, non_finite: &[String]) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { .. })
        || !non_finite.iter().any(|pointer| pointer == error.instance_path().as_str())
}

fn files(spots: &Spots, at: &Pointer, here: &Here, value: &Value, found: &mut Vec<FileRef>) {
    if here.is_empty() {
        return;
    }
    match value {
        Value::String(text) if spots.get(here).any(|spot| spot.file) => {
            found.push(FileRef { pointer: at.to_string(), reference: text.clone() });
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                files(spots, &at.index(index), &spots.item(here, index), item, found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                files(spots, &at.key(key), &spots.member(here, key), member, found);
            }
        }
        _ => {}
    }
}

fn non_finite_warning(pointers: &[String]) -> Fault {
    let shown = pointers.iter().take(5).map(|pointer| format!("`{pointer}`"));
    let mut list = shown.collect::<Vec<_>>().join(", ");
    if pointers.len() > 5 {
        list.push_str(", …");
    }
    let count = pointers.len();
    Fault::warning(
        code::OUTPUT_NON_FINITE,
        Text::new(
            format!("{count} number(s) of the result are NaN or infinite, at {list}; they are given as the strings \"NaN\", \"Infinity\", \"-Infinity\". Check for a division by zero"),
            format!("{count} nombre(s) du résultat sont NaN ou infinis, à {list} ; ils sont donnés par les chaînes \"NaN\", \"Infinity\", \"-Infinity\". Cherchez une division par zéro"),
        ),
    )
    .at_key(pointers[0].as_str())
}
