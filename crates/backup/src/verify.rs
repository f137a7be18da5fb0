//! Verifies a backup without restoring it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::manifest::Place;
use crate::read::{Sink, check_database, read};
use crate::restore::room;
use crate::{Error, Head, Manifest, Passphrase, Progress};

/// Reads a whole archive and checks every digest, the database, and that
/// every object that its rows refer to is there. The database is unpacked into
/// a folder of its own under `scratch`, and removed again.
pub fn verify(
    from: impl Read,
    passphrase: Option<&Passphrase>,
    scratch: &Path,
    progress: Progress<'_>,
) -> Result<Manifest, Error> {
    let fail = |reason| Error::Place { path: scratch.to_owned(), reason };
    let folder = tempfile::Builder::new().prefix("mecapy-verify-").tempdir_in(scratch);
    let folder = folder.map_err(fail)?;
    let mut sink = DatabaseAlone { database: folder.path().join("database") };
    let manifest = read(from, passphrase, &mut sink, progress)?;
    check_database(&sink.database, &manifest)?;
    Ok(manifest)
}

/// Keeps the database; of the objects only the digests matter.
struct DatabaseAlone {
    database: PathBuf,
}

impl Sink for DatabaseAlone {
    type File = File;

    fn begin(&mut self, head: &Head) -> Result<(), Error> {
        room(&self.database, head.database_bytes)
    }

    fn open(&mut self, place: Place) -> Result<Option<File>, Error> {
        match place {
            Place::Database => {
                let fail = |reason| Error::Place { path: self.database.clone(), reason };
                File::create_new(&self.database).map(Some).map_err(fail)
            }
            Place::Object(_) => Ok(None),
        }
    }

    fn failed(&self, _: Place, reason: io::Error) -> Error {
        Error::Place { path: self.database.clone(), reason }
    }
}
