//! Migrations of both dialects, and which of them are to be applied.
//!
//! The SQL stands under `migrations/`, one folder for each dialect, with the
//! same revisions in both. What was applied is kept in the database with the
//! checksum of its text: a revision that changed after it was applied, or one
//! that this program does not know, is refused rather than guessed at.

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::url::Location;

/// One step of the schema, forward and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its name, `0001_initial`; revisions are in the order of their names.
    pub revision: &'static str,
    /// The SQL that applies it.
    pub up: &'static str,
    /// The SQL that takes it back, with the data it holds.
    pub down: &'static str,
}

macro_rules! migrations {
    ($dialect:literal: $($revision:literal),*) => {
        &[$(Migration {
            revision: $revision,
            up: include_str!(concat!("../migrations/", $dialect, "/", $revision, ".up.sql")),
            down: include_str!(concat!("../migrations/", $dialect, "/", $revision, ".down.sql")),
        }),*]
    };
}

/// SQLite's migrations, oldest first.
pub const SQLITE: &[Migration] = migrations!("sqlite": "0001_initial", "0002_accounts", "0003_git", "0004_one_sql", "0005_workers");
/// PostgreSQL's migrations, oldest first.
pub const POSTGRES: &[Migration] = migrations!("postgres": "0001_initial", "0002_accounts", "0003_git", "0004_one_sql", "0005_workers");

/// Where a schema is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// At the newest revision that this program knows.
    Newest,
    /// At this revision, whichever way it lies.
    Revision(String),
    /// Before the first: an empty database.
    Empty,
}

/// A revision that a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its name.
    pub revision: String,
    /// SHA-256 of the SQL that applied it.
    pub checksum: [u8; 32],
}

/// What is to be run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Apply this one.
    Up(Migration),
    /// Take this one back.
    Down(Migration),
}

impl Migration {
    /// SHA-256 of the SQL that applies it.
    #[must_use]
    pub fn checksum(&self) -> [u8; 32] {
        Sha256::digest(self.up).into()
    }
}

/// The migrations of a database's dialect.
#[must_use]
pub fn of(location: &Location) -> &'static [Migration] {
    match location {
        Location::Sqlite(_) => SQLITE,
        Location::Postgres(_) => POSTGRES,
    }
}

/// The steps from what is applied to `target`.
pub fn plan(known: &[Migration], applied: &[Applied], target: &Target) -> Result<Vec<Step>, Error> {
    check_history(known, applied)?;
    let wanted = match target {
        Target::Newest => known.len(),
        Target::Empty => 0,
        Target::Revision(name) => {
            let at = known.iter().position(|migration| migration.revision == name);
            at.ok_or_else(|| Error::Schema {
                found: name.clone(),
                expected: range(known),
                remedy: "name a revision that this program knows",
                french: "donnez une révision que ce programme connaît",
            })? + 1
        }
    };
    let up = known.iter().take(wanted).skip(applied.len()).map(|m| Step::Up(*m));
    let down = known.iter().take(applied.len()).skip(wanted).rev().map(|m| Step::Down(*m));
    Ok(up.chain(down).collect())
}

/// Refuses a schema that is not the newest this program knows.
pub fn check(known: &[Migration], applied: &[Applied]) -> Result<(), Error> {
    check_history(known, applied)?;
    if applied.len() < known.len() {
        let remedy = "run `mecapy migrate`, after a backup";
        let french = "lancez `mecapy migrate`, après une sauvegarde";
        return Err(schema(known, applied, remedy, french));
    }
    Ok(())
}

