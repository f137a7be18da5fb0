//! What is asked for, and how much of it is taken.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A folder of a repository at a branch, tag or commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `https://host/path`, without user or password.
    pub url: String,
    /// A branch, tag or the 40 digits of a commit; the repository's default
    /// branch where absent.
    pub reference: Option<String>,
    /// The folder, `functions/bolt`; the whole repository where absent.
    pub path: Option<String>,
    /// Who asks, where the repository is not public.
    pub login: Option<Login>,
}

/// A user and a token or password, shown to the repository's server only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    user: String,
    secret: String,
}

impl Login {
    /// A token, or `user:token` for a server that asks for the user's name
    /// beside it. Most take any name.
    #[must_use]
    pub fn of_token(token: &str) -> Self {
        let (user, secret) = token.split_once(':').unwrap_or(("oauth2", token));
        Self { user: user.to_owned(), secret: secret.to_owned() }
    }

    /// As HTTP's scheme `Basic` writes it before it is encoded.
    pub(crate) fn pair(&self) -> String {
        format!("{}:{}", self.user, self.secret)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The bounds of one fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// What the server may send, in bytes.
    pub sent_bytes: u64,
    /// All objects together once unpacked, in bytes.
    pub unpacked_bytes: u64,
    /// An object that is made from another, each of both, in bytes.
    pub object_bytes: u64,
    /// Objects of the commit: files, folders and itself.
    pub objects: u64,
    /// Objects that are each made from the one before.
    pub chain: u64,
    /// The files of the folder together, in bytes.
    pub files_bytes: u64,
    /// Files and folders below the folder.
    pub entries: u64,
    /// Folders within folders.
    pub depth: u64,
    /// From the first byte to the last of the network.
    pub wall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sent_bytes: 256 << 20,
            unpacked_bytes: 1 << 30,
            object_bytes: 128 << 20,
            objects: 200_000,
            chain: 4096,
            files_bytes: 500 << 20,
            entries: 10_000,
            depth: 64,
            wall: Duration::from_secs(50),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_come_with_a_user_and_is_never_printed() {
        assert_eq!(Login::of_token("s3cret").pair(), "oauth2:s3cret");
        assert_eq!(Login::of_token("ada:s3cret:x").pair(), "ada:s3cret:x");
        let shown = format!("{:?}", Login::of_token("ada:s3cret"));
        assert!(shown.contains("ada") && !shown.contains("s3cret"), "{shown}");
    }
}
