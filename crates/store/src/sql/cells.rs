//! What the cells of a row hold: each type of a record, read and bound.

use domain::event::Kind;
use domain::permission::{Role, Scopes};
use domain::task::{Priority, QueueClass, State};
use domain::{
    ArtifactId, AuditId, CompanyId, DeploymentId, Digest, FileId, FunctionId, InvitationId,
    LeaseToken, SessionId, TaskId, Timestamp, TokenId, UserId, VersionId, WorkerId,
};
use serde::Serialize;
use uuid::Uuid;

use super::value::{Found, Type, Value};

/// What can be read from a cell; the error names what was expected.
pub(crate) trait Cell: Sized {
    fn read(value: Found<'_>) -> Result<Self, &'static str>;
}

/// What can be bound to a placeholder.
pub(crate) trait Bind {
    /// The type of the column that it is for.
    const TYPE: Type;

    fn bind(&self) -> Value<'_>;
}

/// A value that is stored as JSON text.
pub(super) struct Json<'v, T>(pub(super) &'v T);

impl<T: Serialize> Bind for Json<'_, T> {
    const TYPE: Type = Type::Json;

    fn bind(&self) -> Value<'_> {
        let text = serde_json::to_string(self.0)
            .expect("records have text keys and no failing serializers");
        Value::Json(text)
    }
}

/// A value that is stored as JSON text where it is there.
pub(super) struct JsonOrNull<'v, T>(pub(super) Option<&'v T>);

impl<T: Serialize> Bind for JsonOrNull<'_, T> {
    const TYPE: Type = Type::Json;

    fn bind(&self) -> Value<'_> {
        let text = self.0.map(|value| {
            serde_json::to_string(value).expect("records have text keys and no failing serializers")
        });
        text.map_or(Value::Null(Type::Json), Value::Json)
    }
}

impl<T: Bind> Bind for Option<T> {
    const TYPE: Type = T::TYPE;

    fn bind(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null(T::TYPE), Bind::bind)
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    const TYPE: Type = T::TYPE;

    fn bind(&self) -> Value<'_> {
        (**self).bind()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        if value == Found::Null { Ok(None) } else { T::read(value).map(Some) }
    }
}

macro_rules! integers {
    ($($type:ty: $expected:literal),*) => {$(
        impl Cell for $type {
            fn read(value: Found<'_>) -> Result<Self, &'static str> {
                value.integer().and_then(|n| Self::try_from(n).ok()).ok_or($expected)
            }
        }

        impl Bind for $type {
            const TYPE: Type = Type::Integer;

            fn bind(&self) -> Value<'_> {
                // Nothing that is counted here comes near 2⁶³.
                Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}

integers! { i64: "an integer", u64: "a natural number", u32: "a natural number", u16: "a natural number" }

macro_rules! keys {
    ($($type:ident),*) => {$(
        impl Cell for $type {
            fn read(value: Found<'_>) -> Result<Self, &'static str> {
                Uuid::read(value).map(Self)
            }
        }

        impl Bind for $type {
            const TYPE: Type = Type::Id;

            fn bind(&self) -> Value<'_> {
                Value::Id(&self.0)
            }
        }
    )*};
}

keys! {
    ArtifactId, AuditId, CompanyId, DeploymentId, FileId, FunctionId, InvitationId, LeaseToken,
    SessionId, TaskId, TokenId, UserId, VersionId, WorkerId
}

macro_rules! words {
    ($($type:ident: $expected:literal),*) => {$(
        impl Cell for $type {
            fn read(value: Found<'_>) -> Result<Self, &'static str> {
                value.text().and_then(|word| word.parse().ok()).ok_or($expected)
            }
        }

        impl Bind for $type {
            const TYPE: Type = Type::Text;

            fn bind(&self) -> Value<'_> {
                self.as_str().bind()
            }
        }
    )*};
}

words! { State: "the state of a task", QueueClass: "a queue class" }

/// Words that are written by serde alone.
macro_rules! serde_words {
    ($($type:ty: $expected:literal),*) => {$(
        impl Cell for $type {
            fn read(value: Found<'_>) -> Result<Self, &'static str> {
                let word = value.text().ok_or($expected)?;
                serde_json::from_value(serde_json::Value::from(word)).map_err(|_| $expected)
            }
        }

        impl Bind for $type {
            const TYPE: Type = Type::Text;

            fn bind(&self) -> Value<'_> {
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(word)) => Value::Text(word.into()),
                    _ => Value::Null(Type::Text),
                }
            }
        }
    )*};
}

serde_words! {
    Role: "a role",
    crate::deployments::Status: "the status of a deployment",
    domain::manifest::PythonVersion: "a Python version"
}

impl Cell for Kind {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        // `task.queued` in the database is `task_queued` in serde.
        let word = value.text().ok_or("the kind of an event")?.replace('.', "_");
        serde_json::from_value(serde_json::Value::from(word)).map_err(|_| "the kind of an event")
    }
}

impl Bind for Kind {
    const TYPE: Type = Type::Text;

    fn bind(&self) -> Value<'_> {
        self.as_str().bind()
    }
}

