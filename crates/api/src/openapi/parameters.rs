//! What holds for a parameter wherever it stands: said once, by its name.

use serde_json::{Value, json};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};

use crate::extract::params::LONGEST_PAGE;

/// A name of a company, a function or a user.
const NAME: &str = "[a-z0-9-]{1,63}";
/// A number of a version: more digits would not fit.
const NUMBER: &str = "(0|[1-9][0-9]{0,8})";
/// What may follow the numbers of a version, by semver.org.
const BESIDE: &str = r"(-(0|[1-9]\d{0,8}|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d{0,8}|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?";

/// Narrows the schemas of an operation's parameters to what is accepted.
pub(super) fn narrow(operation: &mut Operation, path: &str) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if let Some(schema) = schema(parameter, path) {
            parameter.schema = Some(RefOr::T(schema));
        }
    }
}

fn schema(parameter: &Parameter, path: &str) -> Option<Schema> {
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let schema: Value = match (&parameter.parameter_in, parameter.name.as_str()) {
        (ParameterIn::Header, "Idempotency-Key") => text("^[!-~]{1,255}$"),
        (ParameterIn::Header, "Last-Event-ID") => {
            json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX })
        }
        (ParameterIn::Header, "X-CSRF-Token") => json!({ "type": "string", "minLength": 1 }),
        (ParameterIn::Path, "id") if path.starts_with("/functions/") => text(&reference()),
        (ParameterIn::Query, "function") => text(&reference()),
        (ParameterIn::Query, "limit") => {
            json!({ "type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": 50 })
        }
        (ParameterIn::Query, "cursor") => text("^p1[0-9a-f]{36}$"),
        (ParameterIn::Query, "wait") => {
            let most = if path == "/functions" { 600 } else { 60 };
            json!({ "type": "number", "minimum": 0, "maximum": most })
        }
        (ParameterIn::Query, "since" | "until") => {
            json!({ "type": "string", "format": "date-time" })
        }
        (ParameterIn::Query, "status") => json!({
            "type": "string",
            "enum": ["queued", "running", "completed", "failed", "cancelled"],
        }),
        (ParameterIn::Query, "text" | "tag" | "category" | "action" | "next") => {
            json!({ "type": "string", "minLength": 1 })
        }
        _ => return None,
    };
    Some(serde_json::from_value(schema).expect("a schema of few words is one"))
}

/// A function: its id, `name`, `name@1.2.3` or `company:name@1.2.3`.
fn reference() -> String {
    format!(r"^({NAME}:)?{NAME}(@{NUMBER}\.{NUMBER}\.{NUMBER}{BESIDE})?$")
}

#[cfg(test)]
mod tests {
    use domain::function::FunctionRef;

    use super::*;

    #[test]
    fn every_parameter_of_a_route_is_narrowed_or_a_uuid() {
        let document = crate::router::document();
        for (path, operation) in crate::openapi::operations(&document) {
            for parameter in operation.parameters.iter().flatten() {
                let RefOr::T(parameter) = parameter else { continue };
                let schema = serde_json::to_value(&parameter.schema).unwrap();
                assert!(
                    schema["format"] == "uuid" || super::schema(parameter, path).is_some(),
                    "{path}: say in `schema` what `{}` accepts",
                    parameter.name
                );
            }
        }
    }

    #[test]
    fn an_id_is_a_reference_in_the_pattern_too() {
        let id = "0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506";
        assert!(id.parse::<FunctionRef>().is_ok());
        assert!(id.len() <= 63 && reference().contains(NAME), "an id has the letters of a name");
    }
}
