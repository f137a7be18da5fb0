//! Writing: small objects by one request, larger ones in parts.
//!
//! An upload in parts is seen only when it is completed, and completed only
//! when all of it came and has the digest that its key names. Content whose
//! digest is known only at its end goes to a key of its own first; the server
//! copies it from there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use domain::{CompanyId, Digest};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, MultipartUpload, ObjectStore as _, ObjectStoreExt as _,
    PutMultipartOptions, PutOptions, PutPayload,
};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use super::fault::Act;
use super::{Inner, LARGEST_COPY};
use crate::blocking::blocking;
use crate::{Area, Error, Key, Source, Stored};

/// The size of a part. What is no larger is written by one request.
pub(super) const PART: usize = 8 << 20;
/// S3 takes no more parts than this of one object.
const LARGEST: u64 = 10_000 * PART as u64;

/// Where an object goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    Key(Key),
    /// Under its own digest.
    Content(CompanyId, Area),
}

impl Goal {
    fn act(self) -> Act {
        match self {
            Self::Key(key) => Act { key: None, ..Act::on_key("store", key) },
            Self::Content(company, area) => Act::on("store", format!("{company}/{area}")),
        }
    }

    /// The key, or that the content is not what its key says.
    fn key(self, digest: Digest) -> Result<Key, Error> {
        match self {
            Self::Content(company, area) => Ok(Key::content(company, area, digest)),
            Self::Key(key) => match key.content_digest() {
                Some(named) if named != digest => Err(Error::Corrupt { key, found: digest }),
                _ => Ok(key),
            },
        }
    }
}

/// Where the bytes come from.
pub(super) enum From<'a> {
    Stream(Source<'a>),
    /// An open file, read from its first byte whatever its position.
    File(Arc<File>),
}

/// The bytes cut into parts, counted against what is allowed.
pub(super) struct Parts<'a> {
    from: From<'a>,
    /// Read to see whether more comes; belongs to the next part.
    ahead: Option<u8>,
    received: u64,
    max_bytes: u64,
}

impl<'a> Parts<'a> {
    pub(super) fn new(from: From<'a>, max_bytes: u64) -> Self {
        Self { from, ahead: None, received: 0, max_bytes: max_bytes.min(LARGEST) }
    }

    /// The next part, and whether it is the last one.
    async fn next(&mut self) -> Result<(Bytes, bool), Error> {
        let mut part = BytesMut::new();
        part.extend(self.ahead.take());
        while part.len() < PART {
            // Memory grows with what came, not with what may come.
            let most = part.len().max(64 << 10).min(PART - part.len());
            if self.read(&mut part, most).await? == 0 {
                return Ok((part.freeze(), true));
            }
        }
        let mut ahead = BytesMut::with_capacity(1);
        let last = self.read(&mut ahead, 1).await? == 0;
        self.ahead = ahead.first().copied();
        Ok((part.freeze(), last))
    }

    async fn read(&mut self, into: &mut BytesMut, most: usize) -> Result<usize, Error> {
        into.reserve(most);
        let received = self.received;
        let lost = |reason| Error::Source { received, reason };
        let read = match &mut self.from {
            From::Stream(source) => source.read_buf(&mut into.limit(most)).await.map_err(lost)?,
            From::File(file) => {
                let file = Arc::clone(file);
                let piece = blocking(move || {
                    let mut piece = vec![0; most];
                    file.read_at(&mut piece, received).map(|read| {
                        piece.truncate(read);
                        piece
                    })
                })
                .await
                .map_err(lost)?;
                into.extend_from_slice(&piece);
                piece.len()
            }
        };
        self.received += read as u64;
        if self.received > self.max_bytes {
            return Err(Error::TooLarge { limit: self.max_bytes, measured: self.received });
        }
        Ok(read)
    }
}

/// A digest that is being made.
#[derive(Clone, Default)]
pub(super) struct Hashing {
    hash: Sha256,
    bytes: u64,
}

impl Hashing {
    /// Adds a part, off the threads that others wait for where it is large.
    pub(super) async fn add(&mut self, part: &Bytes) {
        self.bytes += part.len() as u64;
        if part.len() <= 64 << 10 {
            self.hash.update(part);
            return;
        }
        let (mut hash, part) = (std::mem::take(&mut self.hash), part.clone());
        self.hash = blocking(move || {
            hash.update(&part);
            hash
        })
        .await;
    }

    pub(super) fn stored(&self) -> Stored {
        Stored { digest: Digest(self.hash.clone().finalize().into()), bytes: self.bytes }
    }
}

impl Inner {
    /// Writes an object that is in memory.
    pub(super) async fn put(&self, key: Key, bytes: Bytes) -> Result<Stored, Error> {
        let goal = Goal::Key(key);
        let mut hashing = Hashing::default();
        hashing.add(&bytes).await;
        goal.key(hashing.stored().digest)?;
        if bytes.len() > PART {
            let mut source = &bytes[..];
            return self.upload(goal, Parts::new(From::Stream(&mut source), u64::MAX)).await;
        }
        self.put_whole(&goal.act(), &self.path(key), bytes).await?;
        Ok(hashing.stored())
    }

