//! Objects as files: `<root>/<company>/<area>/<two digits>/<name>`.
//!
//! A write goes to a scratch file, is flushed, takes its place by a rename,
//! and returns when the folder was flushed too. Scratch files of a process
//! that died are swept when the next one opens the folder.

mod frozen;
mod listing;
mod scratch;

pub use frozen::Frozen;

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{CompanyId, Digest, Timestamp};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::{
    Area, Blobs, Error, Incomplete, Key, Listed, Reader, SignedUpload, SignedUrl, Source, Stored,
};
use scratch::Scratch;

/// How much of a stream is held in memory.
const PIECE: usize = 512 << 10;

/// Objects in a folder of this machine.
#[derive(Clone, Debug)]
pub struct Directory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    scratch: Scratch,
    /// Folders that are known to be there, flushed into their parents.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Directory {
    /// Opens the folder, makes it where it isn't there (mode 0700), and sweeps
    /// what processes that died left half written. Blocks; for the start.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let root = root.into();
        let fail = |reason| Error::from_io("open", root.display(), reason);
        DirBuilder::new().recursive(true).mode(0o700).create(&root).map_err(fail)?;
        let scratch = Scratch::open(&root).map_err(fail)?;
        Ok(Self(Arc::new(Inner { root, scratch, durable: Mutex::default() })))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || act(&inner)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(Error::from_io("reach", "", io::Error::other(error))),
            },
        }
    }

    /// Writes a stream and puts it where `key` says of its digest.
    async fn write_stream(
        &self,
        what: String,
        key: impl FnOnce(Digest) -> Key + Send + 'static,
        source: Source<'_>,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        let mut writing: Option<Writing> = None;
        let mut received = 0;
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let ended = loop {
                match source.read_buf(&mut piece).await {
                    Ok(0) => break true,
                    Ok(read) => received += read as u64,
                    Err(reason) => return Err(Error::Source { received, reason }),
                }
                if received > max_bytes {
                    return Err(Error::TooLarge { limit: max_bytes, measured: received });
                }
                if piece.len() == piece.capacity() {
                    break false;
                }
            };
            let before = writing.take();
            let name = what.clone();
            let put = move |inner: &Inner| {
                let mut writing = before.map_or_else(|| inner.begin(&name), Ok)?;
                writing.write(&piece, &name)?;
                Ok(writing)
            };
            if ended {
                return self
                    .blocking(move |inner| {
                        let writing = put(inner)?;
                        let key = key(writing.digest());
                        inner.commit(writing, key)
                    })
                    .await;
            }
            writing = Some(self.blocking(put).await?);
        }
    }
}

#[async_trait]
impl Blobs for Directory {
    async fn put(&self, key: Key, bytes: Bytes) -> Result<Stored, Error> {
        self.blocking(move |inner| {
            let mut writing = inner.begin(&key)?;
            writing.write(&bytes, &key)?;
            inner.commit(writing, key)
        })
        .await
    }

    async fn put_stream(
        &self,
        key: Key,
        source: Source<'_>,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        self.write_stream(key.to_string(), move |_| key, source, max_bytes).await
    }

    async fn put_content(
        &self,
        company: CompanyId,
        area: Area,
        source: Source<'_>,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        let key = move |digest| Key::content(company, area, digest);
        self.write_stream(format!("{company}/{area}"), key, source, max_bytes).await
    }

    async fn put_file(
        &self,
        company: CompanyId,
        area: Area,
        file: File,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        self.blocking(move |inner| inner.copy(company, area, &file, max_bytes)).await
    }

    async fn get(&self, key: Key, max_bytes: u64) -> Result<Bytes, Error> {
        self.blocking(move |inner| inner.read(key, max_bytes)).await
    }

    async fn open(&self, key: Key) -> Result<Reader, Error> {
        let (file, bytes) = self.blocking(move |inner| inner.find(key)).await?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(PIECE);
        Ok(Reader::new(key, bytes, Box::new(file)))
    }

    async fn size(&self, key: Key) -> Result<Option<u64>, Error> {
        match self.blocking(move |inner| inner.find(key)).await {
            Ok((_, bytes)) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, key: Key) -> Result<bool, Error> {
        self.blocking(move |inner| {
            let fail = |error| Error::from_io("delete", key, error);
            let _free = inner.not_frozen().map_err(fail)?;
            match fs::remove_file(inner.path(key)) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(fail(error)),
            }
        })
        .await
    }

    async fn delete_company(&self, company: CompanyId) -> Result<(), Error> {
        self.blocking(move |inner| inner.delete_company(company)).await
    }

    async fn companies(&self) -> Result<Vec<CompanyId>, Error> {
        self.blocking(|inner| listing::companies(&inner.root)).await
    }

    async fn list(
        &self,
        company: CompanyId,
        area: Area,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        self.blocking(move |inner| listing::list(&inner.root, company, area, after, limit)).await
    }

    fn local_path(&self, key: Key) -> Option<PathBuf> {
        Some(self.0.path(key))
    }

    async fn signed_download(
        &self,
        _: Key,
        _: Duration,
        _: &str,
        _: &str,
    ) -> Result<Option<SignedUrl>, Error> {
        Ok(None)
    }

    async fn signed_upload(
        &self,
        _: CompanyId,
        _: Area,
        _: u64,
        _: Option<Digest>,
        _: Duration,
    ) -> Result<Option<SignedUpload>, Error> {
        Ok(None)
    }

    async fn adopt(
        &self,
        company: CompanyId,
        area: Area,
        upload: Uuid,
        _: u64,
        _: Option<Digest>,
    ) -> Result<Stored, Error> {
        // It gives no leave to upload.
        Err(Error::NotFound { key: Key::id(company, area, upload) })
    }

