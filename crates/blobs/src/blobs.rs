//! The port: what a store of objects does.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{CompanyId, Digest, Timestamp};
use tokio::io::AsyncRead;
use uuid::Uuid;

use crate::{Area, Error, Key, Reader};

/// Where the bytes of an object come from. A stream of chunks becomes one by
/// `tokio_util::io::StreamReader`.
pub type Source<'a> = &'a mut (dyn AsyncRead + Send + Unpin);

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// Their number.
    pub bytes: u64,
}

/// An object as a sweep sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: Key,
    /// Its size.
    pub bytes: u64,
    /// When it was written. A sweep spares what is young: its row may not be
    /// committed yet.
    pub written_at: Timestamp,
}

/// A store of objects. All writes are durable when they return, replace what
/// was under the key, and are seen whole or not at all.
#[async_trait]
pub trait Blobs: Send + Sync + std::fmt::Debug {
    /// Writes an object that is in memory. [`Error::Corrupt`] where the key
    /// is the digest of other content.
    async fn put(&self, key: Key, bytes: Bytes) -> Result<Stored, Error>;

    /// Writes an object of at most `max_bytes` that arrives in pieces.
    async fn put_stream(
        &self,
        key: Key,
        source: Source<'_>,
        max_bytes: u64,
    ) -> Result<Stored, Error>;

    /// Writes content of at most `max_bytes` under its own digest, which is
    /// known only when all has arrived.
    async fn put_content(
        &self,
        company: CompanyId,
        area: Area,
        source: Source<'_>,
        max_bytes: u64,
    ) -> Result<Stored, Error>;

    /// Writes the content of an open file under its own digest, from its
    /// first byte whatever its position. The caller opens it: no path that a
    /// run could have made is followed here. [`Error::NotAFile`] for
    /// anything but a regular file.
    async fn put_file(
        &self,
        company: CompanyId,
        area: Area,
        file: File,
        max_bytes: u64,
    ) -> Result<Stored, Error>;

    /// The whole object, of at most `max_bytes`; content is checked against
    /// its digest.
    async fn get(&self, key: Key, max_bytes: u64) -> Result<Bytes, Error>;

    /// The object as a stream; content is checked against its digest at its
    /// end.
    async fn open(&self, key: Key) -> Result<Reader, Error>;

    /// The size of the object; `None` where there is none.
    async fn size(&self, key: Key) -> Result<Option<u64>, Error>;

    /// Deletes the object; `false` where there is none.
    async fn delete(&self, key: Key) -> Result<bool, Error>;

    /// Deletes everything of a company.
    async fn delete_company(&self, company: CompanyId) -> Result<(), Error>;

    /// Companies that have objects, in order.
    async fn companies(&self) -> Result<Vec<CompanyId>, Error>;

    /// At most `limit` objects of a company and area in the order of their
    /// keys' paths, after `after`: what a sweep compares with the database.
    async fn list(
        &self,
        company: CompanyId,
        area: Area,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, Error>;

    /// Where the object is, or would be, a read-only file of this machine;
    /// `None` where the store is elsewhere. The file is readable for all, its
    /// folders only for their owner: who may not pass them can still be given
    /// the file by a bind mount.
    fn local_path(&self, key: Key) -> Option<PathBuf>;

    /// A URL by which whoever has it can download the object for as long as
    /// `lifetime`, at most a week; `None` where the store has no server of its
    /// own. It makes a browser save the content under `file_name`, never show
    /// it. Whether there is such an object is not looked at.
    async fn signed_download(
        &self,
        key: Key,
        lifetime: Duration,
        file_name: &str,
        content_type: &str,
    ) -> Result<Option<SignedUrl>, Error>;

    /// A URL by which whoever has it can upload exactly so many bytes, of this
    /// digest where one is given, for as long as `lifetime`, at most a week;
    /// `None` where the store has no server of its own. What comes is no
    /// object yet: [`Self::adopt`] makes it one.
    async fn signed_upload(
        &self,
        company: CompanyId,
        area: Area,
        bytes: u64,
        digest: Option<Digest>,
        lifetime: Duration,
    ) -> Result<Option<SignedUpload>, Error>;

    /// Makes an object, under its own digest, of what was uploaded by a
    /// signed URL, after its size and digest were checked; only then may a row
    /// speak of it. [`Error::NotFound`] where nothing was uploaded; what is not
    /// as announced is deleted.
    async fn adopt(
        &self,
        company: CompanyId,
        area: Area,
        upload: Uuid,
        bytes: u64,
        digest: Option<Digest>,
    ) -> Result<Stored, Error>;

    /// Removes what was begun before an instant and not finished, such as by
    /// processes that died. For a timer; give it an instant a day ago.
    async fn abort_incomplete(&self, before: Timestamp) -> Result<Incomplete, Error>;
}

/// A URL that opens one object to whoever has it; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl(pub(crate) String);

impl SignedUrl {
    /// The URL, to be given to the one it is for.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedUrl(…)")
    }
}

/// Leave to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUpload {
    /// Names the upload to [`Blobs::adopt`].
    pub upload: Uuid,
    /// Where to send the bytes, by `PUT`.
    pub url: SignedUrl,
    /// Headers that must be sent along, of exactly these values.
    pub headers: Vec<(&'static str, String)>,
}

/// What a sweep of unfinished writes removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incomplete {
    /// Uploads in parts that were aborted; `None` where the server does not
    /// list them, so that the bucket needs a rule for them.
    pub uploads: Option<u64>,
    /// Whole objects that had no key yet.
    pub objects: u64,
}

/// A handle to the store that was chosen.
pub type Handle = Arc<dyn Blobs>;
