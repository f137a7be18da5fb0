//! Restores a backup.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::manifest::Place;
use crate::read::{Sink, check_database, read};
use crate::{Error, Head, Manifest, Passphrase, Places, Progress};

/// How folders begin that a restoration works in; one that is left over is of
/// a restoration that was cut off.
const PREFIX: &str = "restoring-";

/// Restores an archive to `places`, where neither a database nor objects may
/// be. Everything is unpacked and checked beside them first; the database
/// takes its place last, so that a server finds either all or nothing. Nobody
/// else may use the places meanwhile. Blocks.
pub fn restore(
    from: impl Read,
    passphrase: Option<&Passphrase>,
    places: &Places,
    progress: Progress<'_>,
) -> Result<Manifest, Error> {
    let above = |path: &Path| path.parent().unwrap_or(Path::new("/")).to_owned();
    let (by_database, by_blobs) = (above(&places.database), above(&places.blobs));
    let folder = scratch(&by_blobs)?;
    // A rename does not leave its disk.
    let other = if by_database == by_blobs { None } else { Some(scratch(&by_database)?) };
    let mut unpacked = Unpacked {
        database: other.as_ref().unwrap_or(&folder).path().join("database"),
        blobs: folder.path().join("blobs"),
        ready: PathBuf::new(),
    };
    make(&unpacked.blobs)?;
    let manifest = read(from, passphrase, &mut unpacked, progress)?;
    check_database(&unpacked.database, &manifest)?;
    // One flush for all files instead of one for each.
    for path in [&unpacked.database, &unpacked.blobs] {
        let file = File::open(path).map_err(at(path))?;
        rustix::fs::syncfs(&file).map_err(|errno| at(path)(errno.into()))?;
    }
    rename(&unpacked.blobs, &places.blobs)?;
    rename(&unpacked.database, &places.database)?;
    Ok(manifest)
}

/// Refuses what needs more room than there is beside `path`.
pub(crate) fn room(path: &Path, needed: u64) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let disk = rustix::fs::statvfs(folder).map_err(|errno| at(folder)(errno.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if needed > free { Err(Error::NoRoom { needed, free }) } else { Ok(()) }
}

/// A folder to work in, after those of restorations that were cut off are
/// gone.
fn scratch(parent: &Path) -> Result<TempDir, Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(at(parent))?;
    for entry in fs::read_dir(parent).map_err(at(parent))? {
        let entry = entry.map_err(at(parent))?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            fs::remove_dir_all(entry.path()).map_err(at(&entry.path()))?;
        }
    }
    tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(at(parent))
}

fn make(folder: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))
}

/// Moves something to its place for good; an empty folder may be there.
fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(at(to))?;
    let folder = to.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |reason| Error::Place { path: path.clone(), reason }
}

/// Where members are unpacked.
struct Unpacked {
    database: PathBuf,
    blobs: PathBuf,
    /// The folder that was made last: most objects share it with the one
    /// before.
    ready: PathBuf,
}

impl Unpacked {
    fn path(&self, place: Place) -> PathBuf {
        match place {
            Place::Database => self.database.clone(),
            Place::Object(key) => self.blobs.join(key.to_string()),
        }
    }
}

impl Sink for Unpacked {
    type File = File;

    fn begin(&mut self, head: &Head) -> Result<(), Error> {
        room(&self.database, head.database_bytes)?;
        room(&self.blobs, head.database_bytes.saturating_add(head.objects_bytes))
    }

    fn open(&mut self, place: Place) -> Result<Option<File>, Error> {
        let path = self.path(place);
        let folder = path.parent().unwrap_or(Path::new("/"));
        if folder != self.ready {
            make(folder)?;
            self.ready = folder.to_owned();
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(at(&path))?;
        if matches!(place, Place::Object(_)) {
            // As the store of objects leaves them.
            file.set_permissions(Permissions::from_mode(0o444)).map_err(at(&path))?;
        }
        Ok(Some(file))
    }

    fn failed(&self, place: Place, reason: io::Error) -> Error {
        at(&self.path(place))(reason)
    }
}