    async fn abort_incomplete(&self, _: Timestamp) -> Result<Incomplete, Error> {
        // What the dead left is swept when the folder is opened.
        Ok(Incomplete { uploads: Some(0), objects: 0 })
    }
}

impl Inner {
    fn path(&self, key: Key) -> PathBuf {
        self.root.join(key.to_string())
    }

    fn begin(&self, what: &impl ToString) -> Result<Writing, Error> {
        let file = self
            .scratch
            .file()
            .map_err(|reason| Error::from_io("store", what.to_string(), reason))?;
        Ok(Writing { file, hash: Sha256::new(), bytes: 0 })
    }

    /// Gives a written file its place; durable when this returns.
    fn commit(&self, writing: Writing, key: Key) -> Result<Stored, Error> {
        let stored = Stored { digest: writing.digest(), bytes: writing.bytes };
        if key.content_digest().is_some_and(|digest| digest != stored.digest) {
            return Err(Error::Corrupt { key, found: stored.digest });
        }
        let fail = |reason| Error::from_io("store", key, reason);
        writing.file.as_file().sync_data().map_err(fail)?;
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.root);
        self.make_durable(folder).map_err(fail)?;
        if let Err(refused) = writing.file.persist(&path) {
            if refused.error.kind() != io::ErrorKind::NotFound {
                return Err(fail(refused.error));
            }
            // The folder went since it was seen: its company was deleted.
            self.forget_durable(folder);
            self.make_durable(folder).map_err(fail)?;
            refused.file.persist(&path).map_err(|refused| fail(refused.error))?;
        }
        flush_folder(folder).map_err(fail)?;
        Ok(stored)
    }

    fn copy(
        &self,
        company: CompanyId,
        area: Area,
        file: &File,
        max_bytes: u64,
    ) -> Result<Stored, Error> {
        let what = format!("{company}/{area}");
        let unreadable = |received| move |reason| Error::Source { received, reason };
        let metadata = file.metadata().map_err(unreadable(0))?;
        if !metadata.is_file() {
            return Err(Error::NotAFile);
        }
        // A sparse file's size says too much before a byte of it is read.
        if metadata.len() > max_bytes {
            return Err(Error::TooLarge { limit: max_bytes, measured: metadata.len() });
        }
        let mut writing = self.begin(&what)?;
        let mut piece = vec![0; PIECE];
        loop {
            let read =
                file.read_at(&mut piece, writing.bytes).map_err(unreadable(writing.bytes))?;
            if read == 0 {
                let key = Key::content(company, area, writing.digest());
                return self.commit(writing, key);
            }
            writing.write(&piece[..read], &what)?;
            if writing.bytes > max_bytes {
                return Err(Error::TooLarge { limit: max_bytes, measured: writing.bytes });
            }
        }
    }

    fn find(&self, key: Key) -> Result<(File, u64), Error> {
        let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let open = || {
            let file =
                OpenOptions::new().read(true).custom_flags(no_follow).open(self.path(key))?;
            let bytes = file.metadata()?.len();
            Ok((file, bytes))
        };
        open().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Error::NotFound { key },
            _ => Error::from_io("read", key, error),
        })
    }

    fn read(&self, key: Key, max_bytes: u64) -> Result<Bytes, Error> {
        let (file, bytes) = self.find(key)?;
        if bytes > max_bytes {
            return Err(Error::TooLarge { limit: max_bytes, measured: bytes });
        }
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        file.take(max_bytes)
            .read_to_end(&mut content)
            .map_err(|error| Error::from_io("read", key, error))?;
        if let Some(expected) = key.content_digest() {
            let found = Digest(Sha256::digest(&content).into());
            if found != expected {
                return Err(Error::Corrupt { key, found });
            }
        }
        Ok(content.into())
    }

    fn delete_company(&self, company: CompanyId) -> Result<(), Error> {
        let folder = self.root.join(company.to_string());
        let fail = |reason| Error::from_io("delete", company, reason);
        let _free = self.not_frozen().map_err(fail)?;
        // Out of sight at once; what a crash leaves of it is swept as scratch.
        let aside = self.scratch.aside(company);
        match fs::rename(&folder, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fail(error)),
        }
        self.forget_durable(&folder);
        flush_folder(&self.root).map_err(fail)?;
        fs::remove_dir_all(&aside).map_err(fail)
    }

    /// Waits while objects are being frozen, and keeps others from it until
    /// the answer is dropped.
    fn not_frozen(&self) -> io::Result<File> {
        let root = File::open(&self.root)?;
        root.lock_shared()?;
        Ok(root)
    }

    /// Makes a folder and those above it, up to the root, and flushes each
    /// into its parent.
    fn make_durable(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root || self.durable().contains(folder) {
            return Ok(());
        }
        let parent = folder.parent().unwrap_or(&self.root);
        self.make_durable(parent)?;
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => flush_folder(parent)?,
        }
        self.durable().insert(folder.to_owned());
        Ok(())
    }

    /// Forgets that a folder, those above it and those in it are there.
    fn forget_durable(&self, folder: &Path) {
        self.durable().retain(|known| !known.starts_with(folder) && !folder.starts_with(known));
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An object that is not seen yet; its file goes when this is dropped.
struct Writing {
    file: NamedTempFile,
    hash: Sha256,
    bytes: u64,
}

impl Writing {
    fn write(&mut self, piece: &[u8], what: &impl ToString) -> Result<(), Error> {
        self.file
            .as_file_mut()
            .write_all(piece)
            .map_err(|reason| Error::from_io("store", what.to_string(), reason))?;
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }

    fn digest(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
