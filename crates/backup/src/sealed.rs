//! Encryption with a passphrase, in the format of `age`
//! (<https://age-encryption.org/v1>), so that `age --decrypt` opens a backup
//! where this program is not at hand.
//!
//! A random file key is wrapped with ChaCha20-Poly1305 under a key that
//! `scrypt` makes from the passphrase. The payload is cut into chunks of
//! 64 KiB, each authenticated with its number and with whether it is the last:
//! none can be changed, moved or cut off unseen.

mod open;
mod seal;

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

pub(crate) use open::Opened;
pub(crate) use seal::Sealing;

use crate::Error;

/// How every file of the format begins.
pub(crate) const MAGIC: &[u8] = b"age-encryption.org/v1\n";
const CHUNK: usize = 64 << 10;
const TAG: usize = 16;
/// 128 MiB of memory and half a second for whoever guesses a passphrase.
pub(crate) const WORK_FACTOR: u8 = 17;
/// Beyond it the archive of a stranger would cost a gigabyte.
const MOST_WORK: u8 = 20;

/// A passphrase, never shown.
#[derive(Clone)]
pub struct Passphrase(String);

impl Passphrase {
    /// The first line of a file.
    ///
    /// # Errors
    /// Where it can't be read, or is shorter than 12 characters.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|reason| Error::Place { path: path.to_owned(), reason })?;
        Self::new(text.lines().next().unwrap_or_default())
    }

    /// This very text.
    ///
    /// # Errors
    /// Where it is shorter than 12 characters.
    pub fn new(text: &str) -> Result<Self, Error> {
        if text.trim().chars().count() < 12 {
            return Err(Error::WeakPassphrase);
        }
        Ok(Self(text.trim().to_owned()))
    }

    /// The key that wraps a file's key.
    fn wrapping(&self, salt: &[u8; 16], work_factor: u8) -> Result<ChaCha20Poly1305, Error> {
        let salt = [b"age-encryption.org/v1/scrypt".as_slice(), salt].concat();
        let parameters = scrypt::Params::new(work_factor, 8, 1).map_err(|_| Error::UnknownSeal)?;
        let mut key = [0; 32];
        scrypt::scrypt(self.0.as_bytes(), &salt, &parameters, &mut key)
            .map_err(|_| Error::UnknownSeal)?;
        Ok(ChaCha20Poly1305::new(&key.into()))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

fn derived(file_key: &[u8; 16], salt: &[u8], info: &str) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), file_key)
        .expand(info.as_bytes(), &mut key)
        .expect("32 bytes are within what SHA-256 expands to");
    key
}

/// The code over a header, up to its `---`.
fn code(file_key: &[u8; 16], header: &[u8]) -> Hmac<Sha256> {
    let key = derived(file_key, &[], "header");
    let mut code = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length will do");
    code.update(header);
    code
}

/// The nonce of a chunk: its number in eleven bytes, and whether it is the
/// last.
fn nonce(number: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// Between passphrase and payload.
struct Stanza {
    salt: [u8; 16],
    work_factor: u8,
    wrapped: Vec<u8>,
}

impl Stanza {
    /// The header up to and with its `---`.
    fn header(&self) -> String {
        format!(
            "age-encryption.org/v1\n-> scrypt {} {}\n{}\n---",
            BASE64.encode(self.salt),
            self.work_factor,
            BASE64.encode(&self.wrapped)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const WORDS: &str = "correct horse battery staple";

    fn sealed(content: &[u8], words: &str) -> Vec<u8> {
        let passphrase = Passphrase::new(words).unwrap();
        let mut sealing = Sealing::begin(Vec::new(), &passphrase, 4).unwrap();
        sealing.write_all(content).unwrap();
        sealing.finish().unwrap()
    }

    fn opened(bytes: &[u8], words: &str) -> Result<Vec<u8>, Error> {
        let mut opened = Opened::begin(bytes, &Passphrase::new(words)?)?;
        let mut content = Vec::new();
        opened.read_to_end(&mut content).map_err(Error::Input)?;
        Ok(content)
    }

    #[test]
    fn what_was_sealed_is_opened_with_the_same_passphrase_alone() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let bytes = sealed(&content, WORDS);
            assert_eq!(opened(&bytes, WORDS).unwrap(), content, "{size}");
            let wrong = opened(&bytes, "another passphrase");
            assert!(matches!(wrong, Err(Error::WrongPassphrase)), "{wrong:?}");
        }
    }

    #[test]
    fn no_byte_can_be_changed_or_cut_off_unseen() {
        let content = vec![7; 2 * CHUNK + 10];
        let bytes = sealed(&content, WORDS);
        for at in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, WORDS).is_err(), "byte {at}");
        }
        for cut in [bytes.len() - 1, bytes.len() - 26, bytes.len() - 26 - CHUNK - TAG, 200, 60, 0] {
            assert!(opened(&bytes[..cut], WORDS).is_err(), "cut at {cut}");
        }
        // Chunks in another order.
        let payload = bytes.len() - 26 - 2 * (CHUNK + TAG);
        let mut moved = bytes[..payload].to_vec();
        moved.extend(&bytes[payload + CHUNK + TAG..payload + 2 * (CHUNK + TAG)]);
        moved.extend(&bytes[payload..payload + CHUNK + TAG]);
        moved.extend(&bytes[payload + 2 * (CHUNK + TAG)..]);
        assert!(opened(&moved, WORDS).is_err());
    }

    #[test]
    fn a_file_of_another_program_of_the_format_is_opened() {
        // Made by pyrage 1.4.0 from the line "MecaPy\n".
        let bytes = include_bytes!("../tests/data/by-another-program.age");
        assert_eq!(opened(bytes, WORDS).unwrap(), b"MecaPy\n");
    }

    #[test]
    fn short_passphrases_and_foreign_seals_are_refused() {
        assert!(matches!(Passphrase::new("  hunter2  "), Err(Error::WeakPassphrase)));
        let refused = |text: &str| opened(text.as_bytes(), WORDS).unwrap_err();
        let key = "age-encryption.org/v1\n-> X25519 aGVsbG8\naGVsbG8\n--- aGVsbG8\n";
        assert!(matches!(refused(key), Error::UnknownSeal));
        let costly =
            "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\naGVsbG8\n--- aGVsbG8\n";
        assert!(matches!(refused(costly), Error::UnknownSeal));
        let endless = format!("age-encryption.org/v1\n-> scrypt {}", "A".repeat(100_000));
        assert!(matches!(refused(&endless), Error::UnknownSeal));
        let shown = format!("{:?}", Passphrase::new(WORDS).unwrap());
        assert!(!shown.contains("horse"), "{shown}");
    }
}
