//! The OpenAPI document in French.
//!
//! Its English stands in the code, beside what it describes; `french.json`
//! holds the French of each text. A test finds what is missing and what is
//! no longer said.

use std::collections::BTreeMap;

use serde_json::Value;

const FRENCH: &str = include_str!("french.json");

/// The document with every text in French. A text that has none stays in
/// English.
pub(crate) fn translated(document: &Value) -> Value {
    let french: BTreeMap<String, String> =
        serde_json::from_str(FRENCH).expect("french.json is an object of texts");
    let mut document = document.clone();
    each_text(&mut document, &mut |text| {
        if let Some(french) = french.get(&in_one_line(text)) {
            french.clone_into(text);
        }
    });
    document
}

/// Line breaks of the code's comments are no part of a text.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Calls `change` with every text that a person reads.
fn each_text(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(text) if ["description", "summary"].contains(&key.as_str()) => {
                        change(text);
                    }
                    value => each_text(value, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_text_has_its_french_and_no_french_is_left_over() {
        let mut document = serde_json::to_value(crate::router::document()).unwrap();
        let mut said = BTreeSet::new();
        each_text(&mut document, &mut |text| {
            said.insert(in_one_line(text));
        });
        let french: BTreeMap<String, String> = serde_json::from_str(FRENCH).unwrap();
        let known: BTreeSet<String> = french.into_keys().collect();
        let missing: Vec<_> = said.difference(&known).collect();
        let unused: Vec<_> = known.difference(&said).collect();
        assert!(
            missing.is_empty() && unused.is_empty(),
            "french.json lacks the French of {missing:#?} and has that of {unused:#?}, which is \
             not said any more"
        );
    }
}
