//! Why a repository was not fetched.

use std::io;

use serde::{Deserialize, Serialize};

/// Why a repository was not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Error {
    /// The URL is none that is fetched from; one of a redirect, too.
    #[error("{0:?} is not the https URL of a repository")]
    Url(String),
    /// The name of the branch, tag or commit can't be one.
    #[error("{0:?} can't be the name of a branch, tag or commit")]
    Reference(String),
    /// The folder's path leads out of the repository, or is none.
    #[error("{0:?} can't be a folder of a repository")]
    Path(String),
    /// The host's address is not one that is called.
    #[error("{host} has the address {address}, which is not public")]
    Address {
        /// The host as it was named.
        host: String,
        /// What it resolved to.
        address: String,
    },
    /// The server can't be reached or broke off.
    #[error("the server can't be reached: {0}")]
    Unreachable(String),
    /// The server at this host asks who calls, or doesn't let this caller in.
    #[error("{0} wants another token")]
    Unauthorized(String),
    /// This host has no such repository, or none that the caller may see.
    #[error("{0} has no such repository")]
    NoRepository(String),
    /// What answers is no Git server that is understood.
    #[error("no Git server: {0}")]
    NotGit(String),
    /// The server refused, in its own words.
    #[error("the server says: {0}")]
    Said(String),
    /// The repository names its objects by SHA-256.
    #[error("the repository names its objects by SHA-256")]
    Sha256,
    /// There is no such branch, tag or commit.
    #[error("there is no branch, tag or commit {0:?}")]
    NoReference(String),
    /// A branch and a tag have this name.
    #[error("{0:?} is both a branch and a tag")]
    Ambiguous(String),
    /// There is no such folder at that commit.
    #[error("there is no folder {0:?}")]
    NoFolder(String),
    /// Entries below the folder are no plain files; each path with what it is.
    #[error("{} entries are no plain files", .0.len())]
    Entries(Vec<(String, Special)>),
    /// More than a fetch may take.
    #[error("more than {limit} {bound:?}")]
    TooLarge {
        /// Of what.
        bound: Bound,
        /// What is allowed.
        limit: u64,
    },
    /// It took longer than it may.
    #[error("it takes too long")]
    TooSlow,
    /// What came is no valid part of a repository, or takes too much to read.
    #[error("the repository can't be read: {0}")]
    Broken(String),
    /// This machine failed.
    #[error("fetching failed here: {0}")]
    Here(String),
}

/// What an entry of a repository can be that is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Special {
    /// A symbolic link.
    Link,
    /// A commit of another repository.
    Submodule,
    /// A pointer to a file that Git LFS keeps elsewhere.
    Lfs,
    /// One with a name that Git doesn't make, such as `..` or `.git`.
    Name,
    /// A second one of the same name.
    Twice,
}

/// What of a fetch is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// Bytes that the server sends.
    Sent,
    /// Bytes of all objects, unpacked.
    Unpacked,
    /// Bytes of one object.
    Object,
    /// Objects.
    Objects,
    /// Objects that are each made from the one before.
    Chain,
    /// Bytes of the folder's files.
    Files,
    /// Files and folders.
    Entries,
    /// Folders within folders.
    Depth,
}

impl Bound {
    pub(crate) fn check(self, found: u64, limit: u64) -> Result<(), Error> {
        if found > limit { Err(Error::TooLarge { bound: self, limit }) } else { Ok(()) }
    }
}

/// What reading a server's answer fails with; our own words pass through it.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(own) = inner.and_then(|inner| inner.downcast_ref::<Self>()) {
            return own.clone();
        }
        match inner.and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            Some(ureq::Error::Timeout(_)) => Self::TooSlow,
            _ if error.kind() == io::ErrorKind::TimedOut => Self::TooSlow,
            _ => Self::Unreachable(format!("it broke off ({error})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reading_fails_with_keeps_its_reason() {
        let own = Error::TooLarge { bound: Bound::Sent, limit: 7 };
        assert_eq!(Error::from(io::Error::other(own.clone())), own);
        assert_eq!(Error::from(io::Error::from(io::ErrorKind::TimedOut)), Error::TooSlow);
        let broken = Error::from(io::Error::from(io::ErrorKind::UnexpectedEof));
        assert!(broken.to_string().contains("broke off"), "{broken}");
    }
}