fn check_history(known: &[Migration], applied: &[Applied]) -> Result<(), Error> {
    if applied.len() > known.len() {
        let remedy = "it was made by a newer program: run that one, or take the database back \
                      with that one's `mecapy migrate`";
        let french = "elle vient d’un programme plus récent : lancez celui-ci, ou ramenez la base \
                      avec son `mecapy migrate`";
        return Err(schema(known, applied, remedy, french));
    }
    for (migration, found) in known.iter().zip(applied) {
        if migration.revision != found.revision {
            let remedy = "its history is another one: check that `DATABASE_URL` names a database \
                          of MecaPy";
            let french = "son historique est autre : vérifiez que `DATABASE_URL` désigne une base \
                          de MecaPy";
            return Err(schema(known, applied, remedy, french));
        }
        if migration.checksum() != found.checksum {
            let remedy = "a migration was changed after it was applied: run the program that \
                          applied it, or restore a backup";
            let french = "une migration a changé après son application : lancez le programme qui \
                          l’a appliquée, ou restaurez une sauvegarde";
            return Err(schema(known, applied, remedy, french));
        }
    }
    Ok(())
}

fn schema(
    known: &[Migration],
    applied: &[Applied],
    remedy: &'static str,
    french: &'static str,
) -> Error {
    let found = applied.last().map_or_else(|| "none".to_owned(), |last| last.revision.clone());
    let expected = known.last().map_or("none", |last| last.revision).to_owned();
    Error::Schema { found, expected, remedy, french }
}

fn range(known: &[Migration]) -> String {
    known.iter().map(|migration| migration.revision).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] = &[
        Migration { revision: "0001_a", up: "a", down: "-a" },
        Migration { revision: "0002_b", up: "b", down: "-b" },
        Migration { revision: "0003_c", up: "c", down: "-c" },
    ];

    fn applied(count: usize) -> Vec<Applied> {
        let held = KNOWN.iter().take(count);
        held.map(|m| Applied { revision: m.revision.to_owned(), checksum: m.checksum() }).collect()
    }

    fn steps(count: usize, target: &Target) -> Vec<&'static str> {
        let plan = plan(KNOWN, &applied(count), target).unwrap();
        let sql = |step: &Step| match step {
            Step::Up(migration) => migration.up,
            Step::Down(migration) => migration.down,
        };
        plan.iter().map(sql).collect()
    }

    #[test]
    fn a_schema_goes_up_and_down_to_whatever_is_named() {
        let second = Target::Revision("0002_b".to_owned());
        assert_eq!(steps(0, &Target::Newest), ["a", "b", "c"]);
        assert_eq!(steps(0, &second), ["a", "b"]);
        assert_eq!(steps(1, &Target::Newest), ["b", "c"]);
        assert_eq!(steps(3, &second), ["-c"]);
        assert_eq!(steps(3, &Target::Empty), ["-c", "-b", "-a"]);
        assert_eq!(steps(3, &Target::Newest), [""; 0]);
    }

    #[test]
    fn what_is_unknown_or_was_changed_is_refused_with_a_remedy() {
        let remedy = |known: &[Migration], applied: &[Applied], target: &Target| match plan(
            known, applied, target,
        ) {
            Err(Error::Schema { remedy, .. }) => remedy,
            other => panic!("expected a refusal, found {other:?}"),
        };
        assert!(remedy(&KNOWN[..2], &applied(3), &Target::Newest).contains("newer program"));
        let mut changed = applied(2);
        changed[0].checksum[0] ^= 1;
        assert!(remedy(KNOWN, &changed, &Target::Newest).contains("changed"));
        let mut other = applied(1);
        other[0].revision = "0001_z".to_owned();
        assert!(remedy(KNOWN, &other, &Target::Newest).contains("DATABASE_URL"));
        let unknown = Target::Revision("0009_z".to_owned());
        assert!(remedy(KNOWN, &applied(1), &unknown).contains("knows"));
        assert!(matches!(check(KNOWN, &applied(2)), Err(Error::Schema { .. })));
        check(KNOWN, &applied(3)).unwrap();
    }

    #[test]
    fn both_dialects_have_the_same_revisions_in_order() {
        let names = |known: &[Migration]| known.iter().map(|m| m.revision).collect::<Vec<_>>();
        assert_eq!(names(SQLITE), names(POSTGRES));
        assert!(names(SQLITE).is_sorted());
    }
}
