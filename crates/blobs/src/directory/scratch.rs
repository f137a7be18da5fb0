//! Where files are written before they take their place.
//!
//! Each process has a folder of its own, locked as long as it lives: a folder
//! whose lock can be had is of a process that died, and is swept.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use domain::CompanyId;
use tempfile::NamedTempFile;
use uuid::Uuid;

/// No company's id looks like this.
const FOLDER: &str = "writing";

/// This process's own folder, removed when dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    _lock: File,
}

impl Scratch {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let all = root.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&all)?;
        // Held while folders are judged and made, so that none is swept
        // between its making and its locking.
        let gate = File::open(&all)?;
        gate.lock()?;
        for entry in fs::read_dir(&all)? {
            sweep(&entry?.path())?;
        }
        let folder = tempfile::Builder::new().prefix("").tempdir_in(&all)?.keep();
        let lock = File::open(&folder)?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new file, readable for all once it has its place.
    pub(super) fn file(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix("")
            .permissions(Permissions::from_mode(0o444))
            .tempfile_in(&self.folder)
    }

    /// A new name for a folder that is on its way out.
    pub(super) fn aside(&self, company: CompanyId) -> PathBuf {
        self.folder.join(format!("{company}-{}", Uuid::now_v7()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed now is swept at the next start.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn sweep(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.try_lock() {
        Ok(()) => fs::remove_dir_all(folder),
        Err(fs::TryLockError::WouldBlock) => Ok(()),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}
