//! Reads what a run left behind without ever following a path that it made.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags};

use crate::link::Link;
use crate::wire::{Id, Request};

/// Deeper folders are refused rather than walked.
const MAX_DEPTH: usize = 32;
/// What is told of a longer name, in characters.
const SHOWN: usize = 200;

/// The outputs folder of a finished run, kept in memory until dropped.
#[derive(Debug)]
pub struct Outputs {
    root: Option<OwnedFd>,
    max_files: u64,
    max_bytes: u64,
    /// Looked at once, when the run was over: what a dying process adds later
    /// is not its result.
    is_empty: bool,
    _held: Held,
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
    #[error("the run left more than {limit} files and folders; write fewer, or one archive")]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// More bytes than allowed.
    #[error(
        "the run left {measured} bytes of files, {limit} are allowed; write less, or raise the limit"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// The size found; at least this much.
        measured: u64,
    },
    /// A symbolic link, which would name a file of the host.
    #[error("{name:?} in the outputs folder is a symbolic link; copy the file instead")]
    Link {
        /// Where.
        name: String,
    },
    /// A file with a second name.
    #[error("{name:?} in the outputs folder is a hard link; copy the file instead")]
    HardLink {
        /// Where.
        name: String,
    },
    /// A FIFO, a socket or a device.
    #[error("{name:?} in the outputs folder is no regular file; remove it before returning")]
    NotAFile {
        /// Where.
        name: String,
    },
    /// A name that not every reader shows as it is.
    #[error(
        "the name {name:?} in the outputs folder is not valid UTF-8, or holds a control \
         character; choose another"
    )]
    BadName {
        /// The name, as far as it can be told.
        name: String,
    },
    /// Folders in folders.
    #[error("folders are nested deeper than {limit} in the outputs folder; write fewer levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The folder could not be read.
    #[error("the outputs folder can't be read: {0}")]
    Io(#[from] io::Error),
}

/// Tells the launcher, when dropped, that nothing of a run is needed any more.
#[derive(Debug)]
pub(crate) struct Held {
    link: Arc<Link>,
    run: Id,
}

impl Held {
    pub(crate) fn new(link: Arc<Link>, run: Id) -> Self {
        Self { link, run }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.link.forget_run(self.run);
        self.link.post(Request::Release { run: self.run });
    }
}

impl Outputs {
    pub(crate) fn new(root: Option<OwnedFd>, max_files: u64, max_bytes: u64, held: Held) -> Self {
        let is_empty = root.as_ref().is_none_or(|root| is_empty(root.as_fd()));
        Self { root, max_files, max_bytes, is_empty, _held: held }
    }

    /// Whether anything at all is in the folder.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Every regular file, sorted by name, within the limits on count and size.
    pub fn list(&self) -> Result<Vec<OutputEntry>, OutputsError> {
        let Some(root) = self.root.as_ref().filter(|_| !self.is_empty) else {
            return Ok(Vec::new());
        };
        let mut listing = Listing { files: Vec::new(), entries: 0, bytes: 0, outputs: self };
        listing.walk(open_folder(root.as_fd(), "outputs")?, "", 0)?;
        let mut files = listing.files;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// Opens one listed file for reading.
    pub fn open(&self, name: &str) -> Result<File, OutputsError> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "the run left no files");
        let root = self.root.as_ref().ok_or_else(missing)?;
        let outputs = open_folder(root.as_fd(), "outputs")?;
        // NONBLOCK: opening a FIFO must not wait for a writer.
        let file = open_beneath(outputs.as_fd(), name, OFlags::RDONLY | OFlags::NONBLOCK)?;
        let status = rustix::fs::fstat(&file).map_err(io::Error::from)?;
        plain(name, status.st_mode, status.st_nlink as u64)?;
        Ok(File::from(file))
    }
}

struct Listing<'a> {
    files: Vec<OutputEntry>,
    entries: u64,
    bytes: u64,
    outputs: &'a Outputs,
}

impl Listing<'_> {
    fn walk(&mut self, folder: OwnedFd, below: &str, depth: usize) -> Result<(), OutputsError> {
        if depth > MAX_DEPTH {
            return Err(OutputsError::TooDeep { limit: MAX_DEPTH });
        }
        for entry in Dir::read_from(&folder).map_err(io::Error::from)? {
            let Some(name) = real_entry(entry) else { continue };
            let below = if below.is_empty() { String::new() } else { format!("{below}/") };
            let name = match name.to_str() {
                Ok(name) if !name.contains(misleading) => name,
                _ => {
                    let path = below + &name.to_string_lossy();
                    return Err(OutputsError::BadName { name: shown(&path) });
                }
            };
            let path = below + name;
            self.entries += 1;
            if self.entries > self.outputs.max_files {
                return Err(OutputsError::TooMany { limit: self.outputs.max_files });
            }
            let status = rustix::fs::statat(&folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
                .map_err(io::Error::from)?;
            if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
                self.walk(open_folder(folder.as_fd(), name)?, &path, depth + 1)?;
                continue;
            }
            plain(&path, status.st_mode, status.st_nlink as u64)?;
            let bytes = u64::try_from(status.st_size).unwrap_or(u64::MAX);
            self.bytes = self.bytes.saturating_add(bytes);
            if self.bytes > self.outputs.max_bytes {
                return Err(OutputsError::TooLarge {
                    limit: self.outputs.max_bytes,
                    measured: self.bytes,
                });
            }
            self.files.push(OutputEntry { name: path, bytes });
        }
        Ok(())
    }
}

/// Whether a scratch space has no outputs. A folder that the run has closed to
/// others may hold some.
pub(crate) fn is_empty(root: BorrowedFd<'_>) -> bool {
    let folder = match open_folder(root, "outputs") {
        Ok(folder) => folder,
        Err(error) => return error.kind() != io::ErrorKind::PermissionDenied,
    };
    let first = Dir::read_from(&folder).ok().and_then(|mut dir| dir.find_map(real_entry));
    first.is_none()
}

/// The name of an entry other than `.` and `..`.
pub(crate) fn real_entry(
    entry: rustix::io::Result<rustix::fs::DirEntry>,
) -> Option<std::ffi::CString> {
    let name = entry.ok()?.file_name().to_owned();
    (name.as_bytes() != b"." && name.as_bytes() != b"..").then_some(name)
}

/// Opens below a folder without leaving it or following any link.
pub(crate) fn open_beneath(
    folder: BorrowedFd<'_>,
    name: &str,
    flags: OFlags,
) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mode =
        if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
    Ok(rustix::fs::openat2(folder, name, flags, mode, resolve)?)
}

/// Opens a folder below a folder.
pub(crate) fn open_folder(folder: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    open_beneath(folder, name, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Refuses what is not a regular file with one name.
fn plain(name: &str, mode: u32, links: u64) -> Result<(), OutputsError> {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile if links > 1 => Err(OutputsError::HardLink { name: shown(name) }),
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(OutputsError::Link { name: shown(name) }),
        _ => Err(OutputsError::NotAFile { name: shown(name) }),
    }
}

/// Controls, those of writing direction included: a name with one reads
/// otherwise than it is.
fn misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A name at most as long as anybody reads.
fn shown(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
