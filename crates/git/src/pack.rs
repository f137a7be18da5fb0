//! The objects of a pack.

use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix_hash::{Kind, ObjectId};
use gix_object::find::Never;
use gix_pack::Bundle;
use gix_pack::bundle::write::Options;
use gix_pack::cache;

use crate::Error;

/// The largest object that is read, in bytes: no file of an archive is larger.
const OBJECT_BYTES: usize = 256 << 20;

/// A pack on disk, each object of it checked against its name.
pub(crate) struct Objects {
    bundle: Bundle,
    inflate: gix_zlib::Inflate,
}

impl Objects {
    /// Reads a pack of at most `limit_bytes` into `folder`.
    pub(crate) fn receive(
        pack: &mut dyn BufRead,
        folder: &Path,
        limit_bytes: u64,
    ) -> Result<Self, Error> {
        let mut bounded = Bounded { inner: pack, left: limit_bytes, exceeded: false };
        let options = Options {
            thread_limit: Some(1),
            alloc_limit_bytes: Some(OBJECT_BYTES),
            ..Options::default()
        };
        let written = Bundle::write_to_directory(
            &mut bounded,
            Some(folder),
            &mut gix_pack::Discard,
            &AtomicBool::new(false),
            None::<Never>,
            Kind::Sha1,
            options,
        );
        if bounded.exceeded {
            return Err(Error::TooLarge { limit_bytes });
        }
        let bundle = written
            .map_err(|error| Error::Broken(error.to_string()))?
            .to_bundle()
            .ok_or_else(|| Error::Here("the pack was not written".to_owned()))?
            .map_err(|error| Error::Here(error.to_string()))?;
        Ok(Self { bundle, inflate: gix_zlib::Inflate::default() })
    }

    /// One object, with what it is.
    pub(crate) fn get(&mut self, id: ObjectId) -> Result<(gix_object::Kind, Vec<u8>), Error> {
        let mut bytes = Vec::new();
        let found = self
            .bundle
            .find(&id, &mut bytes, &mut self.inflate, &mut cache::Never)
            .map_err(|error| Error::Broken(error.to_string()))?;
        let Some((object, _)) = found else {
            return Err(Error::Broken(format!("object {id} is missing")));
        };
        let kind = object.kind;
        Ok((kind, bytes))
    }
}

/// Ends a pack that is longer than it may be.
struct Bounded<'a> {
    inner: &'a mut dyn BufRead,
    left: u64,
    exceeded: bool,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let taken = available.len().min(into.len());
        into[..taken].copy_from_slice(&available[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl BufRead for Bounded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            self.exceeded = true;
            return Err(io::Error::other("the pack is too large"));
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let available = self.inner.fill_buf()?;
        Ok(&available[..available.len().min(left)])
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount as u64);
        self.inner.consume(amount);
    }
}
