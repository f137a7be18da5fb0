//! What is done before a database is migrated.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use domain::clock;
use store::migrate::{self, Applied, Step, Target, plan};
use store::sqlite::Snapshot;
use store::url::Location;
use store::{Error, postgres, sqlite};

/// The steps that lead the database to `target`; none where there is no
/// database yet.
pub(crate) fn pending(database: &Location, target: &Target) -> Result<Vec<Step>, Error> {
    plan(migrate::of(database), &applied(database)?, target)
}

/// The revisions that a database holds; none where there is no database yet.
pub(crate) fn applied(database: &Location) -> Result<Vec<Applied>, Error> {
    match database {
        Location::Sqlite(file) if !file.is_file() => Ok(Vec::new()),
        Location::Sqlite(file) => sqlite::status(file),
        Location::Postgres(url) => wait_for(postgres::status(url.reveal())),
    }
}

/// Leads the database to `target`; answers the steps.
pub(crate) fn migrate(database: &Location, target: Target) -> Result<Vec<Step>, Error> {
    match database {
        Location::Sqlite(file) => sqlite::migrate(file, &clock::System, target),
        Location::Postgres(url) => {
            wait_for(postgres::migrate(url.reveal(), &clock::System, target))
        }
    }
}

fn wait_for<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let fail = |error: std::io::Error| Error::Backend {
        action: "prepare to reach PostgreSQL",
        reason: error.to_string(),
    };
    runtime.map_err(fail)?.block_on(answer)
}

/// Keeps a copy of a database file beside it where it has data and steps are to
/// be run: a migration that was a mistake must not be the end of the data.
/// Objects are left alone by migrations, so the copy is of the database alone.
/// On PostgreSQL, whose steps are one transaction, the operator keeps it.
pub(crate) fn keep_copy(database: &Location, target: &Target) -> Result<Option<PathBuf>, Error> {
    let Location::Sqlite(file) = database else { return Ok(None) };
    let steps = pending(database, target)?;
    let Some(first) = steps.first() else { return Ok(None) };
    if applied(database)?.is_empty() {
        return Ok(None);
    }
    let database = file;
    let copy = beside(database, &name(first));
    let partial = beside(&copy, ".partial");
    let fail = |error: std::io::Error| Error::Backend {
        action: "keep a copy of the database before it is migrated",
        reason: error.to_string(),
    };
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    Snapshot::take(database)?.copy_to(&partial, &mut |_, _| {})?;
    std::fs::File::open(&partial).and_then(|file| file.sync_all()).map_err(fail)?;
    std::fs::rename(&partial, &copy).map_err(fail)?;
    Ok(Some(copy))
}

fn name(first: &Step) -> String {
    match first {
        Step::Up(migration) => format!(".before-{}", migration.revision),
        Step::Down(migration) => format!(".with-{}", migration.revision),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}
