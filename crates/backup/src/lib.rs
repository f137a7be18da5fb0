//! Backups: everything a server keeps, in one archive.
//!
//! [`write()`] takes the database and the objects as they were at one instant,
//! while a server goes on with both. [`verify()`] and [`restore()`] read an
//! archive once from its beginning to its end, and trust nothing in it: not
//! its names, not its sizes, not its database.
//!
//! An archive is a tape archive (`tar`), compressed (`zstd`) and, where a
//! passphrase is given, sealed in the format of `age`: each of the three can
//! be undone with a program that every distribution has. Its members are, in
//! this order, `mecapy-backup.json` ([`Head`]), `database`,
//! `blobs/<company>/<area>/<shelf>/<name>` …, and `manifest.json`
//! ([`Manifest`]) with the size and SHA-256 of each.

mod error;
mod manifest;
mod read;
mod restore;
mod sealed;
mod verify;
mod write;

use std::path::PathBuf;

pub use error::Error;
pub use manifest::{Head, Manifest, Member};
pub use restore::restore;
pub use sealed::Passphrase;
pub use verify::verify;
pub use write::{Options, write};

/// Where a server keeps what a backup holds.
#[derive(Clone, Debug)]
pub struct Places {
    /// The database file.
    pub database: PathBuf,
    /// The folder of objects.
    pub blobs: PathBuf,
}

/// Learns how many bytes of how many are done.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Bytes that are moved at once.
const PIECE: usize = 256 << 10;