/// No value stands for all of them.
impl Cell for Scopes {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        match value {
            Found::Null => Ok(Self::ALL),
            words => words.text().and_then(|words| words.parse().ok()).ok_or("scopes"),
        }
    }
}

impl Bind for Scopes {
    const TYPE: Type = Type::Text;

    fn bind(&self) -> Value<'_> {
        match *self {
            Self::ALL => Value::Null(Type::Text),
            some => Value::Text(some.to_string().into()),
        }
    }
}

impl Cell for Uuid {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        match value {
            Found::Id(id) => Ok(id),
            bytes => {
                bytes.bytes().and_then(|b| Self::from_slice(b).ok()).ok_or("an id of 16 bytes")
            }
        }
    }
}

impl Bind for Uuid {
    const TYPE: Type = Type::Id;

    fn bind(&self) -> Value<'_> {
        Value::Id(self)
    }
}

impl Cell for Digest {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        let bytes = value.bytes().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a digest of 32 bytes")
    }
}

impl Bind for Digest {
    const TYPE: Type = Type::Bytes;

    fn bind(&self) -> Value<'_> {
        Value::Bytes(&self.0)
    }
}

impl Cell for Timestamp {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        value.integer().map(Self).ok_or("an instant in microseconds")
    }
}

impl Bind for Timestamp {
    const TYPE: Type = Type::Integer;

    fn bind(&self) -> Value<'_> {
        Value::Integer(self.0)
    }
}

impl Cell for Priority {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        let number = value.integer().and_then(|n| u8::try_from(n).ok());
        number.and_then(|n| Self::try_from(n).ok()).ok_or("a priority from 0 to 9")
    }
}

impl Bind for Priority {
    const TYPE: Type = Type::Integer;

    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::from(u8::from(*self)))
    }
}

impl Cell for bool {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        match value {
            Found::Truth(truth) => Ok(truth),
            Found::Integer(number) => Ok(number != 0),
            _ => Err("a truth value"),
        }
    }
}

impl Bind for bool {
    const TYPE: Type = Type::Truth;

    fn bind(&self) -> Value<'_> {
        Value::Truth(*self)
    }
}

impl Cell for f64 {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        if let Found::Real(number) = value { Ok(number) } else { Err("a number") }
    }
}

impl Bind for f64 {
    const TYPE: Type = Type::Real;

    fn bind(&self) -> Value<'_> {
        Value::Real(*self)
    }
}

impl Cell for String {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        value.text().map(Self::from).ok_or("text")
    }
}

impl Bind for str {
    const TYPE: Type = Type::Text;

    fn bind(&self) -> Value<'_> {
        Value::Text(self.into())
    }
}

impl Bind for String {
    const TYPE: Type = Type::Text;

    fn bind(&self) -> Value<'_> {
        self.as_str().bind()
    }
}

impl Cell for semver::Version {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        value.text().and_then(|text| text.parse().ok()).ok_or("a semantic version")
    }
}

impl Bind for semver::Version {
    const TYPE: Type = Type::Text;

    fn bind(&self) -> Value<'_> {
        Value::Text(self.to_string().into())
    }
}

impl Cell for Vec<u8> {
    fn read(value: Found<'_>) -> Result<Self, &'static str> {
        value.bytes().map(<[u8]>::to_vec).ok_or("bytes")
    }
}

impl Bind for [u8] {
    const TYPE: Type = Type::Bytes;

    fn bind(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl Bind for Vec<u8> {
    const TYPE: Type = Type::Bytes;

    fn bind(&self) -> Value<'_> {
        self.as_slice().bind()
    }
}
