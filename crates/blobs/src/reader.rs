//! An object as a stream that checks itself.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use domain::Digest;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, ReadBuf};

use crate::{Error, Key};

/// An object being read. Where its content is not what its key says, the
/// last read fails with [`io::ErrorKind::InvalidData`] in place of the end, so
/// that nobody takes what came for whole.
pub struct Reader {
    key: Key,
    bytes: u64,
    source: Box<dyn AsyncRead + Send + Unpin>,
    check: Check,
}

enum Check {
    Hashing(Digest, Sha256),
    /// Nothing to check, or checked and right.
    Passed,
    Failed(Digest),
}

impl Reader {
    pub(crate) fn new(key: Key, bytes: u64, source: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        let check = match key.content_digest() {
            Some(digest) => Check::Hashing(digest, Sha256::new()),
            None => Check::Passed,
        };
        Self { key, bytes, source, check }
    }

    /// The size of the whole object.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("key", &self.key)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        std::task::ready!(Pin::new(&mut self.source).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            if let Check::Hashing(_, hash) = &mut self.check {
                hash.update(read);
            }
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.end())
    }
}

impl Reader {
    fn end(&mut self) -> io::Result<()> {
        if let Check::Hashing(expected, hash) = &mut self.check {
            let found = Digest(hash.finalize_reset().into());
            self.check = if found == *expected { Check::Passed } else { Check::Failed(found) };
        }
        match self.check {
            Check::Failed(found) => {
                let damaged = Error::Corrupt { key: self.key, found };
                Err(io::Error::new(io::ErrorKind::InvalidData, damaged))
            }
            _ => Ok(()),
        }
    }
}
