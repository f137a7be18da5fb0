//! Applies migrations to a SQLite file.

use std::path::Path;
use std::time::Duration;

use domain::{Clock, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use super::connect;
use crate::Error;
use crate::migrate::{Applied, SQLITE, Step, Target, plan};
use crate::sql::rows::{Connection as Either, Db, Failure, bind, only};

const ACTION: &str = "migrate the database";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Takes the database at `path` to `target`; answers the steps that were run.
/// All of them or none: they are one transaction.
pub fn migrate(path: &Path, clock: &dyn Clock, target: Target) -> Result<Vec<Step>, Error> {
    let mut connection = connect(path, BUSY_TIMEOUT).map_err(|e| e.at(ACTION))?;
    to(&mut connection, clock.now(), target)
}

/// The revisions that the database at `path` holds, oldest first.
pub fn status(path: &Path) -> Result<Vec<Applied>, Error> {
    let connection = connect(path, BUSY_TIMEOUT).map_err(|e| e.at(ACTION))?;
    applied(&connection).map_err(|e| e.at(ACTION))
}

pub(super) fn check(connection: &Connection) -> Result<(), Error> {
    crate::migrate::check(SQLITE, &applied(connection).map_err(|e| e.at(ACTION))?)
}

pub(super) fn to(
    connection: &mut Connection,
    now: Timestamp,
    target: Target,
) -> Result<Vec<Step>, Error> {
    run(connection, now, &target).map_err(|e| e.at(ACTION))
}

fn run(connection: &mut Connection, now: Timestamp, target: &Target) -> Result<Vec<Step>, Failure> {
    // What is applied is read under the write lock: two processes that start
    // at once do not both migrate.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (
             revision TEXT NOT NULL PRIMARY KEY,
             checksum BLOB NOT NULL,
             applied_at INTEGER NOT NULL
         ) STRICT",
    )?;
    let steps = plan(SQLITE, &applied(&transaction)?, target)?;
    let db = Db { connection: Either::Sqlite(&transaction), now };
    for step in &steps {
        match step {
            Step::Up(migration) => {
                transaction.execute_batch(migration.up)?;
                db.execute(
                    "INSERT INTO migrations (revision, checksum, applied_at) VALUES (?, ?, ?)",
                    bind![migration.revision, migration.checksum()[..], now],
                )?;
            }
            Step::Down(migration) => {
                transaction.execute_batch(migration.down)?;
                db.execute("DELETE FROM migrations WHERE revision = ?", bind![migration.revision])?;
            }
        }
    }
    transaction.commit()?;
    Ok(steps)
}

pub(super) fn applied(connection: &Connection) -> Result<Vec<Applied>, Failure> {
    let db = Db { connection: Either::Sqlite(connection), now: Timestamp(0) };
    let found = db.one(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'",
        bind![],
        only::<i64>,
    )?;
    if found != Some(1) {
        return Ok(Vec::new());
    }
    db.all("SELECT revision, checksum FROM migrations ORDER BY revision", bind![], |cells| {
        let revision = cells.next()?;
        let checksum: Vec<u8> = cells.next()?;
        let checksum = checksum.try_into().map_err(|found: Vec<u8>| {
            Failure::Content(format!("expected a checksum of 32 bytes, found {}", found.len()))
        })?;
        Ok(Applied { revision, checksum })
    })
}
