//! The file in which objects lie while a repository is read.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::Error;
use crate::error::Bound;

/// A file without a name, bounded: it goes when its process ends.
pub(crate) struct Scratch {
    out: BufWriter<File>,
    end: u64,
    limit_bytes: u64,
}

/// Where in it something lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) at: u64,
    pub(crate) bytes: u64,
}

impl Scratch {
    pub(crate) fn within(folder: &Path, limit_bytes: u64) -> Result<Self, Error> {
        let file = tempfile::tempfile_in(folder).map_err(here)?;
        Ok(Self { out: BufWriter::with_capacity(64 << 10, file), end: 0, limit_bytes })
    }

    /// Where the next bytes will lie.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.end + bytes.len() as u64;
        Bound::Unpacked.check(end, self.limit_bytes)?;
        self.out.write_all(bytes).map_err(here)?;
        self.end = end;
        Ok(())
    }

    pub(crate) fn read(&mut self, place: Place) -> Result<Vec<u8>, Error> {
        self.out.flush().map_err(here)?;
        let bytes = usize::try_from(place.bytes).map_err(|error| Error::Here(error.to_string()))?;
        let mut content = vec![0; bytes];
        self.out.get_ref().read_exact_at(&mut content, place.at).map_err(here)?;
        Ok(content)
    }
}

fn here(error: std::io::Error) -> Error {
    Error::Here(error.to_string())
}
