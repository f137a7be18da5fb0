//! Violations of a schema as sentences: expected, found, what to do.

use domain::Text;
use domain::json::Pointer;
use domain::units::Quantity;
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::inputs::is_non_finite;
use crate::json::{is_integer_text, shortened, type_name};
use crate::source::nearest;

/// The violations that one error of the validator stands for, each with its
/// JSON Pointer: an error about several properties becomes one for each, at
/// the place where the property is or should be. `known` gives the names that
/// the schema describes at a pointer.
pub(super) fn each<'k>(
    error: &ValidationError<'_>,
    known: impl Fn(&str) -> Vec<&'k str>,
) -> Vec<(String, Text)> {
    let at = error.instance_path().as_str();
    let member = |name: &str| format!("{at}{}", Pointer::root().key(name));
    match error.kind() {
        Kind::Required { property: Value::String(name) } => vec![(member(name), of(error))],
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let names = unexpected.iter().take(20);
            names.map(|name| (member(name), unknown(name, known(at)))).collect()
        }
        _ => vec![(at.to_owned(), of(error))],
    }
}

fn unknown(name: &str, known: Vec<&str>) -> Text {
    let shown = show(&Value::String(name.to_owned()));
    match nearest(name, known) {
        Some(near) => Text::new(
            format!("{shown} is not known here; did you mean \"{near}\"?"),
            format!("{shown} n’est pas connu ici ; vouliez-vous dire \"{near}\" ?"),
        ),
        None => Text::new(
            format!("{shown} is not known here; take it out or check its spelling"),
            format!("{shown} n’est pas connu ici ; retirez-le ou vérifiez son orthographe"),
        ),
    }
}

/// The sentence for one violation.
pub(super) fn of(error: &ValidationError<'_>) -> Text {
    let found = error.instance();
    let shown = show(found);
    let expected = |en: String, fr: String| {
        Text::new(
            format!("expected {en}, found {shown}"),
            format!("attendu : {fr} ; trouvé : {shown}"),
        )
    };
    match error.kind() {
        Kind::Type { kind } => type_error(kind, found),
        Kind::Required { property } => Text::new(
            format!("the mandatory property {property} is missing"),
            format!("la propriété obligatoire {property} manque"),
        ),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let list = quoted(unexpected);
            Text::new(
                format!("{list}: not known here; take it out or check its spelling"),
                format!("{list} : inconnu ici ; retirez-le ou vérifiez son orthographe"),
            )
        }
        Kind::Minimum { limit } => {
            expected(format!("at least {limit}"), format!("au moins {limit}"))
        }
        Kind::Maximum { limit } => expected(format!("at most {limit}"), format!("au plus {limit}")),
        Kind::ExclusiveMinimum { limit } => {
            expected(format!("more than {limit}"), format!("plus de {limit}"))
        }
        Kind::ExclusiveMaximum { limit } => {
            expected(format!("less than {limit}"), format!("moins de {limit}"))
        }
        Kind::MultipleOf { multiple_of } => expected(
            format!("a multiple of {multiple_of}"),
            format!("un multiple de {multiple_of}"),
        ),
        Kind::Enum { options } => {
            let list = options.as_array().map_or_else(String::new, |options| {
                options.iter().take(20).map(show).collect::<Vec<_>>().join(", ")
            });
            expected(format!("one of {list}"), format!("une valeur parmi {list}"))
        }
        Kind::Constant { expected_value } => {
            let wanted = show(expected_value);
            expected(wanted.clone(), wanted)
        }
        Kind::MinLength { limit } => expected(
            format!("a text of at least {limit} character(s)"),
            format!("un texte d’au moins {limit} caractère(s)"),
        ),
        Kind::MaxLength { limit } => expected(
            format!("a text of at most {limit} character(s)"),
            format!("un texte d’au plus {limit} caractère(s)"),
        ),
        Kind::MinItems { limit } => count(found, "at least", "au moins", *limit),
        Kind::MaxItems { limit } => count(found, "at most", "au plus", *limit),
        Kind::AdditionalItems { limit } => count(found, "at most", "au plus", *limit as u64),
        Kind::MinProperties { limit } => {
            expected(format!("at least {limit} properties"), format!("au moins {limit} propriétés"))
        }
        Kind::MaxProperties { limit } => {
            expected(format!("at most {limit} properties"), format!("au plus {limit} propriétés"))
        }
        Kind::UnevaluatedItems { .. } => Text::new(
            "the list holds items that the schema does not describe; take them out",
            "la liste contient des éléments que le schéma ne décrit pas ; retirez-les",
        ),
        Kind::UniqueItems => Text::new(
            "expected items that all differ, found equal ones",
            "des éléments tous différents sont attendus, certains sont égaux",
        ),
        Kind::Pattern { pattern } => {
            let pattern = shortened(pattern);
            expected(
                format!("a text that matches the pattern {pattern}"),
                format!("un texte conforme au motif {pattern}"),
            )
        }
        Kind::Format { format } => expected(
            format!("a text in the format \"{format}\""),
            format!("un texte au format « {format} »"),
        ),
        Kind::PropertyNames { error } => {
            let inner = of(error);
            Text::new(
                format!("a property has a name that is not allowed: {}", inner.en),
                format!("une propriété a un nom non autorisé : {}", inner.fr),
            )
        }
        Kind::Contains => Text::new(
            "the list holds no item, or too few or too many items, of the kind asked for",
            "la liste ne contient aucun élément du genre demandé, ou trop peu, ou trop",
        ),
        Kind::FalseSchema => Text::new(
            format!("no value is allowed here, found {shown}; take it out"),
            format!("aucune valeur n’est admise ici, trouvé {shown} ; retirez-la"),
        ),
        Kind::Not { .. } => Text::new(
            format!("{shown} is of the kind that is excluded here"),
            format!("{shown} est du genre exclu ici"),
        ),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => none_of(&shown, context),
        Kind::OneOfMultipleValid { .. } => Text::new(
            format!("expected a value of exactly one of the alternatives, {shown} is of several"),
            format!(
                "une valeur d’une seule des alternatives est attendue, {shown} est de plusieurs"
            ),
        ),
        _ => Text::new(format!("not valid: {}", error), format!("non valable : {}", error)),
    }
}

