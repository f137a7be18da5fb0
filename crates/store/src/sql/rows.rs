//! Between rows and records: binding, reading, and what can fail at it.

use domain::Timestamp;
use serde::de::DeserializeOwned;

use super::cells::Cell;
pub(super) use super::cells::{Json, JsonOrNull};
use super::value::{Found, Value};
use crate::{Error, postgres, sqlite};

/// A connection and the database's present instant, as a query sees them.
pub(crate) struct Db<'c> {
    pub(crate) connection: Connection<'c>,
    pub(crate) now: Timestamp,
}

/// A connection to either database.
pub(crate) enum Connection<'c> {
    Sqlite(&'c rusqlite::Connection),
    Postgres(postgres::Session<'c>),
}

/// Why a query failed, before the trait's method adds what it tried.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// PostgreSQL said so, or can't be reached.
    Postgres(sqlx_core::Error),
    /// The store refuses.
    Refused(Error),
    /// A row holds what it must not.
    Content(String),
}

/// Values for the placeholders of a statement, in order.
macro_rules! bind {
    ($($value:expr),* $(,)?) => { &[$($crate::sql::rows::Bind::bind(&$value)),*][..] };
}
pub(crate) use super::cells::Bind;
pub(crate) use bind;

impl Db<'_> {
    /// Runs a statement; answers the number of rows it changed.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Failure> {
        match &self.connection {
            Connection::Sqlite(connection) => sqlite::execute(connection, sql, values),
            Connection::Postgres(session) => session.execute(sql, values),
        }
    }

    /// The first row, where there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&mut Cells<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match &self.connection {
            Connection::Sqlite(connection) => sqlite::one(connection, sql, values, read),
            Connection::Postgres(session) => session.one(sql, values, read),
        }
    }

    /// All rows.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnMut(&mut Cells<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        match &self.connection {
            Connection::Sqlite(connection) => sqlite::all(connection, sql, values, read),
            Connection::Postgres(session) => session.all(sql, values, read),
        }
    }
}

impl Failure {
    /// The store's error for what was tried.
    pub(crate) fn at(self, action: &'static str) -> Error {
        match self {
            Self::Sqlite(error) => Error::Backend { action, reason: error.to_string() },
            Self::Postgres(error) => Error::Backend { action, reason: postgres::reason(&error) },
            Self::Refused(error) => error,
            Self::Content(reason) => Error::Backend { action, reason },
        }
    }

    /// Turns the violation of a key into `NameTaken`.
    pub(crate) fn taken(self, what: &'static str, name: impl ToString) -> Self {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(code, _))
                if [SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE]
                    .contains(&code.extended_code) =>
            {
                Self::Refused(Error::NameTaken { what, name: name.to_string() })
            }
            Self::Postgres(sqlx_core::Error::Database(error)) if error.is_unique_violation() => {
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

impl From<sqlx_core::Error> for Failure {
    fn from(error: sqlx_core::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// A row of either database.
pub(crate) trait Row {
    /// What stands in a column.
    fn cell(&self, at: usize) -> Result<Found<'_>, Failure>;
    /// The column's name.
    fn column(&self, at: usize) -> &str;
}

/// The cells of a row, read from left to right in the order of its columns.
pub(crate) struct Cells<'r> {
    row: &'r dyn Row,
    at: usize,
}

/// Reads a row of one column.
pub(crate) fn only<T: Cell>(cells: &mut Cells<'_>) -> Result<T, Failure> {
    cells.next()
}

impl<'r> Cells<'r> {
    pub(crate) fn of(row: &'r dyn Row) -> Self {
        Self { row, at: 0 }
    }

    /// The next cell.
    pub(crate) fn next<T: Cell>(&mut self) -> Result<T, Failure> {
        let found = self.row.cell(self.at)?;
        let read = T::read(found).map_err(|expected| {
            let column = self.row.column(self.at);
            Failure::Content(format!(
                "expected {expected} in column `{column}`, found {}",
                found.name()
            ))
        });
        self.at += 1;
        read
    }

    /// The next cell, which holds JSON.
    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let at = self.at;
        let text: String = self.next()?;
        serde_json::from_str(&text).map_err(|error| {
            let column = self.row.column(at);
            Failure::Content(format!("the JSON in column `{column}` cannot be read: {error}"))
        })
    }

    /// The next cell, which may hold JSON.
    pub(crate) fn json_or_null<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        if self.row.cell(self.at)? == Found::Null {
            self.at += 1;
            return Ok(None);
        }
        self.json().map(Some)
    }
}
