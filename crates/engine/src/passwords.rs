//! Passwords: hashed with argon2id, a bounded number at once.
//!
//! A hash takes 19 MiB and some hundredths of a second on purpose. A flood of
//! logins must neither eat the memory nor hold the threads that answer
//! requests, so hashes run on threads that may block, a few at once, and few
//! may wait for their turn.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::{Fault, Text};
use tokio::sync::Semaphore;

use crate::Error;

/// Hashes that are computed at once, at most: memory is what they cost.
const AT_ONCE: usize = 4;
/// Callers that wait for their turn, at most.
const WAITING: usize = 64;
/// How long one waits, at most.
const PATIENCE: Duration = Duration::from_secs(10);
/// When one who was sent away may come back.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The shortest password, in characters.
pub const SHORTEST: usize = 12;
/// The longest password, in characters.
pub const LONGEST: usize = 256;

/// The turns of hashing.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            turns: Arc::new(Semaphore::new(cores.min(AT_ONCE))),
            waiting: Arc::new(Semaphore::new(WAITING)),
        }
    }
}

impl Passwords {
    /// The PHC string of a password that [`check`] let through.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Error> {
        self.turn(move || hash(&password)).await?
    }

    /// Whether `password` is the one that was hashed. Where there is no hash,
    /// as for a user that does not exist, the same work is done in vain: the
    /// time it takes tells nothing.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        self.turn(move || {
            let known = hash.is_some();
            verify(&password, hash.as_deref().unwrap_or(NOBODYS)) && known
        })
        .await
    }

    async fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        const BUSY: Error = Error::LoginsBusy { retry_after: RETRY_AFTER };
        let _place = self.waiting.try_acquire().map_err(|_| BUSY)?;
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.map_err(|_| BUSY)?.map_err(|_| Error::ShuttingDown)?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|error| Error::Internal(format!("hashing a password failed: {error}")))
    }
}

/// A hash with the parameters of [`argon2id`], of a password that nobody has.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ\
                       $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// As OWASP's password storage cheat sheet advises: argon2id with 19 MiB, two
/// passes, one lane.
fn argon2id() -> Result<Argon2<'static>, Error> {
    let params = Params::new(19 * 1024, 2, 1, None);
    let params = params.map_err(|error| Error::Internal(format!("argon2: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, Error> {
    let salt: [u8; 16] = rand::random();
    let hashed = argon2id()?.hash_password_with_salt(password.as_bytes(), &salt);
    let hashed = hashed.map_err(|error| Error::Internal(format!("argon2: {error}")))?;
    Ok(hashed.to_string())
}

/// The parameters are those of the hash, so that older hashes stay valid.
fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Refuses a new password that is too short, too long, or the user's name.
pub(crate) fn check(key: &str, password: &str, name: &str) -> Result<(), Error> {
    let length = password.chars().count();
    let message = if !(SHORTEST..=LONGEST).contains(&length) {
        Text::new(
            format!("expected a password of {SHORTEST} to {LONGEST} characters, found {length}"),
            format!(
                "attendu : un mot de passe de {SHORTEST} à {LONGEST} caractères ; reçu : {length}"
            ),
        )
    } else if password.trim().eq_ignore_ascii_case(name) {
        Text::new(
            "expected a password that is not the user's name",
            "attendu : un mot de passe différent du nom de l'utilisateur",
        )
    } else if password.chars().all(|c| password.starts_with(c)) {
        Text::new(
            "expected a password of more than one character repeated",
            "attendu : un mot de passe qui ne répète pas un seul caractère",
        )
    } else {
        return Ok(());
    };
    Err(Error::Invalid(vec![Fault::error("password_invalid", message).at_key(format!("/{key}"))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_with_the_advised_parameters_and_a_salt_of_its_own() {
        let (one, other) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        assert!(verify("correct horse", &one) && !verify("correct horsf", &one));
    }

    #[test]
    fn the_hash_for_nobody_costs_the_same_and_matches_nothing() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let somebodys = hash("correct horse").unwrap();
        let somebodys = PasswordHash::new(&somebodys).unwrap();
        assert_eq!(nobodys.params, somebodys.params);
        assert_eq!(nobodys.hash.map(|h| h.len()), somebodys.hash.map(|h| h.len()));
        assert!(!verify("", NOBODYS));
    }

    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_sent_away_at_once() {
        let passwords = Passwords::default();
        let _all = passwords.waiting.acquire_many(WAITING as u32).await.unwrap();
        let refused = passwords.verify("x".to_owned(), None).await;
        assert!(matches!(refused, Err(Error::LoginsBusy { .. })), "{refused:?}");
    }

    #[test]
    fn a_password_that_is_no_password_is_refused_with_the_reason() {
        let reason = |password: &str| match check("password", password, "administrator") {
            Ok(()) => String::new(),
            Err(Error::Invalid(faults)) => faults[0].message.en.clone(),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(reason("elevenchars"), "expected a password of 12 to 256 characters, found 11");
        assert!(reason(&"x1".repeat(129)).ends_with("found 258"));
        assert!(reason("Administrator").contains("not the user's name"));
        assert!(reason("aaaaaaaaaaaa").contains("more than one character"));
        assert_eq!(reason("correct horse battery"), "");
    }
}
