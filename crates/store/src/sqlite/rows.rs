//! Between rows and records: binding, reading, and what can fail at it.

use domain::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use serde::de::DeserializeOwned;

use super::cells::Cell;
pub(super) use super::cells::{Json, JsonOrNull};
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
    ($($value:expr),* $(,)?) => { &[$($crate::sqlite::cells::Bind::bind(&$value)),*][..] };
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
