//! Checks a result against the outputs' schema; what it finds only warns.

use std::collections::HashSet;

use domain::{Fault, Text};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::inputs::Path;
use super::patterns::Bytes;
use super::spots::{Here, Spots};
use super::violations::violations;
use super::{FileRef, Schemas};
use crate::code;
use crate::json::{Json, Kind, parse};

/// Largest result that is checked, in bytes; beyond it, the memory that
/// checking takes would be the host's problem.
const LARGEST: usize = 32 << 20;
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
        if result.len() > LARGEST {
            warnings.push(not_checked(
                format!("is larger than {LARGEST} bytes"),
                format!("dépasse {LARGEST} octets"),
            ));
            return warnings;
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(result) else {
            let (en, fr) = ("is nested more than 128 levels", "dépasse 128 niveaux d’imbrication");
            warnings.push(not_checked(en.to_owned(), fr.to_owned()));
            return warnings;
        };
        if outputs.patterns.any() && outputs.patterns.too_long(Bytes::of_value(&value)) {
            warnings.push(not_checked(
                "holds more text than the patterns of the schema could be matched with in seconds"
                    .to_owned(),
                "contient trop de texte pour être comparé en quelques secondes aux motifs du schéma"
                    .to_owned(),
            ));
            return warnings;
        }
        for pointer in non_finite {
            if let Some(place) = value.pointer_mut(pointer) {
                *place = Value::from(0);
            }
        }
        let non_finite: HashSet<&str> = non_finite.iter().map(String::as_str).collect();
        let counts = |error: &ValidationError<'_>| counts(error, &non_finite);
        let found = violations(outputs, &value, result.len(), MOST_WARNINGS, counts);
        warnings.extend(
            found
                .into_iter()
                .map(|(at, text)| Fault::warning(code::OUTPUT_VIOLATION, text).at_key(at)),
        );
        warnings
    }

    /// The strings of a result that stand where the outputs' schema says
    /// `format: file`: paths of files that the run wrote.
    #[must_use]
    pub fn output_files(&self, result: &[u8]) -> Vec<FileRef> {
        let mut found = Vec::new();
        if let Some(outputs) = self.outputs.as_ref().filter(|outputs| outputs.spots.any)
            && let Ok(value) = parse(result)
        {
            files(&outputs.spots, &Path::Root, &outputs.spots.root(), &value, &mut found);
        }
        found
    }
}

/// A bound on a number that is none says nothing; that it should not be a
/// number does.
fn counts(error: &ValidationError<'_>, non_finite: &HashSet<&str>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { .. })
        || !non_finite.contains(error.instance_path().as_str())
}

fn files(spots: &Spots, at: &Path<'_>, here: &Here, value: &Json<'_>, found: &mut Vec<FileRef>) {
    if here.is_empty() {
        return;
    }
    match &value.kind {
        Kind::Text(text) if spots.get(here).any(|spot| spot.file) => {
            found.push(FileRef { pointer: at.pointer().to_string(), reference: text.to_string() });
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                files(spots, &Path::Index(at, index), &spots.item(here, index), item, found);
            }
        }
        Kind::Object(members) => {
            for (key, member) in members {
                files(spots, &Path::Key(at, key), &spots.member(here, key), member, found);
            }
        }
        _ => {}
    }
}

fn not_checked(en: String, fr: String) -> Fault {
    Fault::warning(
        code::OUTPUT_VIOLATION,
        Text::new(
            format!("the result {en} and was not checked against `io.outputs_schema`"),
            format!("le résultat {fr} et n’a pas été vérifié par rapport à `io.outputs_schema`"),
        ),
    )
}

fn non_finite_warning(pointers: &[String]) -> Fault {
    let shown = pointers.iter().take(5).map(|pointer| format!("`{pointer}`"));
    let mut list = shown.collect::<Vec<_>>().join(", ");
    if pointers.len() > 5 {
        list.push_str(", …");
    }
    let (en, fr) = match pointers.len() {
        1 => (
            "1 number of the result is NaN or infinite".to_owned(),
            "1 nombre du résultat est NaN ou infini".to_owned(),
        ),
        count => (
            format!("{count} numbers of the result are NaN or infinite"),
            format!("{count} nombres du résultat sont NaN ou infinis"),
        ),
    };
    Fault::warning(
        code::OUTPUT_NON_FINITE,
        Text::new(
            format!("{en}, at {list}; each is given as one of the strings \"NaN\", \"Infinity\", \"-Infinity\". Check for a division by zero"),
            format!("{fr}, à {list} ; chacun est donné par une des chaînes \"NaN\", \"Infinity\", \"-Infinity\". Cherchez une division par zéro"),
        ),
    )
    .at_key(pointers[0].as_str())
}
