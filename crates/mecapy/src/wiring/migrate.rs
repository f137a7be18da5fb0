//! What is done before a database is migrated.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use store::Error;
use store::migrate::{SQLITE, Step, Target, plan};
use store::sqlite::{self, Snapshot};

/// The steps that lead the database to `target`; none where there is no
/// database yet.
pub(crate) fn pending(database: &Path, target: &Target) -> Result<Vec<Step>, Error> {
    if !database.is_file() {
        return Ok(Vec::new());
    }
    plan(SQLITE, &sqlite::status(database)?, target)
}

/// Keeps a copy of the database beside it where it has data and steps are to
/// be run: a migration that was a mistake must not be the end of the data.
/// Objects are left alone by migrations, so the copy is of the database alone.
pub(crate) fn keep_copy(database: &Path, target: &Target) -> Result<Option<PathBuf>, Error> {
    let steps = pending(database, target)?;
    let Some(first) = steps.first() else { return Ok(None) };
    if sqlite::status(database)?.is_empty() {
        return Ok(None);
    }
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
