//! The reference of the HTTP API, written from its OpenAPI document: to be read
//! without a program and without the internet.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::repository::Repository;

/// Where the page lies, and what it is written from.
pub(crate) const PAGE: &str = "docs/api-reference.md";
const DOCUMENT: &str = "docs/openapi.json";

/// A fault where the page is not what the document says.
pub(crate) fn check(repository: &Repository) -> anyhow::Result<Vec<String>> {
    let expected = page(&repository.read(DOCUMENT)?)?;
    let same = repository.read(PAGE).is_ok_and(|written| written == expected);
    let fault = format!("{PAGE}: expected what {DOCUMENT} says; run `cargo xtask generate`");
    Ok(if same { Vec::new() } else { vec![fault] })
}

/// Writes the page anew.
pub(crate) fn write(repository: &Repository) -> anyhow::Result<()> {
    let text = page(&repository.read(DOCUMENT)?)?;
    std::fs::write(repository.root.join(PAGE), text).context(PAGE)
}

fn page(document: &str) -> anyhow::Result<String> {
    let document: Value = serde_json::from_str(document).context(DOCUMENT)?;
    let mut out = String::from(
        "# API reference\n\n\
         <!-- Written by `cargo xtask generate` from docs/openapi.json. -->\n\n\
         Every route, and every type that it takes and gives. [The HTTP API](api.md) says how \
         they go together; [openapi.json](openapi.json) is the same for programs. Every route \
         may refuse with a [problem](errors.md#a-request-is-refused).\n",
    );
    for tag in list(&document["tags"]) {
        let name = text(&tag["name"]);
        write!(out, "\n## {name}\n\n{}.\n", text(&tag["description"]))?;
        for (path, operations) in object(&document["paths"]) {
            for (method, operation) in object(operations) {
                if list(&operation["tags"]).iter().any(|tag| text(tag) == name) {
                    route(&mut out, method, path, operation)?;
                }
            }
        }
    }
    out.push_str("\n## Types\n");
    for (name, schema) in object(&document["components"]["schemas"]) {
        type_section(&mut out, name, schema)?;
    }
    Ok(out)
}

fn route(out: &mut String, method: &str, path: &str, operation: &Value) -> anyhow::Result<()> {
    let method = method.to_uppercase();
    write!(out, "\n### `{method} {path}`\n\n{}\n", cell(&operation["summary"]))?;
    writeln!(out, "\n{}", who(&operation["security"]))?;
    let parameters = list(&operation["parameters"]);
    if !parameters.is_empty() {
        out.push_str("\n| parameter | in | type | |\n|---|---|---|---|\n");
        for parameter in parameters {
            let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
            let (kind, about) = (kind(&parameter["schema"]), cell(&parameter["description"]));
            writeln!(out, "| `{name}` | {place} | {kind} | {about} |")?;
        }
    }
    if let Some(body) = operation.get("requestBody") {
        writeln!(out, "\nBody: {}.", contents(body))?;
    }
    out.push_str("\n| answer | | |\n|---|---|---|\n");
    for (status, answer) in object(&operation["responses"]) {
        if status != "default" {
            let (about, what) = (cell(&answer["description"]), contents(answer));
            writeln!(out, "| {status} | {about} | {what} |")?;
        }
    }
    Ok(())
}

/// Who may call a route, in words.
fn who(security: &Value) -> String {
    let Some(ways) = security.as_array().filter(|ways| !ways.is_empty()) else {
        return "Without a login.".to_owned();
    };
    let scopes = ways.iter().flat_map(|way| list(&way["token"])).map(text).collect::<Vec<_>>();
    let token = ways.iter().any(|way| way.get("token").is_some());
    let session = ways.iter().any(|way| way.get("session").is_some());
    let mut allowed = Vec::new();
    if token && scopes.is_empty() {
        allowed.push("a token".to_owned());
    } else if token {
        allowed.push(format!("a token with the scope `{}`", scopes.join("`, `")));
    }
    if session {
        allowed.push("a session".to_owned());
    }
    if allowed.is_empty() {
        "Without a login.".to_owned()
    } else {
        format!("With {}.", allowed.join(" or "))
    }
}

/// Media types of a body or an answer, with what they hold.
fn contents(holder: &Value) -> String {
    let parts = object(&holder["content"]).map(|(media, content)| {
        let kind = match media.as_str() {
            "application/json" | "multipart/form-data" => kind(&content["schema"]),
            _ => String::new(),
        };
        let media = format!("`{media}`");
        if kind.is_empty() { media } else { format!("{media}, {kind}") }
    });
    parts.collect::<Vec<_>>().join("; or ")
}

fn type_section(out: &mut String, name: &str, schema: &Value) -> anyhow::Result<()> {
    write!(out, "\n### {name}\n")?;
    let about = cell(&schema["description"]);
    if !about.is_empty() {
        write!(out, "\n{about}\n")?;
    }
    out.push_str("\n| field | type | always there | |\n|---|---|---|---|\n");
    let required: Vec<&str> = list(&schema["required"]).iter().map(text).collect();
    for (field, schema) in object(&schema["properties"]) {
        let always = if required.contains(&field.as_str()) { "yes" } else { "" };
        let about = cell(&schema["description"]);
        writeln!(out, "| `{field}` | {} | {always} | {about} |", kind(schema))?;
    }
    Ok(())
}

/// A schema's type, with a link where it has a section of its own.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        let kinds: Vec<String> = list(&schema[choice]).iter().map(kind).collect();
        if !kinds.is_empty() {
            return kinds.join(" or ");
        }
    }
    let named = |name: &str| match name {
        "array" => format!("array of {}", kind(&schema["items"])),
        _ => name.to_owned(),
    };
    let names = match &schema["type"] {
        Value::String(name) => named(name),
        Value::Array(names) => {
            names.iter().map(|name| named(text(name))).collect::<Vec<_>>().join(" or ")
        }
        _ => "any JSON".to_owned(),
    };
    match schema["format"].as_str() {
        Some(format) => format!("{names} ({format})"),
        None => names,
    }
}

/// Text for a cell of a table: on one line, without what ends a cell.
fn cell(value: &Value) -> String {
    text(value).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_is_named_with_a_link_to_its_section() {
        assert_eq!(kind(&json!({"$ref": "#/components/schemas/Task"})), "[Task](#task)");
        assert_eq!(
            kind(&json!({"type": ["string", "null"], "format": "uuid"})),
            "string or null (uuid)"
        );
        let tasks = json!({"type": "array", "items": {"$ref": "#/components/schemas/Task"}});
        assert_eq!(kind(&tasks), "array of [Task](#task)");
        assert_eq!(
            kind(&json!({"oneOf": [{"type": "null"}, tasks]})),
            "null or array of [Task](#task)"
        );
        assert_eq!(kind(&json!({})), "any JSON");
    }

    #[test]
    fn a_route_says_who_may_call_it() {
        assert_eq!(
            who(&json!([{"token": ["run"]}, {"session": []}])),
            "With a token with the scope `run` or a session."
        );
        assert_eq!(who(&json!([])), "Without a login.");
    }

    #[test]
    fn a_description_of_several_lines_fits_into_a_cell() {
        assert_eq!(cell(&json!("One of\n`a|b`.")), "One of `a\\|b`.");
    }
}
