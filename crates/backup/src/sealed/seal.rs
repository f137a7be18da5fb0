//! Writes a sealed file.

use std::io::{self, Write};

use base64::Engine as _;
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hmac::Mac as _;

use super::{BASE64, CHUNK, Passphrase, Stanza, code, derived, nonce};
use crate::Error;

/// What is written comes out sealed. Nothing of it counts before
/// [`finish`](Self::finish).
pub(crate) struct Sealing<W: Write> {
    to: W,
    key: ChaCha20Poly1305,
    number: u64,
    chunk: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    pub(crate) fn begin(mut to: W, words: &Passphrase, work_factor: u8) -> Result<Self, Error> {
        let file_key: [u8; 16] = rand::random();
        let salt: [u8; 16] = rand::random();
        let wrapped = words
            .wrapping(&salt, work_factor)?
            .encrypt(&[0; 12].into(), file_key.as_slice())
            .map_err(|_| Error::UnknownSeal)?;
        let header = Stanza { salt, work_factor, wrapped }.header();
        let code = code(&file_key, header.as_bytes()).finalize().into_bytes();
        let payload_nonce: [u8; 16] = rand::random();
        writeln!(to, "{header} {}", BASE64.encode(code))
            .and_then(|()| to.write_all(&payload_nonce))
            .map_err(Error::Output)?;
        let key = derived(&file_key, &payload_nonce, "payload");
        let key = ChaCha20Poly1305::new(&key.into());
        Ok(Self { to, key, number: 0, chunk: Vec::with_capacity(CHUNK) })
    }

    /// Writes the last chunk.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        Ok(self.to)
    }

    fn put(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(self.number, last).into();
        let sealed = self.key.encrypt(&nonce, self.chunk.as_slice());
        self.to.write_all(&sealed.map_err(|_| io::Error::other("a chunk can't be encrypted"))?)?;
        self.number += 1;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for a further byte: it might be the last one.
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.put(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
