//! JSON with the place of every value, so that text is changed by splicing
//! and what nobody asked to change keeps its bytes.

mod parse;
mod splice;

pub(crate) use parse::{DEEPEST, Error, ErrorKind, parse, shortened};
pub(crate) use splice::Splices;
pub use splice::{Replacement, replace};

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Number, Value};

/// One value and the bytes it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Json<'a> {
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind<'a> {
    Null,
    Bool(bool),
    /// The number as it was written.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// The same value without places; numbers keep their digits.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(truth) => Value::Bool(*truth),
            Kind::Number(raw) => Value::Number(number(raw)),
            Kind::Text(text) => Value::String(text.clone().into_owned()),
            Kind::List(items) => Value::Array(items.iter().map(Json::to_value).collect()),
            Kind::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(key, value)| (key.clone().into_owned(), value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The value that a JSON Pointer names.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Self> {
        let mut here = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            here = match &here.kind {
                Kind::List(items) => items.get(part.parse::<usize>().ok()?)?,
                Kind::Object(members) => &members.iter().find(|(key, _)| *key == part)?.1,
                _ => return None,
            };
        }
        Some(here)
    }
}

/// A number that keeps the digits it was written with.
pub(crate) fn number(raw: &str) -> Number {
    Number::from_string_unchecked(raw.to_owned())
}

/// Whether a number was written as an integer: no fraction, no exponent.
pub(crate) fn is_integer_text(raw: &str) -> bool {
    !raw.contains(['.', 'e', 'E'])
}

/// The name of a value's type in JSON Schema.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
