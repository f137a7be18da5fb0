//! What a use case can answer instead of what was asked for.

use std::time::Duration;

use domain::Fault;

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing in the caller's company; whether another
    /// company has one is not told.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The token is missing, unknown, expired or revoked.
    #[error("the token is not valid")]
    Unauthenticated,
    /// The caller's role does not allow it.
    #[error("this needs the role {needed}")]
    Forbidden {
        /// The role that would do.
        needed: &'static str,
    },
    /// What was sent is not valid; every fault of it.
    #[error("{} fault(s) in what was sent", .0.len())]
    Invalid(Vec<Fault>),
    /// The packages that were asked for can't be had now, through no fault of
    /// the caller's (503).
    #[error("the environment can't be had: {} fault(s)", .0.len())]
    NoEnvironment(Vec<Fault>),
    /// What was sent is larger than allowed.
    #[error("{what} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// `archive`, `inputs`, `file`.
        what: &'static str,
        /// The limit.
        limit_bytes: u64,
    },
    /// The name is taken.
    #[error("{what} `{name}` exists already")]
    NameTaken {
        /// `company`, `token` …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The state of the thing does not allow it.
    #[error("{what} is {state}")]
    WrongState {
        /// `task`, `deployment`.
        what: &'static str,
        /// The state it is in.
        state: &'static str,
    },
    /// The platform's queue is full: everybody has to wait (503).
    #[error("the queue is full: {queued} tasks wait")]
    QueueFull {
        /// Tasks that wait.
        queued: u64,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The company's own bound is reached (429).
    #[error("the company has {queued} of {limit} tasks waiting")]
    CompanyQueueFull {
        /// Tasks of the company that wait.
        queued: u64,
        /// The company's bound.
        limit: u64,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The server is going down and takes nothing new (503).
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The object store failed.
    #[error(transparent)]
    Blobs(#[from] blobs::Error),
    /// The broker failed.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// Something that cannot happen did.
    #[error("{0}")]
    Internal(String),
}
