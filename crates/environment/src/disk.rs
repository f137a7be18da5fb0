//! Environments on disk: where each lies, what it says of itself, and the
//! lock that keeps builders and users of one apart.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::lock::Lock;

/// A finished environment. While a clone of it lives, no process of this
/// machine collects it as garbage.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The digest of its lock.
    pub digest: Digest,
    /// The folder of its packages, to be bound read-only and put on
    /// `sys.path`.
    pub site: PathBuf,
    /// The log of its build.
    pub build_log: PathBuf,
    /// What it holds.
    pub description: Arc<Description>,
    pub(crate) _lease: Arc<Lease>,
}

/// What an environment says of itself. Its presence in an environment's
/// folder marks a whole one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The lock that it was built from.
    pub lock: Lock,
    /// Size of all files in bytes, each hard-linked file counted in full.
    pub bytes: u64,
    /// Number of files and folders.
    pub files: u64,
    /// Number of compiled modules.
    pub bytecode: u64,
    /// When the build ended.
    pub built_at: Timestamp,
    /// How long it took, in milliseconds.
    pub build_ms: u64,
    /// The version of `uv` that installed it.
    pub uv: String,
}

/// The paths below the folder of all environments.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) root: PathBuf,
}

impl Places {
    pub(crate) fn folder(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.hex())
    }

    pub(crate) fn site(&self, digest: &Digest) -> PathBuf {
        self.folder(digest).join("site")
    }

    pub(crate) fn build_log(&self, digest: &Digest) -> PathBuf {
        self.folder(digest).join("build.log")
    }

    /// The last log of this environment's failed builds.
    pub(crate) fn failed_log(&self, digest: &Digest) -> PathBuf {
        self.root.join("failed").join(format!("{}.log", digest.hex()))
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    fn lock_file(&self, digest: &Digest) -> PathBuf {
        self.root.join("locks").join(digest.hex())
    }

    /// Makes the folders that everything else expects.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        for folder in ["locks", "scratch", "failed", "base"] {
            let folder = self.root.join(folder);
            fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        }
        Ok(())
    }

    /// The finished environments, by the digests that their folders name.
    pub(crate) fn finished(&self) -> io::Result<Vec<Digest>> {
        let mut finished: Vec<Digest> = fs::read_dir(&self.root)?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        finished.sort();
        Ok(finished)
    }
}

/// A lock on one environment, shared by its users and exclusive for who
/// builds or removes it. The system gives it back when the process ends.
#[derive(Debug)]
pub(crate) struct Lease(File);

impl Lease {
    /// For users. `None` while somebody builds or removes the environment.
    pub(crate) fn shared(places: &Places, digest: &Digest) -> io::Result<Option<Self>> {
        Self::take(places, digest, File::try_lock_shared)
    }

    /// For who builds or removes. `None` while anybody else has the lock.
    pub(crate) fn exclusive(places: &Places, digest: &Digest) -> io::Result<Option<Self>> {
        Self::take(places, digest, File::try_lock)
    }

    fn take(
        places: &Places,
        digest: &Digest,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> io::Result<Option<Self>> {
        let path = places.lock_file(digest);
        loop {
            let file =
                File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
            match lock(&file) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever removed the environment removed this file with it, and
            // a lock on the removed file would keep nobody out.
            let same = fs::metadata(&path).is_ok_and(|named| {
                file.metadata()
                    .is_ok_and(|held| (held.dev(), held.ino()) == (named.dev(), named.ino()))
            });
            if same {
                return Ok(Some(Self(file)));
            }
        }
    }

    /// A second handle on the same lock, for a child process to hold.
    pub(crate) fn for_a_child(&self) -> io::Result<File> {
        self.0.try_clone()
    }

    /// Removes the lock's own file; only with an exclusive lock, and last.
    pub(crate) fn remove(self, places: &Places, digest: &Digest) -> io::Result<()> {
        fs::remove_file(places.lock_file(digest))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Closing is not enough: a child that was just forked, for whatever
        // purpose, has a copy of the file until it starts its program.
        let _ = self.0.unlock();
    }
}

/// Opens a finished environment; `None` where there is none that is whole.
pub(crate) fn open(places: &Places, digest: &Digest) -> Result<Option<Environment>, Error> {
    let lock_file = places.lock_file(digest);
    let lease = Lease::shared(places, digest).map_err(Error::io("lock", &lock_file))?;
    let Some(lease) = lease else { return Ok(None) };
    let Some(description) = describe(places, digest) else { return Ok(None) };
    Ok(Some(Environment {
        digest: *digest,
        site: places.site(digest),
        build_log: places.build_log(digest),
        description: Arc::new(description),
        _lease: Arc::new(lease),
    }))
}

const DESCRIPTION: &str = "environment.json";

/// Reads a description; `None` where it is absent or not this environment's.
pub(crate) fn describe(places: &Places, digest: &Digest) -> Option<Description> {
    let text = fs::read(places.folder(digest).join(DESCRIPTION)).ok()?;
    let description: Description = serde_json::from_slice(&text).ok()?;
    (description.lock.digest == *digest).then_some(description)
}

/// Writes the mark of a whole environment into `folder`.
pub(crate) fn mark_whole(folder: &Path, description: &Description) -> io::Result<()> {
    let file = File::create(folder.join(DESCRIPTION))?;
    serde_json::to_writer_pretty(&file, description)?;
    file.sync_all()
}

const USED: &str = "used";

/// The last time that an environment was opened.
pub(crate) fn last_used(places: &Places, digest: &Digest) -> Timestamp {
    let text = fs::read_to_string(places.folder(digest).join(USED)).unwrap_or_default();
    Timestamp(text.trim().parse().unwrap_or(0))
}

/// Notes that an environment is used now, at most once a minute on disk.
pub(crate) fn note_use(places: &Places, digest: &Digest, now: Timestamp) {
    let noted = last_used(places, digest);
    if now.since(noted).as_secs() >= 60 || noted > now {
        note_use_in(&places.folder(digest), now);
    }
}

pub(crate) fn note_use_in(folder: &Path, now: Timestamp) {
    // A stamp that can't be written only makes the environment look older to
    // the garbage collection.
    let _ = fs::write(folder.join(USED), now.0.to_string());
}

/// Size and number of what lies below a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
}

impl Extent {
    /// Refuses what exceeds `most`.
    pub(crate) fn within(self, most: Self) -> Result<(), Error> {
        if self.bytes > most.bytes {
            return Err(Error::TooLarge { limit_bytes: most.bytes, measured_bytes: self.bytes });
        }
        if self.files > most.files {
            return Err(Error::TooManyFiles { limit: most.files, measured: self.files });
        }
        Ok(())
    }
}

/// Measures a folder without following links. What vanishes meanwhile is not
/// counted; the rest of an overfull folder is not looked at.
pub(crate) fn extent(folder: &Path, most: Extent) -> Extent {
    let mut total = Extent::default();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            total.files += 1;
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                total.bytes += found.len();
            }
            if total.bytes > most.bytes || total.files > most.files {
                return total;
            }
        }
    }
    total
}

/// Makes everything readable for the sandbox's users and nothing writable or
/// privileged, and refuses what a wheel can't hold.
pub(crate) fn settle(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        set_mode(&folder, 0o755)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.is_file() {
                let executable = found.permissions().mode() & 0o111 != 0;
                set_mode(&entry.path(), if executable { 0o755 } else { 0o644 })?;
            } else {
                let message = format!("{} is no regular file", entry.path().display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.permissions().mode() & 0o7777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