    /// Writes what arrives in parts.
    pub(super) async fn upload(&self, goal: Goal, mut parts: Parts<'_>) -> Result<Stored, Error> {
        let mut hashing = Hashing::default();
        let (first, last) = parts.next().await?;
        hashing.add(&first).await;
        if last {
            let stored = hashing.stored();
            let key = goal.key(stored.digest)?;
            self.put_whole(&goal.act(), &self.path(key), first).await?;
            return Ok(stored);
        }
        match goal {
            Goal::Key(key) => {
                self.in_parts(goal, &self.path(key), first, hashing, &mut parts).await
            }
            Goal::Content(..) => {
                parts.max_bytes = parts.max_bytes.min(LARGEST_COPY);
                let aside = self.aside();
                let stored = self.in_parts(goal, &aside.path, first, hashing, &mut parts).await?;
                let key = goal.key(stored.digest)?;
                self.copy(&goal.act(), &aside.path, &self.path(key)).await?;
                aside.remove().await;
                Ok(stored)
            }
        }
    }

    /// Writes the content of an open file. A large one is read twice, for its
    /// digest and to be sent, which spares the server a copy.
    pub(super) async fn put_file(
        &self,
        company: CompanyId,
        area: Area,
        file: File,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        let unreadable = |reason| Error::Source { received: 0, reason };
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Error::NotAFile);
        }
        // A sparse file's size says too much before a byte of it is read.
        if metadata.len() > max_bytes {
            return Err(Error::TooLarge { limit: max_bytes, measured: metadata.len() });
        }
        let file = Arc::new(file);
        let parts = || Parts::new(From::File(Arc::clone(&file)), max_bytes);
        if metadata.len() <= PART as u64 {
            return self.upload(Goal::Content(company, area), parts()).await;
        }
        let (mut hashing, mut read) = (Hashing::default(), parts());
        loop {
            let (part, last) = read.next().await?;
            hashing.add(&part).await;
            if last {
                break;
            }
        }
        let key = Key::content(company, area, hashing.stored().digest);
        match self.upload(Goal::Key(key), parts()).await {
            Err(Error::Corrupt { .. }) => Err(Error::Source {
                received: metadata.len(),
                reason: io::Error::other("the file was written to while it was read"),
            }),
            stored => stored,
        }
    }

    pub(super) async fn put_whole(
        &self,
        act: &Act,
        path: &Path,
        bytes: Bytes,
    ) -> Result<(), Error> {
        let options = PutOptions { attributes: attributes(), ..PutOptions::default() };
        self.store
            .put_opts(path, PutPayload::from_bytes(bytes), options)
            .await
            .map_err(|error| self.failed(act, error))?;
        Ok(())
    }

    pub(super) async fn copy(&self, act: &Act, from: &Path, to: &Path) -> Result<(), Error> {
        self.store.copy(from, to).await.map_err(|error| self.failed(act, error))
    }

    async fn in_parts(
        &self,
        goal: Goal,
        path: &Path,
        first: Bytes,
        mut hashing: Hashing,
        parts: &mut Parts<'_>,
    ) -> Result<Stored, Error> {
        let act = goal.act();
        let options =
            PutMultipartOptions { attributes: attributes(), ..PutMultipartOptions::default() };
        let upload = self
            .store
            .put_multipart_opts(path, options)
            .await
            .map_err(|error| self.failed(&act, error))?;
        let mut begun = Begun { inner: self, upload: Some(upload), sending: JoinSet::new() };
        begun.send(&act, first).await?;
        loop {
            let (part, last) = parts.next().await?;
            hashing.add(&part).await;
            begun.send(&act, part).await?;
            if last {
                break;
            }
        }
        goal.key(hashing.stored().digest)?;
        begun.complete(&act).await?;
        Ok(hashing.stored())
    }
}

/// An upload in parts that is not seen yet. It is aborted when this is
/// dropped, as it is after an error and when the caller goes away.
struct Begun<'a> {
    inner: &'a Inner,
    upload: Option<Box<dyn MultipartUpload>>,
    sending: JoinSet<object_store::Result<()>>,
}

impl Begun<'_> {
    /// Begins to send a part; waits while many are on their way.
    async fn send(&mut self, act: &Act, part: Bytes) -> Result<(), Error> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.inner.places).acquire_owned().await.ok();
        let Some(upload) = &mut self.upload else { return Ok(()) };
        let sending = upload.put_part(PutPayload::from_bytes(part));
        self.sending.spawn(async move {
            let sent = sending.await;
            drop(place);
            sent
        });
        while let Some(sent) = self.sending.try_join_next() {
            self.sent(act, sent)?;
        }
        Ok(())
    }

    fn sent(
        &self,
        act: &Act,
        sent: Result<object_store::Result<()>, tokio::task::JoinError>,
    ) -> Result<(), Error> {
        match sent {
            Ok(sent) => sent.map_err(|error| self.inner.failed(act, error)),
            Err(error) => Err(act.backend(error.to_string())),
        }
    }

    async fn complete(&mut self, act: &Act) -> Result<(), Error> {
        while let Some(sent) = self.sending.join_next().await {
            self.sent(act, sent)?;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await.map_err(|error| self.inner.failed(act, error))?;
        }
        self.upload = None;
        Ok(())
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            let mut sending = std::mem::take(&mut self.sending);
            self.inner.later(async move {
                // A part that arrives after the end would stay for ever, and
                // one that is cut off may still arrive.
                while sending.join_next().await.is_some() {}
                // What stays all the same is found by `abort_incomplete`.
                let _ = upload.abort().await;
            });
        }
    }
}

/// Says of every object that it is to be saved, never shown: where a server
/// does not heed what a signed URL says, this holds.
fn attributes() -> Attributes {
    Attributes::from_iter([
        (Attribute::ContentType, "application/octet-stream"),
        (Attribute::ContentDisposition, "attachment"),
    ])
}
