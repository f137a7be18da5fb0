//! Between rows and records: binding, reading, and what can fail at it.

use domain::event::Kind;
use domain::permission::Role;
use domain::task::{Priority, QueueClass, State};
use domain::{
    ArtifactId, CompanyId, DeploymentId, Digest, FileId, FunctionId, LeaseToken, TaskId, Timestamp,
    TokenId, UserId, VersionId, WorkerId,
};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::Error;

/// Prepared statements kept by a connection: more than there are in this
/// crate, so that none is ever prepared twice.
pub(super) const STATEMENTS: usize = 128;

/// A connection and the database's present instant, as a query sees them.
pub(super) struct Db<'c> {
    pub(super) connection: &'c Connection,
    pub(super) now: Timestamp,
}

/// Why a query failed, before the trait's method adds what it tried.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// The store refuses.
    Refused(Error),
    /// A row holds what it must not.
    Content(String),
}

/// Values for the placeholders of a statement, in order.
macro_rules! bind {
    ($($value:expr),* $(,)?) => { &[$($crate::sqlite::rows::Bind::bind(&$value)),*][..] };
}
pub(super) use bind;

impl Db<'_> {
    /// Runs a statement; answers the number of rows it changed.
    pub(super) fn execute(&self, sql: &str, values: &[ToSqlOutput<'_>]) -> Result<usize, Failure> {
        Ok(self.connection.prepare_cached(sql)?.execute(params_from_iter(values))?)
    }

    /// The first row, where there is one.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: &[ToSqlOutput<'_>],
        read: impl FnOnce(&mut Cells<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let read = read(&mut Cells { row, at: 0 })?;
        // A statement that changes rows takes effect once it was stepped to
        // its end.
        while rows.next()?.is_some() {}
        Ok(Some(read))
    }

    /// All rows.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: &[ToSqlOutput<'_>],
        mut read: impl FnMut(&mut Cells<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(&mut Cells { row, at: 0 })?);
        }
        Ok(all)
    }
}

impl Failure {
    /// The store's error for what was tried.
    pub(super) fn at(self, action: &'static str) -> Error {
        match self {
            Self::Sqlite(error) => Error::Backend { action, reason: error.to_string() },
            Self::Refused(error) => error,
            Self::Content(reason) => Error::Backend { action, reason },
        }
    }

    /// Turns the violation of a key into `NameTaken`.
    pub(super) fn taken(self, what: &'static str, name: impl ToString) -> Self {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(code, _))
                if [SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE]
                    .contains(&code.extended_code) =>
            {
                Self::Refused(Error::NameTaken { what, name: name.to_string() })
            }
            other => other,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// The cells of a row, read from left to right in the order of its columns.
pub(super) struct Cells<'r> {
    row: &'r Row<'r>,
    at: usize,
}

/// Reads a row of one column.
pub(super) fn only<T: Cell>(cells: &mut Cells<'_>) -> Result<T, Failure> {
    cells.next()
}

impl Cells<'_> {
    /// The next cell.
    pub(super) fn next<T: Cell>(&mut self) -> Result<T, Failure> {
        let value = self.row.get_ref(self.at)?;
        let read = T::read(value).map_err(|expected| {
            let column = self.row.as_ref().column_name(self.at).unwrap_or("?").to_owned();
            Failure::Content(format!(
                "expected {expected} in column `{column}`, found {:?}",
                value.data_type()
            ))
        });
        self.at += 1;
        read
    }

    /// The next cell, which holds JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let at = self.at;
        let text: String = self.next()?;
        serde_json::from_str(&text).map_err(|error| {
            let column = self.row.as_ref().column_name(at).unwrap_or("?").to_owned();
            Failure::Content(format!("the JSON in column `{column}` cannot be read: {error}"))
        })
    }

    /// The next cell, which may hold JSON.
    pub(super) fn json_or_null<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        if matches!(self.row.get_ref(self.at)?, ValueRef::Null) {
            self.at += 1;
            return Ok(None);
        }
        self.json().map(Some)
    }
}

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
    ArtifactId, CompanyId, DeploymentId, FileId, FunctionId, LeaseToken, TaskId, TokenId, UserId,
    VersionId, WorkerId
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