fn type_error(kind: &TypeKind, found: &Value) -> Text {
    let mut names: Vec<String> = match kind {
        TypeKind::Single(name) => vec![name.to_string()],
        TypeKind::Multiple(set) => set.iter().map(|name| name.to_string()).collect(),
    };
    names.sort_by_key(|name| name == "null");
    let join = |word: &str, name: fn(&str) -> &'static str| {
        names.iter().map(|n| name(n)).collect::<Vec<_>>().join(word)
    };
    let (en, fr) = (join(" or ", english), join(" ou ", french));
    let shown = show(found);
    let wants_number = names.iter().any(|name| name == "number" || name == "integer");
    let hint = match found {
        Value::String(text) if is_non_finite(text) => Text::new(
            "; this schema does not admit a number that is not finite",
            " ; ce schéma n’admet pas de nombre non fini",
        ),
        Value::String(text) if text.trim().parse::<f64>().is_ok() => {
            Text::new("; take off the quotes", " ; ôtez les guillemets")
        }
        Value::String(text) if text.trim().replacen(',', ".", 1).parse::<f64>().is_ok() => {
            Text::new(
                "; write a number without quotes and with a decimal point",
                " ; écrivez un nombre sans guillemets et avec un point décimal",
            )
        }
        Value::String(text) if wants_number && Quantity::parse(text).is_ok() => Text::new(
            "; no unit is converted here: give the number alone",
            " ; aucune unité n’est convertie ici : donnez le nombre seul",
        ),
        Value::Number(_) | Value::Bool(_) if names.iter().any(|name| name == "string") => {
            Text::new(
                format!("; put it between quotes: \"{shown}\""),
                format!(" ; mettez-le entre guillemets : \"{shown}\""),
            )
        }
        _ => Text::same(""),
    };
    Text::new(
        format!("expected {en}, found {shown}{}", hint.en),
        format!("attendu : {fr} ; trouvé : {shown}{}", hint.fr),
    )
}

fn english(name: &str) -> &'static str {
    match name {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "an integer",
        "null" => "null",
        "number" => "a number",
        "object" => "an object",
        _ => "a text",
    }
}

fn french(name: &str) -> &'static str {
    match name {
        "array" => "une liste",
        "boolean" => "true ou false",
        "integer" => "un entier",
        "null" => "null",
        "number" => "un nombre",
        "object" => "un objet",
        _ => "un texte",
    }
}

fn count(found: &Value, en: &str, fr: &str, limit: u64) -> Text {
    let there = found.as_array().map_or(0, Vec::len);
    Text::new(
        format!("expected {en} {limit} item(s), found {there}"),
        format!("{fr} {limit} élément(s) attendu(s), trouvé {there}"),
    )
}

/// The alternative that came nearest says why it failed.
fn none_of(shown: &str, context: &[Vec<ValidationError<'static>>]) -> Text {
    let depth = |errors: &[ValidationError<'_>]| {
        errors.iter().map(|error| error.instance_path().as_str().matches('/').count()).max()
    };
    let tried = context.iter().filter(|errors| !errors.is_empty());
    let nearest = tried.reduce(|best, other| if depth(other) > depth(best) { other } else { best });
    let why = nearest.and_then(|errors| errors.first()).map(of);
    let (en, fr) = why.map_or_else(Default::default, |why| {
        (
            format!("; the nearest one says: {}", why.en),
            format!(" ; la plus proche dit : {}", why.fr),
        )
    });
    Text::new(
        format!("{shown} fits none of the {} alternatives{en}", context.len()),
        format!("{shown} ne convient à aucune des {} alternatives{fr}", context.len()),
    )
}

fn quoted(names: &[String]) -> String {
    names
        .iter()
        .take(10)
        .map(|name| show(&Value::String(name.clone())))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A value in a few words: short ones whole, long ones by their kind.
fn show(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Array(items) if items.len() > 8 => format!("[… {} …]", items.len()),
        Value::Number(number) if number.as_str().len() > LONGEST => {
            let digits = number.as_str();
            let kind = if is_integer_text(digits) { "…" } else { "…e" };
            format!("{}{kind}", &digits[..LONGEST / 2])
        }
        Value::String(text) if text.chars().count() > LONGEST => {
            format!("{}…", Value::String(text.chars().take(LONGEST).collect()))
        }
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            if text.len() > LONGEST { format!("{{{}}}", type_name(value)) } else { text }
        }
        _ => value.to_string(),
    }
}
