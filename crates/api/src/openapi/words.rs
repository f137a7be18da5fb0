//! Schemas of fields that hold one of a few words.

use domain::manifest::{BaseImage, PythonVersion};
use domain::permission::{Role, Scope};
use serde_json::json;
use utoipa::openapi::Schema;

/// A role that may be left out.
pub(crate) fn role() -> Schema {
    optional([Role::Member, Role::CompanyAdmin, Role::Admin].map(Role::as_str).to_vec())
}

/// Scopes that may be left out.
pub(crate) fn scopes() -> Schema {
    let words = Scope::ALL.map(Scope::as_str);
    let schema = json!({
        "type": ["array", "null"],
        "items": { "type": "string", "enum": words },
        "minItems": 1,
    });
    serde_json::from_value(schema).expect("a schema of few words is one")
}

/// A base image that may be left out.
pub(crate) fn base_image() -> Schema {
    optional(BaseImage::ALL.map(BaseImage::name).to_vec())
}

/// A Python version that may be left out.
pub(crate) fn python_version() -> Schema {
    optional(PythonVersion::SUPPORTED.map(|version| version.to_string()).to_vec())
}

fn optional(words: Vec<impl Into<String>>) -> Schema {
    let words: Vec<Option<String>> =
        words.into_iter().map(|word| Some(word.into())).chain([None]).collect();
    let schema = json!({ "type": ["string", "null"], "enum": words });
    serde_json::from_value(schema).expect("a schema of few words is one")
}
