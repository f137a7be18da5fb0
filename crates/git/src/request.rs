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
    /// The user; most servers take any name beside a token.
    pub user: String,
    /// The token or password.
    pub secret: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The bounds of one fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// What the server may send, compressed, in bytes.
    pub pack_bytes: u64,
    /// The files of the folder together, in bytes.
    pub files_bytes: u64,
    /// Files and folders that are looked at.
    pub entries: u64,
    /// From the first byte to the last.
    pub wall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pack_bytes: 256 << 20,
            files_bytes: 500 << 20,
            entries: 10_000,
            wall: Duration::from_secs(60),
        }
    }
}
