//! Objects: archives, large results, artifacts, uploaded files, logs.
//!
//! Every object lies under a [`Key`], which carries its company: no caller can
//! forget it. Content that is named by its own SHA-256 is hashed while it is
//! written and checked while it is read. What a write returned for is durable
//! and whole; what it did not return for leaves nothing that a reader sees.
//!
//! [`directory::Directory`] keeps objects in a folder, [`s3::S3`] in a bucket;
//! [`cached::Cached`] gives those who need a file one.

mod blobs;
mod blocking;
pub mod cached;
pub mod directory;
pub mod error;
pub mod key;
mod reader;
pub mod s3;

pub use blobs::{Blobs, Handle, Incomplete, Listed, SignedUpload, SignedUrl, Source, Stored};
pub use cached::{Cached, LocalFile};
pub use directory::{Directory, Frozen};
pub use error::Error;
pub use key::{Area, Key, Name};
pub use reader::Reader;
pub use s3::S3;
