//! What can go wrong with objects.

use std::io;

use domain::Digest;

use crate::Key;

/// An error of the store of objects.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no object under the key.
    #[error("there is no object {key}")]
    NotFound {
        /// The key.
        key: Key,
    },
    /// The object is larger than the caller allows; nothing was stored.
    #[error("{limit} bytes are allowed, at least {measured} came; send less, or raise the limit")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// How many bytes there were when it was given up, at least.
        measured: u64,
    },
    /// The content is not what the key says.
    #[error(
        "object {key} has the digest {found}: its content was changed or damaged; \
         restore it from a backup"
    )]
    Corrupt {
        /// The key, whose name is the digest that was expected.
        key: Key,
        /// The digest of what is there.
        found: Digest,
    },
    /// The sender failed before all had arrived; nothing was stored.
    #[error("the sender stopped after {received} bytes: {reason}; send it again")]
    Source {
        /// How many bytes had arrived.
        received: u64,
        /// What the sender's side said.
        reason: io::Error,
    },
    /// What was to be stored is no regular file.
    #[error("expected a regular file, found something else; nothing was stored")]
    NotAFile,
    /// The disk or the owner's share of it is full; nothing was stored.
    #[error(
        "no space left while storing {key}: free space on the disk of the data folder, \
             or lower what is kept"
    )]
    DiskFull {
        /// What was being stored: a key, or a company and area.
        key: String,
    },
    /// The store itself failed.
    #[error("the object store failed while it tried to {action} {key}: {reason}")]
    Backend {
        /// What was tried.
        action: &'static str,
        /// On what: a key, a company and area, or a folder.
        key: String,
        /// What the system said.
        reason: io::Error,
    },
}

impl Error {
    /// The error of a step of the store that failed, told apart by its cause.
    pub(crate) fn from_io(action: &'static str, key: impl ToString, reason: io::Error) -> Self {
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { key: key.to_string() }
            }
            _ => Self::Backend { action, key: key.to_string(), reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_apart_from_other_failures() {
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            let error = Error::from_io("write", "x", errno.into());
            assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        }
        let error = Error::from_io("write", "x", rustix::io::Errno::IO.into());
        assert!(matches!(error, Error::Backend { .. }), "{error}");
    }
}
