//! Applies migrations to a PostgreSQL database.

use domain::{Clock, Timestamp};
use sqlx_core::connection::Connection as _;
use sqlx_core::executor::Executor as _;
use sqlx_core::query::query;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection, Postgres};

use super::link::connect;
use super::{connect_options, reason};
use crate::Error;
use crate::migrate::{Applied, POSTGRES, Step, Target, plan};

const ACTION: &str = "migrate the database";
/// The turn of whoever migrates: two processes that start at once do not both.
const TURN: i64 = 0x6d65_6361_7079;

/// Takes the database that `url` names to `target`; answers the steps that
/// were run. All of them or none: they are one transaction.
pub async fn migrate(url: &str, clock: &dyn Clock, target: Target) -> Result<Vec<Step>, Error> {
    to(&connect_options(url)?, clock.now(), target).await
}

/// The revisions that the database holds, oldest first.
pub async fn status(url: &str) -> Result<Vec<Applied>, Error> {
    read(&connect_options(url)?).await
}

pub(super) async fn check(options: &PgConnectOptions) -> Result<(), Error> {
    crate::migrate::check(POSTGRES, &read(options).await?)
}

async fn read(options: &PgConnectOptions) -> Result<Vec<Applied>, Error> {
    let mut connection = connect(options).await.map_err(failed)?;
    let applied = applied(&mut connection).await;
    let _ = connection.close().await;
    applied.map_err(failed)
}

pub(super) async fn to(
    options: &PgConnectOptions,
    now: Timestamp,
    target: Target,
) -> Result<Vec<Step>, Error> {
    let mut connection = connect(options).await.map_err(failed)?;
    let run = run(&mut connection, now, &target).await;
    let _ = connection.close().await;
    run
}

async fn run(
    connection: &mut PgConnection,
    now: Timestamp,
    target: &Target,
) -> Result<Vec<Step>, Error> {
    let mut transaction = connection.begin().await.map_err(failed)?;
    let begin = format!(
        "SELECT pg_advisory_xact_lock({TURN});
         CREATE TABLE IF NOT EXISTS migrations (
             revision text NOT NULL PRIMARY KEY,
             checksum bytea NOT NULL,
             applied_at bigint NOT NULL
         )"
    );
    transaction.execute(raw_sql(AssertSqlSafe(begin))).await.map_err(failed)?;
    let steps = plan(POSTGRES, &applied(&mut transaction).await.map_err(failed)?, target)?;
    for step in &steps {
        let (sql, note) = match step {
            Step::Up(migration) => (
                migration.up,
                query::<Postgres>(
                    "INSERT INTO migrations (revision, checksum, applied_at) VALUES ($1, $2, $3)",
                )
                .bind(migration.revision)
                .bind(migration.checksum().to_vec())
                .bind(now.0),
            ),
            Step::Down(migration) => (
                migration.down,
                query::<Postgres>("DELETE FROM migrations WHERE revision = $1")
                    .bind(migration.revision),
            ),
        };
        transaction.execute(raw_sql(sql)).await.map_err(failed)?;
        transaction.execute(note).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(steps)
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, sqlx_core::Error> {
    let is_new = query::<Postgres>("SELECT to_regclass('migrations') IS NULL");
    if connection.fetch_one(is_new).await?.try_get(0)? {
        return Ok(Vec::new());
    }
    let all = query::<Postgres>("SELECT revision, checksum FROM migrations ORDER BY revision");
    let rows = connection.fetch_all(all).await?;
    let applied = rows.iter().map(|row| {
        let checksum: Vec<u8> = row.try_get(1)?;
        let checksum = checksum.try_into().map_err(|found: Vec<u8>| {
            let wrong = format!("expected a checksum of 32 bytes, found {}", found.len());
            sqlx_core::Error::Protocol(wrong)
        })?;
        Ok(Applied { revision: row.try_get(0)?, checksum })
    });
    applied.collect()
}

fn failed(error: sqlx_core::Error) -> Error {
    Error::Backend { action: ACTION, reason: reason(&error) }
}
