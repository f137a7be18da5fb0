//! Statements and rows of SQLite.

use rusqlite::types::{ToSql, ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{Connection, params_from_iter};

use crate::sql::Failure;
use crate::sql::rows::{Cells, Row};
use crate::sql::value::{Found, Value};

/// Prepared statements kept by a connection: more than there are in this
/// crate, so that none is ever prepared twice.
pub(super) const STATEMENTS: usize = 128;

/// Runs a statement; answers the number of rows it changed.
pub(crate) fn execute(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
) -> Result<u64, Failure> {
    Ok(connection.prepare_cached(sql)?.execute(params_from_iter(values))? as u64)
}

/// The first row, where there is one.
pub(crate) fn one<T>(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
    read: impl FnOnce(&mut Cells<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let read = read(&mut Cells::of(row))?;
    // A statement that changes rows takes effect once it was stepped to its
    // end.
    while rows.next()?.is_some() {}
    Ok(Some(read))
}

/// All rows.
pub(crate) fn all<T>(
    connection: &Connection,
    sql: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&mut Cells<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(&mut Cells::of(row))?);
    }
    Ok(all)
}

/// Truth values are numbers here, ids are bytes, and JSON is text.
impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null(_) => ToSqlOutput::Owned(Stored::Null),
            Self::Integer(number) => ToSqlOutput::Owned(Stored::Integer(*number)),
            Self::Real(number) => ToSqlOutput::Owned(Stored::Real(*number)),
            Self::Truth(truth) => ToSqlOutput::Owned(Stored::Integer(i64::from(*truth))),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Json(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Id(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
        })
    }
}

impl Row for rusqlite::Row<'_> {
    fn cell(&self, at: usize) -> Result<Found<'_>, Failure> {
        Ok(match self.get_ref(at)? {
            ValueRef::Null => Found::Null,
            ValueRef::Integer(number) => Found::Integer(number),
            ValueRef::Real(number) => Found::Real(number),
            ValueRef::Blob(bytes) => Found::Bytes(bytes),
            ValueRef::Text(text) => Found::Text(std::str::from_utf8(text).map_err(|_| {
                Failure::Content(format!("column `{}` is no UTF-8", self.column(at)))
            })?),
        })
    }

    fn column(&self, at: usize) -> &str {
        self.as_ref().column_name(at).unwrap_or("?")
    }
}
