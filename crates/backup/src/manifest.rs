//! What an archive says about itself.

use std::collections::BTreeMap;

use blobs::{Area, Key};
use domain::{CompanyId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::sqlite::{Object, Reference};

use crate::Error;

/// The format that this program writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;
/// The first member.
pub(crate) const HEAD: &str = "mecapy-backup.json";
/// The second member.
pub(crate) const DATABASE: &str = "database";
/// The last member.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Before the key of an object.
pub(crate) const BLOBS: &str = "blobs/";

/// The first member of an archive: what will come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format of the archive.
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The newest revision of the database's schema; `null` where it has none.
    pub revision: Option<String>,
    /// The instant whose state it holds.
    pub created_at: Timestamp,
    /// The size of the database in bytes.
    pub database_bytes: u64,
    /// The number of objects.
    pub objects: u64,
    /// The size of all objects in bytes.
    pub objects_bytes: u64,
}

/// The last member of an archive: what came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The first member once more.
    pub head: Head,
    /// The number of rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Objects that rows refer to and that were not there: the folder was
    /// damaged before the backup.
    pub missing: Vec<String>,
    /// The members between the first and the last, in their order.
    pub members: Vec<Member>,
}

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its path in the archive.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// What a member between the first and the last is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Database,
    Object(Key),
}

impl Place {
    /// Reads a member's path. Nothing but the one way of writing each path is
    /// read, so no path leads anywhere else.
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        if name == DATABASE {
            return Ok(Self::Database);
        }
        name.strip_prefix(BLOBS).and_then(key).map(Self::Object).ok_or_else(|| Error::Foreign {
            member: name.chars().take(200).collect(),
            found: "a path that no backup has",
        })
    }
}

fn key(path: &str) -> Option<Key> {
    let mut parts = path.split('/');
    let company: CompanyId = parts.next()?.parse().ok()?;
    let word = parts.next()?;
    let area = Area::ALL.iter().copied().find(|area| area.as_str() == word)?;
    let name = parts.nth(1)?.parse().ok()?;
    let key = Key { company, area, name };
    (key.to_string() == path).then_some(key)
}

/// The key of an object that a row refers to.
pub(crate) fn referred(reference: &Reference) -> Key {
    let Reference { company, object, digest } = *reference;
    match object {
        Object::Archive => Key::digest(company, Area::Archive, digest),
        Object::Upload => Key::content(company, Area::Upload, digest),
        Object::Inputs => Key::content(company, Area::Inputs, digest),
        Object::Result => Key::content(company, Area::Result, digest),
        Object::File => Key::content(company, Area::File, digest),
        Object::Artifact => Key::content(company, Area::Artifact, digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_paths_of_objects_are_read() {
        let company = "0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506";
        let digest = "ab".repeat(32);
        let object = format!("blobs/{company}/result/ab/{digest}");
        assert!(matches!(Place::parse(&object), Ok(Place::Object(_))));
        assert_eq!(Place::parse("database").ok(), Some(Place::Database));
        for path in [
            "../database",
            "/database",
            "database/",
            "blobs/../../etc/passwd",
            &format!("blobs/{company}/result/ab/../{digest}"),
            &format!("blobs/{company}/result/cd/{digest}"),
            &format!("blobs/{company}/other/ab/{digest}"),
            &format!("blobs/{}/result/ab/{digest}", company.to_uppercase()),
            &format!("{object}/x"),
            &format!("./{object}"),
        ] {
            let refused = Place::parse(path);
            assert!(matches!(refused, Err(Error::Foreign { .. })), "{path}: {refused:?}");
        }
    }
}
