//! A folder as a server leaves it, small enough to look at whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use backup::{Manifest, Options, Passphrase, Places};
use blobs::{Area, Blobs as _, Directory, Key};
use domain::clock::System;
use domain::{Clock as _, CompanyId, Digest};
use rusqlite::Connection;
use store::migrate::Target;
use store::sqlite;
use uuid::Uuid;

pub(crate) const COMPANY: CompanyId = CompanyId(Uuid::from_u128(0xc0));
const ID: [u8; 16] = Uuid::from_u128(0x1d).into_bytes();
/// Larger than a piece that is read at once.
const LARGE: usize = 700_000;

/// The folder, and where in it things are.
pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) places: Places,
    /// An uploaded file that a row refers to.
    pub(crate) file: Key,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        sqlite::migrate(&places.database, &System, Target::Newest).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let directory = Directory::open(&places.blobs).unwrap();
        let content = vec![b'x'; LARGE];
        let mut source: &[u8] = &content;
        let stored = runtime
            .block_on(directory.put_content(COMPANY, Area::File, &mut source, u64::MAX))
            .unwrap();
        let log = Key::id(COMPANY, Area::Log, Uuid::from_u128(7));
        runtime.block_on(directory.put(log, b"said"[..].into())).unwrap();
        let world = Self {
            _folder: folder,
            places,
            file: Key::content(COMPANY, Area::File, stored.digest),
        };
        world.insert(stored.digest);
        world
    }

    fn insert(&self, digest: Digest) {
        let connection = Connection::open(&self.places.database).unwrap();
        let company = COMPANY.0.into_bytes();
        connection
            .execute(
                "INSERT INTO companies (id, name, weight, created_at) VALUES (?, 'acme', 1, 0)",
                [company],
            )
            .unwrap();
        connection
            .execute("INSERT INTO users (id, name, created_at) VALUES (?, 'zoé', 0)", [ID])
            .unwrap();
        connection
            .execute(
                "INSERT INTO memberships (company_id, user_id, role, created_at)
                 VALUES (?, ?, 'member', 0)",
                [company, ID],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO files (company_id, id, user_id, name, media_type, bytes, digest,
                                    created_at)
                 VALUES (?, ?, ?, 'x.csv', 'text/csv', 700000, ?, 0)",
                (company, ID, ID, digest.0),
            )
            .unwrap();
    }

    pub(crate) fn backup(&self, passphrase: Option<&str>) -> (Vec<u8>, Manifest) {
        let mut archive = Vec::new();
        let manifest =
            backup::write(&self.places, &options(passphrase), &mut archive, &mut |_, _| {});
        (archive, manifest.unwrap())
    }
}

pub(crate) fn places(folder: &Path) -> Places {
    Places { database: folder.join("mecapy.db"), blobs: folder.join("blobs") }
}

pub(crate) fn options(passphrase: Option<&str>) -> Options {
    let passphrase = passphrase.map(|words| Passphrase::new(words).unwrap());
    Options { program: "0.0.0".to_owned(), now: System.now(), passphrase }
}

/// Every row of every table, and every object with its bytes.
pub(crate) fn everything(places: &Places) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let connection = Connection::open(&places.database).unwrap();
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut at = 0;
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<_> = (0..columns).map(|c| row.get_ref(c).unwrap()).collect();
            all.insert(format!("{table} {at}"), format!("{cells:?}").into_bytes());
            at += 1;
        }
    }
    for path in files(&places.blobs) {
        let name = path.strip_prefix(&places.blobs).unwrap().display().to_string();
        if !name.starts_with("writing") {
            all.insert(name, fs::read(&path).unwrap());
        }
    }
    all
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}
