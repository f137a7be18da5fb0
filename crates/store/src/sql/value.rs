//! The values of both databases.

use std::borrow::Cow;

use uuid::Uuid;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Integer,
    Real,
    Truth,
    Text,
    Json,
    Bytes,
    Id,
}

/// A value for a placeholder. Even the absence of one has a type, without
/// which PostgreSQL would guess.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'v> {
    Null(Type),
    Integer(i64),
    Real(f64),
    Truth(bool),
    Text(Cow<'v, str>),
    Json(String),
    Bytes(&'v [u8]),
    Id(&'v Uuid),
}

/// A value in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Found<'r> {
    Null,
    Integer(i64),
    Real(f64),
    Truth(bool),
    Text(&'r str),
    Bytes(&'r [u8]),
    Id(Uuid),
}

impl<'r> Found<'r> {
    pub(super) fn integer(self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(number) } else { None }
    }

    pub(super) fn text(self) -> Option<&'r str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn bytes(self) -> Option<&'r [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// What it is, for whoever expected something else.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Null => "no value",
            Self::Integer(_) => "an integer",
            Self::Real(_) => "a number",
            Self::Truth(_) => "a truth value",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::Id(_) => "an id",
        }
    }
}
