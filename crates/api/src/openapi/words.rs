//! Schemas of fields that hold one of a few words.

use domain::manifest::{BaseImage, PythonVersion};
use domain::permission::{Role, Scope};
use serde_json::json;
use utoipa::openapi::Schema;

/// A role that may be left out.
pub(crate) fn role() -> Schema {
    let words = [Role::Member, Role::CompanyAdmin, Role::Admin].map(Role::as_str);
    optional(words.to_vec(), "`member` (by default), `company_admin` or `admin`.")
}

/// Scopes that may be left out.
pub(crate) fn scopes() -> Schema {
    let words = Scope::ALL.map(Scope::as_str);
    let schema = json!({
        "type": ["array", "null"],
        "items": { "type": "string", "enum": words },
        "minItems": 1,
        "description": "What it lets through: some of `read`, `run`, `deploy`, `admin`; where missing, what the caller's own token or session does.",
    });
    serde_json::from_value(schema).expect("a schema of few words is one")
}

/// A base image that may be left out.
pub(crate) fn base_image() -> Schema {
    let words = BaseImage::ALL.map(BaseImage::name);
    optional(words.to_vec(), "`python-base`, `python-scientific` (the default) or `python-cfd`.")
}

/// A Python version that may be left out.
pub(crate) fn python_version() -> Schema {
    let words = PythonVersion::SUPPORTED.map(|version| version.to_string());
    optional(words.to_vec(), "`3.9` to `3.13`; the operator's default where missing.")
}

fn optional(words: Vec<impl Into<String>>, description: &str) -> Schema {
    let words: Vec<Option<String>> =
        words.into_iter().map(|word| Some(word.into())).chain([None]).collect();
    let schema = json!({
        "type": ["string", "null"],
        "enum": words,
        "description": description,
    });
    serde_json::from_value(schema).expect("a schema of few words is one")
}
