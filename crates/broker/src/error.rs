//! What can go wrong with the broker.

/// An error of the broker. Absence is no error: look-ups answer `None`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// As many tasks wait as may.
    #[error(
        "{queued} tasks wait and {limit} may: try again when some have run, \
         or have the operator raise `limits.queued_tasks`"
    )]
    Full {
        /// How many wait, places that are being filled included.
        queued: u64,
        /// How many may.
        limit: u64,
    },
    /// As many tasks of one company wait as may.
    #[error("{queued} tasks of the company wait and {limit} may: try again when some have run")]
    CompanyFull {
        /// How many wait, places that are being filled included.
        queued: u64,
        /// How many may.
        limit: u64,
    },
    /// The server of the broker does not answer.
    #[error(
        "expected Redis at {address}, found none that answers: {why}; it is tried again \
         all the time: see that it runs there, and that its URL is right"
    )]
    Away {
        /// Host and port.
        address: String,
        /// What was found instead.
        why: String,
    },
    /// The server of the broker does not let us in.
    #[error(
        "Redis at {address} does not let us in: {why}; expected a URL such as \
         redis://user:password@host:6379/0 with a user and a password that it knows"
    )]
    Denied {
        /// Host and port.
        address: String,
        /// What it said.
        why: String,
    },
    /// The server of the broker does not let our user do what it must.
    #[error(
        "Redis at {address} refuses our user: {why}; expected a user with the rule: ACL SETUSER <user> {rule}"
    )]
    Rights {
        /// Host and port.
        address: String,
        /// What it said.
        why: String,
        /// What the user must be allowed.
        rule: String,
    },
    /// The server of the broker can't be talked to, and won't be until
    /// somebody mends something.
    #[error("Redis at {address} can't be used: {why}")]
    Unusable {
        /// Host and port.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// The URL or the certificate of the broker's server can't be read.
    #[error(
        "{what} of Redis can't be read: {why}; expected redis://user:password@host:port/db, \
         or rediss:// for TLS"
    )]
    Settings {
        /// Which setting.
        what: &'static str,
        /// Why not.
        why: String,
    },
}
