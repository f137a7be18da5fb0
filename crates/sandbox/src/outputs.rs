//! Reads what a run left behind without ever following a path that it made.

use std::fs::File;
use std::io;

/// The outputs folder of a finished run, kept in memory until dropped.
#[derive(Debug)]
pub struct Outputs {
    root: Option<std::os::fd::OwnedFd>,
    max_files: u64,
    max_bytes: u64,
}

/// One regular file of the outputs folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputEntry {
    /// Path relative to the folder, `/`-separated, valid UTF-8.
    pub name: String,
    /// Size in bytes when listed; it can't change any more.
    pub bytes: u64,
}

/// Why outputs can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum OutputsError {
    /// More files than allowed.
    #[error("the run left more than {limit} files; write fewer, or one archive")]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// More bytes than allowed.
    #[error("the run left {measured} bytes of files, {limit} are allowed; write less, or raise the limit")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// The size found; at least this much.
        measured: u64,
    },
    /// Something that is not a plain file.
    #[error("{name:?} in the outputs folder is {found}, expected a regular file or a folder; remove it before returning")]
    NotAFile {
        /// What was found where.
        name: String,
        /// `a symbolic link`, `a FIFO` …
        found: &'static str,
    },
    /// The folder could not be read.
    #[error("the outputs folder can't be read: {0}")]
    Io(#[from] io::Error),
}

impl Outputs {
    /// Every regular file, sorted by name, within the limits on count and size.
    pub fn list(&self) -> Result<Vec<OutputEntry>, OutputsError> {
        todo!()
    }

    /// Opens one listed file for reading.
    pub fn open(&self, name: &str) -> Result<File, OutputsError> {
        let _ = name;
        todo!()
    }
}
