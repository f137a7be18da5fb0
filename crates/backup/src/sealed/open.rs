//! Reads a sealed file.

use std::io::{self, BufRead, BufReader, Read};

use base64::Engine as _;
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hmac::Mac as _;

use super::{BASE64, CHUNK, MAGIC, MOST_WORK, Passphrase, Stanza, TAG, code, derived, nonce};
use crate::Error;

/// A header with one stanza for a passphrase is far shorter.
const MOST_HEADER: u64 = 1024;

/// What is read was authenticated before it comes out.
pub(crate) struct Opened<R: Read> {
    from: BufReader<R>,
    key: ChaCha20Poly1305,
    number: u64,
    chunk: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Opened<R> {
    /// Reads the header, the first line included.
    pub(crate) fn begin(from: R, words: &Passphrase) -> Result<Self, Error> {
        let mut from = BufReader::with_capacity(CHUNK + TAG, from);
        let (stanza, found) = header(&mut from)?;
        let wrapping = words.wrapping(&stanza.salt, stanza.work_factor)?;
        let file_key = wrapping
            .decrypt(&[0; 12].into(), stanza.wrapped.as_slice())
            .map_err(|_| Error::WrongPassphrase)?;
        let file_key: [u8; 16] = file_key.try_into().map_err(|_| Error::WrongPassphrase)?;
        code(&file_key, stanza.header().as_bytes())
            .verify_slice(&found)
            .map_err(|_| Error::WrongPassphrase)?;
        let mut payload_nonce = [0; 16];
        from.read_exact(&mut payload_nonce).map_err(Error::Input)?;
        let key = derived(&file_key, &payload_nonce, "payload");
        let key = ChaCha20Poly1305::new(&key.into());
        Ok(Self { from, key, number: 0, chunk: Vec::new(), at: 0, ended: false })
    }

    fn next(&mut self) -> io::Result<()> {
        let mut sealed = Vec::with_capacity(CHUNK + TAG);
        self.from.by_ref().take((CHUNK + TAG) as u64).read_to_end(&mut sealed)?;
        let last = self.from.fill_buf()?.is_empty();
        let nonce = nonce(self.number, last).into();
        let opened = self.key.decrypt(&nonce, sealed.as_slice());
        let changed = || io::Error::new(io::ErrorKind::InvalidData, "it was changed or cut off");
        self.chunk = opened.map_err(|_| changed())?;
        // An empty last chunk after others is a second way of writing the same.
        if self.chunk.is_empty() && self.number > 0 {
            return Err(changed());
        }
        (self.at, self.ended) = (0, last);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() && !self.ended {
            self.next()?;
        }
        let taken = to.len().min(self.chunk.len() - self.at);
        to[..taken].copy_from_slice(&self.chunk[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

/// The stanza, and the code over the header.
fn header(from: &mut impl BufRead) -> Result<(Stanza, Vec<u8>), Error> {
    let mut from = from.take(MOST_HEADER);
    let mut line = || {
        let mut line = String::new();
        from.read_line(&mut line).map_err(|_| Error::UnknownSeal)?;
        match line.pop() {
            Some('\n') => Ok(line),
            _ => Err(Error::UnknownSeal),
        }
    };
    let bytes = |text: &str| BASE64.decode(text).map_err(|_| Error::UnknownSeal);
    let (first, stanza, body, end) = (line()?, line()?, line()?, line()?);
    if first.as_bytes() != MAGIC.trim_ascii_end() {
        return Err(Error::UnknownSeal);
    }
    let mut words = stanza.split(' ');
    let (Some("->"), Some("scrypt"), Some(salt), Some(work), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Error::UnknownSeal);
    };
    let salt = bytes(salt)?.try_into().map_err(|_| Error::UnknownSeal)?;
    let work_factor = work.parse().ok().filter(|work| (1..=MOST_WORK).contains(work));
    let work_factor = work_factor.ok_or(Error::UnknownSeal)?;
    let code = bytes(end.strip_prefix("--- ").ok_or(Error::UnknownSeal)?)?;
    Ok((Stanza { salt, work_factor, wrapped: bytes(&body)? }, code))
}
