//! What the cells of a row hold: each type of a record, read and bound.

use domain::event::Kind;
use domain::permission::{Role, Scopes};
use domain::task::{Priority, QueueClass, State};
use domain::{
    ArtifactId, AuditId, CompanyId, DeploymentId, Digest, FileId, FunctionId, InvitationId,
    LeaseToken, SessionId, TaskId, Timestamp, TokenId, UserId, VersionId, WorkerId,
};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use serde::Serialize;
use uuid::Uuid;

/// What can be read from a cell; the error names what was expected.
pub(super) trait Cell: Sized {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str>;
}

/// What can be bound to a placeholder.
pub(super) trait Bind {
    fn bind(&self) -> ToSqlOutput<'_>;
}

/// A value that is stored as JSON text.
pub(super) struct Json<'v, T>(pub(super) &'v T);

impl<T: Serialize> Bind for Json<'_, T> {
    fn bind(&self) -> ToSqlOutput<'_> {
        let text = serde_json::to_string(self.0)
            .expect("records have text keys and no failing serializers");
        ToSqlOutput::Owned(Value::Text(text))
    }
}

/// A value that is stored as JSON text where it is there.
pub(super) struct JsonOrNull<'v, T>(pub(super) Option<&'v T>);

impl<T: Serialize> Bind for JsonOrNull<'_, T> {
    fn bind(&self) -> ToSqlOutput<'_> {
        match self.0 {
            Some(value) => match Json(value).bind() {
                ToSqlOutput::Owned(text) => ToSqlOutput::Owned(text),
                _ => ToSqlOutput::Owned(Value::Null),
            },
            None => ToSqlOutput::Owned(Value::Null),
        }
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(&self) -> ToSqlOutput<'_> {
        self.as_ref().map_or(ToSqlOutput::Owned(Value::Null), Bind::bind)
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    fn bind(&self) -> ToSqlOutput<'_> {
        (**self).bind()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        if matches!(value, ValueRef::Null) { Ok(None) } else { T::read(value).map(Some) }
    }
}

macro_rules! integers {
    ($($type:ty: $expected:literal),*) => {$(
        impl Cell for $type {
            fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
                value.as_i64().ok().and_then(|n| Self::try_from(n).ok()).ok_or($expected)
            }
        }

        impl Bind for $type {
            fn bind(&self) -> ToSqlOutput<'_> {
                // Nothing that is counted here comes near 2⁶³.
                ToSqlOutput::Owned(Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX)))
            }
        }
    )*};
}

integers! { i64: "an integer", u64: "a natural number", u32: "a natural number", u16: "a natural number" }

macro_rules! keys {
    ($($type:ident),*) => {$(
        impl Cell for $type {
            fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
                Uuid::read(value).map(Self)
            }
        }

        impl Bind for $type {
            fn bind(&self) -> ToSqlOutput<'_> {
                ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes()))
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
            fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
                value.as_str().ok().and_then(|word| word.parse().ok()).ok_or($expected)
            }
        }

        impl Bind for $type {
            fn bind(&self) -> ToSqlOutput<'_> {
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
            fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
                let word = value.as_str().map_err(|_| $expected)?;
                serde_json::from_value(serde_json::Value::from(word)).map_err(|_| $expected)
            }
        }

        impl Bind for $type {
            fn bind(&self) -> ToSqlOutput<'_> {
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(word)) => ToSqlOutput::Owned(Value::Text(word)),
                    _ => ToSqlOutput::Owned(Value::Null),
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
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        // `task.queued` in the database is `task_queued` in serde.
        let word = value.as_str().map_err(|_| "the kind of an event")?.replace('.', "_");
        serde_json::from_value(serde_json::Value::from(word)).map_err(|_| "the kind of an event")
    }
}

impl Bind for Kind {
    fn bind(&self) -> ToSqlOutput<'_> {
        self.as_str().bind()
    }
}

/// No value stands for all of them.
impl Cell for Scopes {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        match value {
            ValueRef::Null => Ok(Self::ALL),
            words => words.as_str().ok().and_then(|words| words.parse().ok()).ok_or("scopes"),
        }
    }
}

impl Bind for Scopes {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Owned(match *self {
            Self::ALL => Value::Null,
            some => Value::Text(some.to_string()),
        })
    }
}

impl Cell for Uuid {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_blob().ok().and_then(|b| Self::from_slice(b).ok()).ok_or("an id of 16 bytes")
    }
}

impl Bind for Uuid {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes()))
    }
}

impl Cell for Digest {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        let bytes = value.as_blob().ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a digest of 32 bytes")
    }
}

impl Bind for Digest {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Borrowed(ValueRef::Blob(&self.0))
    }
}

impl Cell for Timestamp {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_i64().map(Self).map_err(|_| "an instant in microseconds")
    }
}

impl Bind for Timestamp {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Owned(Value::Integer(self.0))
    }
}

impl Cell for Priority {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        let number = value.as_i64().ok().and_then(|n| u8::try_from(n).ok());
        number.and_then(|n| Self::try_from(n).ok()).ok_or("a priority from 0 to 9")
    }
}

impl Bind for Priority {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Owned(Value::Integer(i64::from(u8::from(*self))))
    }
}

impl Cell for bool {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_i64().map(|n| n != 0).map_err(|_| "0 or 1")
    }
}

impl Bind for bool {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Owned(Value::Integer(i64::from(*self)))
    }
}

impl Cell for f64 {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_f64().map_err(|_| "a number")
    }
}

impl Bind for f64 {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Owned(Value::Real(*self))
    }
}

impl Cell for String {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_str().map(Self::from).map_err(|_| "text")
    }
}

impl Bind for str {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Borrowed(ValueRef::Text(self.as_bytes()))
    }
}

impl Bind for String {
    fn bind(&self) -> ToSqlOutput<'_> {
        self.as_str().bind()
    }
}

impl Cell for semver::Version {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_str().ok().and_then(|text| text.parse().ok()).ok_or("a semantic version")
    }
}

impl Bind for semver::Version {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Owned(Value::Text(self.to_string()))
    }
}

impl Cell for Vec<u8> {
    fn read(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_blob().map(<[u8]>::to_vec).map_err(|_| "bytes")
    }
}

impl Bind for [u8] {
    fn bind(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Borrowed(ValueRef::Blob(self))
    }
}

impl Bind for Vec<u8> {
    fn bind(&self) -> ToSqlOutput<'_> {
        self.as_slice().bind()
    }
}
