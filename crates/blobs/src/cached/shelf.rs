//! The folder of the files.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use domain::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

use crate::{Area, Key};

/// Where files are that are being fetched; no company's id looks like this.
const WRITING: &str = "writing";

#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    _lock: File,
}

impl Shelf {
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        make(&folder)?;
        let lock = File::open(&folder)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::other(
                "another process keeps its copies there; give each process a folder of its own",
            ),
            fs::TryLockError::Error(error) => error,
        })?;
        // Of a process that died.
        match fs::remove_dir_all(folder.join(WRITING)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => make(&folder.join(WRITING))?,
        }
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self, key: Key) -> PathBuf {
        self.folder.join(key.to_string())
    }

    /// Files of earlier processes and their sizes, the oldest first.
    pub(super) fn found(&self) -> io::Result<Vec<(Key, u64)>> {
        let mut found: Vec<(SystemTime, Key, u64)> = Vec::new();
        for company in names(&self.folder)? {
            let Ok(id) = company.parse() else { continue };
            for &area in Area::ALL {
                let folder = self.folder.join(&company).join(area.as_str());
                for shelf in names(&folder)? {
                    for name in names(&folder.join(&shelf))? {
                        let Ok(parsed) = name.parse() else { continue };
                        let key = Key { company: id, area, name: parsed };
                        let metadata = fs::symlink_metadata(folder.join(&shelf).join(&name))?;
                        if metadata.is_file() && key.name.fan_out() == shelf {
                            found.push((metadata.modified()?, key, metadata.len()));
                        }
                    }
                }
            }
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, key, bytes)| (key, bytes)).collect())
    }

    /// The size of a file, where there is one.
    pub(super) fn length(&self, key: Key) -> Option<u64> {
        let metadata = fs::symlink_metadata(self.path(key)).ok()?;
        metadata.is_file().then_some(metadata.len())
    }

    /// Whether content is what its key says; true of what has no digest of
    /// its own bytes.
    pub(super) fn has_its_digest(&self, key: Key) -> bool {
        let Some(expected) = key.content_digest() else { return true };
        digest(&self.path(key)).is_ok_and(|found| found == expected)
    }

    /// A file to be filled, gone when dropped.
    pub(super) fn begin(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix("")
            .permissions(Permissions::from_mode(0o444))
            .tempfile_in(self.folder.join(WRITING))
    }

    /// Gives a file its place.
    pub(super) fn finish(&self, file: TempPath, key: Key) -> io::Result<()> {
        let path = self.path(key);
        make(path.parent().unwrap_or(&self.folder))?;
        file.persist(path).map_err(|refused| refused.error)
    }

    /// What can't be removed is found again at the next start.
    pub(super) fn remove(&self, key: Key) {
        let _ = fs::remove_file(self.path(key));
    }
}

fn digest(path: &Path) -> io::Result<Digest> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut piece = vec![0; super::PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Digest(hash.finalize().into())),
            read => hash.update(&piece[..read]),
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The names in a folder; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}
