//! Objects as files of this machine, for those who need a path.
//!
//! Only what never changes under its key is kept: content, and what is named
//! by a digest. Files lie as in a [`crate::Directory`],
//! `<folder>/<company>/<area>/<two digits>/<name>`, readable for all in
//! folders that only their owner passes. They are fetched whole or not at
//! all, and not flushed: whatever a power cut leaves is looked at before it
//! is used.

mod kept;
mod shelf;

pub use kept::LocalFile;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::blocking::blocking;
use crate::{Error, Handle, Key, Name};
use kept::{Held, Kept};
use shelf::Shelf;

/// How much of an object is held in memory while it is fetched.
const PIECE: usize = 512 << 10;

/// Files of objects, made when they are asked for; the least recently used
/// ones go when there are too many. Clones share them.
#[derive(Clone, Debug)]
pub struct Cached(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    blobs: Handle,
    shelf: Shelf,
    kept: Arc<Kept>,
}

impl Cached {
    /// Keeps at most `max_bytes` in a folder, which one process may use. What
    /// an earlier one left there is used again. Blocks; for the start.
    pub fn open(blobs: Handle, folder: impl Into<PathBuf>, max_bytes: u64) -> Result<Self, Error> {
        let folder = folder.into();
        let fail = |reason| Error::from_io("open", folder.display(), reason);
        let shelf = Shelf::open(folder.clone()).map_err(fail)?;
        let kept = Arc::new(Kept::new(max_bytes));
        for (key, bytes) in shelf.found().map_err(fail)? {
            kept.found(key, bytes);
        }
        kept.make_room(0, &shelf)?;
        Ok(Self(Arc::new(Inner { blobs, shelf, kept })))
    }

    /// The object as a file that stays as long as the answer is held. Callers
    /// at once share one fetch. Where the objects are files already, it is the
    /// object's own path, and nothing is looked at.
    pub async fn local_file(&self, key: Key) -> Result<LocalFile, Error> {
        if let Some(path) = self.0.blobs.local_path(key) {
            return Ok(LocalFile::new(path, None));
        }
        if matches!(key.name, Name::Id(_)) {
            return Err(Error::Changeable { key });
        }
        let turn = self.0.kept.turn(key);
        let _turn = turn.lock().await;
        if let Some((held, is_proved)) = self.0.kept.hold(key) {
            if self.is_sound(key, &held, is_proved).await? {
                held.prove();
                return Ok(LocalFile::new(self.0.shelf.path(key), Some(held)));
            }
            drop(held);
            self.0.kept.forget(key, &self.0.shelf);
        }
        let held = self.fetch(key).await?;
        Ok(LocalFile::new(self.0.shelf.path(key), Some(held)))
    }

    /// Whether the file is what the key says. A file of an earlier process is
    /// read once, or compared with the size that the store has.
    async fn is_sound(&self, key: Key, held: &Held, is_proved: bool) -> Result<bool, Error> {
        let (inner, bytes) = (Arc::clone(&self.0), held.bytes());
        let is_whole = move || {
            let is_whole = inner.shelf.length(key) == Some(bytes);
            is_whole && (is_proved || inner.shelf.has_its_digest(key))
        };
        if !blocking(is_whole).await {
            return Ok(false);
        }
        if is_proved || key.content_digest().is_some() {
            return Ok(true);
        }
        Ok(self.0.blobs.size(key).await? == Some(bytes))
    }

    async fn fetch(&self, key: Key) -> Result<Held, Error> {
        let mut reader = self.0.blobs.open(key).await?;
        let room = self.0.kept.make_room(reader.bytes(), &self.0.shelf)?;
        let fail = |reason| Error::from_io("keep a copy of", key, reason);
        let (file, place) = self.0.shelf.begin().map_err(fail)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(PIECE);
        let mut piece = BytesMut::with_capacity(PIECE);
        let mut fetched = 0;
        let lost = |reason| Error::from_read(key, reason);
        while reader.read_buf(&mut piece).await.map_err(lost)? > 0 {
            file.write_all(&piece).await.map_err(fail)?;
            fetched += piece.len() as u64;
            piece.clear();
        }
        file.flush().await.map_err(fail)?;
        if fetched != reader.bytes() {
            let expected = reader.bytes();
            let short = format!("expected {expected} bytes, {fetched} came");
            return Err(Error::from_io("read", key, io::Error::other(short)));
        }
        let inner = Arc::clone(&self.0);
        blocking(move || inner.shelf.finish(place, key)).await.map_err(fail)?;
        Ok(room.fill(key))
    }
}
