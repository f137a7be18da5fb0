//! The whole database at one instant: copied while others write, and looked
//! through before it is trusted.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use domain::{CompanyId, Digest, Timestamp};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrate;
use crate::Error;
use crate::migrate::{Applied, SQLITE, Target};
use crate::sql::rows::{Cells, Connection as Either, Db, Failure, bind, only};

const COPY: &str = "copy the database";
const READ: &str = "read the copy of the database";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages between two reports of progress: 4 MiB.
const STEP: std::ffi::c_int = 1024;

/// The database as it was when this was taken, whatever is written meanwhile.
/// The log can't start anew while it is held, so it is held for a copy and no
/// longer.
#[derive(Debug)]
pub struct Snapshot(Connection);

impl Snapshot {
    /// Takes the database file at `path`. Blocks; writers don't wait for it.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let take = || -> Result<Self, Failure> {
            // Not read-only: a reader in WAL mode writes its mark to the
            // shared memory beside the file.
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.execute_batch("BEGIN")?;
            // The transaction reads from here on, and not from its `BEGIN`.
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(Self(connection))
        };
        take().map_err(|e| e.at(COPY))
    }

    /// Writes it to the file `target`, which must not exist; `progress` learns
    /// how many bytes of how many are written.
    pub fn copy_to(self, target: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Error> {
        let mut copy = || -> Result<(), Failure> {
            let page: u32 = self.0.query_row("PRAGMA page_size", [], |row| row.get(0))?;
            let mut target = Connection::open(target)?;
            let backup = Backup::new(&self.0, &mut target)?;
            loop {
                match backup.step(STEP)? {
                    StepResult::Done => return Ok(()),
                    StepResult::More => {
                        let pages = backup.progress();
                        let bytes = |pages| u64::try_from(pages).unwrap_or(0) * u64::from(page);
                        progress(bytes(pages.pagecount - pages.remaining), bytes(pages.pagecount));
                    }
                    // Neither file is anybody else's to lock.
                    _ => return Err(Failure::Content("the database is locked".to_owned())),
                }
            }
        };
        copy().map_err(|e| e.at(COPY))
    }
}

/// What a copy of the database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its newest revision; `None` for a database that was never migrated.
    pub revision: Option<String>,
    /// Each table and the number of its rows, by name.
    pub rows: Vec<(String, u64)>,
    /// The objects that its rows refer to, without doubles.
    pub references: Vec<Reference>,
}

/// An object that a row refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The owning company.
    pub company: CompanyId,
    /// What it is.
    pub object: Object,
    /// Its digest.
    pub digest: Digest,
}

/// What kind of object a row refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// The archive of a version; the digest is of its sorted contents.
    Archive,
    /// The archive of a deployment that has not ended.
    Upload,
    /// Inputs too large for their row.
    Inputs,
    /// A result too large for its row.
    Result,
    /// An uploaded file.
    File,
    /// A file that a run produced.
    Artifact,
}

/// Which rows refer to objects; what was deleted does not any more.
const REFERENCES: &[(Object, &str)] = &[
    (Object::Archive, "SELECT DISTINCT company_id, archive FROM versions"),
    (
        Object::Upload,
        "SELECT DISTINCT company_id, upload FROM deployments WHERE status = 'running'",
    ),
    (
        Object::Inputs,
        "SELECT DISTINCT i.company_id, i.digest FROM task_inputs i
         JOIN tasks t ON t.company_id = i.company_id AND t.id = i.task_id
         WHERE i.body IS NULL AND i.digest IS NOT NULL AND t.deleted_at IS NULL",
    ),
    (
        Object::Result,
        "SELECT DISTINCT company_id, result_digest FROM tasks
         WHERE result IS NULL AND result_digest IS NOT NULL AND deleted_at IS NULL",
    ),
    (Object::File, "SELECT DISTINCT company_id, digest FROM files"),
    (
        Object::Artifact,
        "SELECT DISTINCT a.company_id, a.digest FROM artifacts a
         JOIN tasks t ON t.company_id = a.company_id AND t.id = a.task_id
         WHERE t.deleted_at IS NULL",
    ),
];

/// Reads a copy that nobody else uses: whether it is whole, whether this
/// program knows its schema, and what it holds. The file may come from
/// anybody: nothing that is stored in it is executed.
pub fn contents(path: &Path) -> Result<Contents, Error> {
    read(path).map_err(|e| e.at(READ))
}

fn read(path: &Path) -> Result<Contents, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    let applied = migrate::applied(&connection)?;
    // Refuses a history that this program does not know.
    crate::migrate::plan(SQLITE, &applied, &Target::Newest)?;
    let db = Db { connection: Either::Sqlite(&connection), now: Timestamp(0) };
    let tables = same_schema(&db, &applied)?;
    check(&db)?;
    let mut rows = Vec::new();
    for table in tables {
        let count = db.one(&format!("SELECT count(*) FROM \"{table}\""), bind![], only::<i64>)?;
        rows.push((table, count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0)));
    }
    let references = if applied.is_empty() { Vec::new() } else { references(&db)? };
    Ok(Contents { revision: applied.last().map(|last| last.revision.clone()), rows, references })
}

fn references(db: &Db<'_>) -> Result<Vec<Reference>, Failure> {
    let mut all = Vec::new();
    for &(object, sql) in REFERENCES {
        all.extend(db.all(sql, bind![], |cells| {
            Ok(Reference { company: cells.next()?, object, digest: cells.next()? })
        })?);
    }
    Ok(all)
}

/// Refuses tables, triggers and views that the migrations did not make;
/// answers the tables' names.
fn same_schema(db: &Db<'_>, applied: &[Applied]) -> Result<Vec<String>, Failure> {
    let mut made = Connection::open_in_memory()?;
    if let Some(last) = applied.last() {
        migrate::to(&mut made, db.now, Target::Revision(last.revision.clone()))?;
    }
    let expected = schema(&Db { connection: Either::Sqlite(&made), now: db.now })?;
    let found = schema(db)?;
    let different = expected.symmetric_difference(&found).next();
    if let Some((kind, name)) = different {
        let state =
            if found.contains(&(kind.clone(), name.clone())) { "unknown" } else { "missing" };
        return Err(Failure::Content(format!("its schema was changed: {state} {kind} `{name}`")));
    }
    Ok(found.into_iter().filter_map(|(kind, name)| (kind == "table").then_some(name)).collect())
}

/// Kind and name of everything in a schema but what SQLite keeps for itself.
fn schema(db: &Db<'_>) -> Result<BTreeSet<(String, String)>, Failure> {
    let all = db.all(
        "SELECT CASE WHEN sql LIKE 'create virtual%' THEN 'virtual table' ELSE type END, name
         FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        bind![],
        |cells: &mut Cells<'_>| Ok((cells.next()?, cells.next()?)),
    )?;
    Ok(all.into_iter().collect())
}

fn check(db: &Db<'_>) -> Result<(), Failure> {
    let said: Vec<String> = db.all("PRAGMA integrity_check(1)", bind![], only)?;
    if said != ["ok"] {
        return Err(Failure::Content(format!("it is damaged: {}", said.join("; "))));
    }
    let dangling =
        db.one("SELECT \"table\" FROM pragma_foreign_key_check", bind![], only::<String>)?;
    match dangling {
        Some(table) => {
            Err(Failure::Content(format!("it is damaged: a row of `{table}` refers to nothing")))
        }
        None => Ok(()),
    }
}
