//! What can go wrong with objects.

use std::io;
use std::time::Duration;

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
    /// What was uploaded is not of the size that was announced.
    #[error("{announced} bytes were announced, {found} came; nothing was kept, upload it again")]
    NotAsAnnounced {
        /// The bytes that were to come.
        announced: u64,
        /// Those that came.
        found: u64,
    },
    /// What may change under its key is not kept as a file.
    #[error("object {key} can be written anew: read it from the store, no copy of it is kept")]
    Changeable {
        /// The key.
        key: Key,
    },
    /// The copies that are in use leave no room for another.
    #[error(
        "no room for a copy of {needed} bytes beside those in use: {limit} bytes are allowed; \
         raise the limit, or run less at once"
    )]
    CacheFull {
        /// How many bytes all copies may have.
        limit: u64,
        /// How many were needed.
        needed: u64,
    },
    /// The settings of a store can't work.
    #[error("the object store can't be used as it is set: {0}")]
    Settings(String),
    /// No server answers.
    #[error(
        "the S3 server at {endpoint} can't be reached: {reason}; start it, or correct the endpoint"
    )]
    Away {
        /// Where it was looked for.
        endpoint: String,
        /// What the network said.
        reason: String,
    },
    /// The server shows a certificate that is not trusted.
    #[error(
        "the S3 server at {endpoint} is not trusted: {reason}; name the file of its authority's \
         certificate, or correct the endpoint"
    )]
    Untrusted {
        /// Which server.
        endpoint: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// The server hangs.
    #[error(
        "the S3 server at {endpoint} sent and took nothing for {silence:?} while it was to \
         {action} {key}; look at its load and at the network, or allow it more time"
    )]
    Silent {
        /// Which server.
        endpoint: String,
        /// What was tried.
        action: &'static str,
        /// On what: a key, a company and area, or a folder.
        key: String,
        /// How long it was waited for.
        silence: Duration,
    },
    /// The server does not know the keys, or they are wrong.
    #[error(
        "the S3 server at {endpoint} does not accept the keys ({code}); correct the access key \
         and the secret key"
    )]
    Keys {
        /// Which server.
        endpoint: String,
        /// Its word for it.
        code: String,
    },
    /// The keys are right and don't suffice.
    #[error(
        "the S3 server forbids to {action} {key} ({code}); give the keys the right to read, \
         write, list and delete in the bucket {bucket}, and see that they are right"
    )]
    Forbidden {
        /// What was tried.
        action: &'static str,
        /// On what: a key, a company and area, or a folder.
        key: String,
        /// In which bucket.
        bucket: String,
        /// The server's word for it.
        code: String,
    },
    /// There is no such bucket.
    #[error("there is no bucket {bucket} at {endpoint}; create it, or correct its name")]
    NoBucket {
        /// Its name.
        bucket: String,
        /// Where it was looked for.
        endpoint: String,
    },
    /// The bucket is in another region than the settings say.
    #[error("the bucket {bucket} is not in the region {region}; correct the region ({said})")]
    Region {
        /// The bucket.
        bucket: String,
        /// The region of the settings.
        region: String,
        /// What the server said.
        said: String,
    },
    /// The two clocks differ by more than the server allows.
    #[error(
        "the clock of this machine and that of the S3 server at {endpoint} differ too much; \
         set this machine's clock"
    )]
    Skewed {
        /// Which server.
        endpoint: String,
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
    /// The error that the stream of an object carried.
    pub(crate) fn from_read(key: Key, reason: io::Error) -> Self {
        reason.downcast().unwrap_or_else(|reason| Self::from_io("read", key, reason))
    }

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
