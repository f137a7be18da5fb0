//! Statements and rows of PostgreSQL.

use std::cell::RefCell;

use sqlx_core::arguments::Arguments as _;
use sqlx_core::column::Column as _;
use sqlx_core::encode::{Encode, IsNull};
use sqlx_core::error::BoxDynError;
use sqlx_core::executor::Executor as _;
use sqlx_core::query::{Query, query_with};
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_core::types::Type as _;
use sqlx_core::value::ValueRef as _;
use sqlx_postgres::types::Oid;
use sqlx_postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, PgValueRef, Postgres};
use uuid::Uuid;

use super::link::{Link, is_lost};
use crate::sql::Failure;
use crate::sql::rows::{Cells, Row};
use crate::sql::value::{Found, Type, Value};

/// PostgreSQL's number for its type `json`.
const JSON: Oid = Oid(114);

/// What becomes of a statement whose connection ended under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It failed, and its transaction with it.
    Failed,
    /// It only reads, and is asked again on a new connection.
    AskedAgain,
}

/// A connection for statements that block; its thread is one that may.
pub(crate) struct Session<'c> {
    link: RefCell<&'c mut Link>,
    lost: Lost,
}

impl<'c> Session<'c> {
    pub(super) fn new(link: &'c mut Link, lost: Lost) -> Self {
        Self { link: RefCell::new(link), lost }
    }

    /// Runs a statement; answers the number of rows it changed.
    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Failure> {
        let query = prepared(sql, values)?;
        let mut link = self.link.borrow_mut();
        let done = link.with(async |connection| connection.execute(query).await)?;
        Ok(done.rows_affected())
    }

    /// The first row, where there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&mut Cells<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let rows = self.rows(sql, values)?;
        rows.first().map(|row| read(&mut Cells::of(row))).transpose()
    }

    /// All rows.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&mut Cells<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let rows = self.rows(sql, values)?;
        rows.iter().map(|row| read(&mut Cells::of(row))).collect()
    }

    fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<PgRow>, Failure> {
        let mut link = self.link.borrow_mut();
        let ask = |link: &mut Link| {
            let query = prepared(sql, values)?;
            Ok::<_, Failure>(link.with(async |connection| connection.fetch_all(query).await))
        };
        let mut rows = ask(&mut link)?;
        if self.lost == Lost::AskedAgain && rows.as_ref().is_err_and(is_lost) {
            link.lose();
            link.begin("")?;
            rows = ask(&mut link)?;
        }
        Ok(rows?)
    }
}

fn prepared(
    sql: &str,
    values: &[Value<'_>],
) -> Result<Query<'static, Postgres, PgArguments>, Failure> {
    let mut arguments = PgArguments::default();
    for value in values {
        arguments.add(value).map_err(sqlx_core::Error::Encode)?;
    }
    Ok(query_with(AssertSqlSafe(numbered(sql)), arguments))
}

/// The statement with `$1` where it says `?` or `?1`. None of ours has a
/// question mark in a text.
fn numbered(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let mut given = 0;
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('?') {
        numbered.push_str(before);
        numbered.push('$');
        if !after.starts_with(|c: char| c.is_ascii_digit()) {
            given += 1;
            numbered.push_str(&given.to_string());
        }
        rest = after;
    }
    numbered.push_str(rest);
    numbered
}

impl sqlx_core::types::Type<Postgres> for Value<'_> {
    fn type_info() -> PgTypeInfo {
        // Each value says its own.
        <str as sqlx_core::types::Type<Postgres>>::type_info()
    }
}

impl<'q> Encode<'q, Postgres> for Value<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self {
            Self::Null(_) => Ok(IsNull::Yes),
            Self::Integer(number) => Encode::<Postgres>::encode_by_ref(number, buffer),
            Self::Real(number) => Encode::<Postgres>::encode_by_ref(number, buffer),
            Self::Truth(truth) => Encode::<Postgres>::encode_by_ref(truth, buffer),
            Self::Text(text) => Encode::<Postgres>::encode_by_ref(&text.as_ref(), buffer),
            Self::Json(text) => Encode::<Postgres>::encode_by_ref(&text.as_str(), buffer),
            Self::Bytes(bytes) => Encode::<Postgres>::encode_by_ref(bytes, buffer),
            Self::Id(id) => Encode::<Postgres>::encode_by_ref(*id, buffer),
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        let of = match self {
            Self::Null(of) => *of,
            Self::Integer(_) => Type::Integer,
            Self::Real(_) => Type::Real,
            Self::Truth(_) => Type::Truth,
            Self::Text(_) => Type::Text,
            Self::Json(_) => Type::Json,
            Self::Bytes(_) => Type::Bytes,
            Self::Id(_) => Type::Id,
        };
        Some(match of {
            Type::Integer => i64::type_info(),
            Type::Real => f64::type_info(),
            Type::Truth => bool::type_info(),
            Type::Text => str::type_info(),
            Type::Json => PgTypeInfo::with_oid(JSON),
            Type::Bytes => <[u8]>::type_info(),
            Type::Id => Uuid::type_info(),
        })
    }
}

impl Row for PgRow {
    fn cell(&self, at: usize) -> Result<Found<'_>, Failure> {
        let value = self.try_get_raw(at)?;
        if value.is_null() {
            return Ok(Found::Null);
        }
        found(&value).map_err(|error| {
            Failure::Content(format!("column `{}` can't be read: {error}", Row::column(self, at)))
        })
    }

    fn column(&self, at: usize) -> &str {
        self.columns().get(at).map_or("?", |column| column.name())
    }
}

fn found<'r>(value: &PgValueRef<'r>) -> Result<Found<'r>, BoxDynError> {
    fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], BoxDynError> {
        Ok(bytes.try_into()?)
    }
    let bytes = value.as_bytes()?;
    let of = value.type_info();
    // Numbers come in network order.
    Ok(match sqlx_core::type_info::TypeInfo::name(of.as_ref()) {
        "INT8" => Found::Integer(i64::from_be_bytes(fixed(bytes)?)),
        "INT4" => Found::Integer(i32::from_be_bytes(fixed(bytes)?).into()),
        "FLOAT8" => Found::Real(f64::from_be_bytes(fixed(bytes)?)),
        "BOOL" => Found::Truth(bytes != [0]),
        "UUID" => Found::Id(Uuid::from_slice(bytes)?),
        "BYTEA" => Found::Bytes(bytes),
        "TEXT" | "VARCHAR" | "NAME" | "JSON" => Found::Text(value.as_str()?),
        other => return Err(format!("its type is {other}, which nothing here has").into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_get_the_numbers_that_postgresql_wants() {
        assert_eq!(numbered("a = ? AND b = ? LIMIT ?"), "a = $1 AND b = $2 LIMIT $3");
        assert_eq!(
            numbered("a = ?2 AND (?1 IS NULL OR b < ?1)"),
            "a = $2 AND ($1 IS NULL OR b < $1)"
        );
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
    }
}
