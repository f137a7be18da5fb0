//! A shape of JSON, as the page shows it.

use domain::Lang;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::operation::required;
use crate::routes::pages::markdown::sentence;

const REFERENCE: &str = "#/components/schemas/";

/// A shape that has a name: what it is, and its fields.
pub(super) fn section(
    name: &str,
    schema: &Value,
    schemas: &Map<String, Value>,
    lang: Lang,
) -> Markup {
    html! {
        section id=(name) {
            h3 { a href={ "#" (name) } { code { (name) } } }
            p { (sentence(schema["description"].as_str().unwrap_or_default())) }
            (fields(schema, schemas, lang))
        }
    }
}

/// The fields of an object.
pub(super) fn fields(schema: &Value, schemas: &Map<String, Value>, lang: Lang) -> Markup {
    let always: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object();
    html! {
        @if let Some(fields) = fields {
            div.scrolled { table.fields {
                @for (name, field) in fields {
                    tr {
                        td {
                            code { (name) }
                            @if always.contains(&name.as_str()) { (required(lang)) }
                        }
                        td.type { (kind(field, schemas)) }
                        td { (sentence(text(field))) }
                    }
                }
            } }
        }
    }
}

/// What a field says of itself; of one that may be null, its shape says it.
fn text(field: &Value) -> &str {
    let own = field["description"].as_str();
    let of_one = || field["oneOf"].as_array()?.iter().find_map(|one| one["description"].as_str());
    own.or_else(of_one).unwrap_or_default()
}

/// The shape in a word, with a link where it has a name.
pub(super) fn kind(schema: &Value, schemas: &Map<String, Value>) -> Markup {
    if let Some(name) = name(schema, schemas) {
        return html! { a href={ "#" (name) } { (name) } };
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        return html! {
            @for (at, way) in ways.iter().enumerate() {
                @if at > 0 { " | " }
                (kind(way, schemas))
            }
        };
    }
    let words: Vec<&str> = match &schema["type"] {
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        Value::String(word) => vec![word],
        _ => vec!["any"],
    };
    html! {
        @for (at, word) in words.into_iter().enumerate() {
            @if at > 0 { " | " }
            @match word {
                "array" => { (kind(&schema["items"], schemas)) "[]" }
                word => (word),
            }
        }
        @if let Some(format) = schema["format"].as_str().filter(|word| worth_saying(word)) {
            " (" (format) ")"
        }
    }
}

/// Widths of numbers are no concern of a reader.
fn worth_saying(format: &str) -> bool {
    !["int32", "int64", "double", "float"].contains(&format)
}

/// The name of a shape: by reference, or because one that has a name is equal.
fn name<'a>(schema: &'a Value, schemas: &'a Map<String, Value>) -> Option<&'a str> {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.strip_prefix(REFERENCE);
    }
    let fields = schema.get("properties")?;
    schemas
        .iter()
        .find(|(_, named)| named.get("properties") == Some(fields))
        .map(|(name, _)| name.as_str())
}

/// The shape that a reference stands for.
pub(super) fn resolved<'a>(schema: &'a Value, schemas: &'a Map<String, Value>) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|text| text.strip_prefix(REFERENCE));
    reference.and_then(|name| schemas.get(name)).unwrap_or(schema)
}

/// A value of the shape: what can't be left out, or else its first field.
pub(super) fn example(schema: &Value, schemas: &Map<String, Value>) -> Value {
    let schema = resolved(schema, schemas);
    if let Some(example) = schema.get("example").or_else(|| schema.get("default")) {
        return example.clone();
    }
    let word = match &schema["type"] {
        Value::Array(words) => words.first().and_then(Value::as_str),
        word => word.as_str(),
    };
    match word {
        Some("object") => {
            let always: Vec<&str> = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let fields = schema["properties"].as_object().into_iter().flatten();
            fields
                .filter(|(name, _)| always.contains(&name.as_str()))
                .map(|(name, field)| (name.clone(), example(field, schemas)))
                .collect()
        }
        Some("array") => json!([]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        _ => json!("…"),
    }
}
