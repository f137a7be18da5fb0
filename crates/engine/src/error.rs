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
    /// The caller's token is narrowed to other scopes.
    #[error("this needs the scope {needed}")]
    OutOfScope {
        /// The scope that would do.
        needed: &'static str,
    },
    /// There is no user of this name with this password; not which of both.
    #[error("the name or the password is wrong")]
    WrongLogin,
    /// The password was right, and the user belongs to no company, or not to
    /// the one that was asked for.
    #[error("the user is no member of the company")]
    NoCompany,
    /// Too many logins failed (429).
    #[error("too many logins failed; wait {retry_after:?}")]
    TooManyLogins {
        /// When the next is looked at.
        retry_after: Duration,
    },
    /// More log in at once than passwords can be checked (503).
    #[error("too many log in at once")]
    LoginsBusy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The repository was not fetched.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// More repositories are asked for than are fetched at once (429).
    #[error("too many repositories are being fetched")]
    FetchesBusy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// There is no open invitation with this secret.
    #[error("the invitation is unknown, was used or revoked, or has ended")]
    InvitationGone,
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
    /// The company has used up what it may in a day (429).
    #[error("the company has used {} of {} {}", .0.used, .0.limit, .0.quota)]
    QuotaReached(crate::Reached),
    /// The company keeps as much as it may (413).
    #[error("the company keeps {used_bytes} of {limit_bytes} bytes")]
    StorageFull {
        /// The company's bound.
        limit_bytes: u64,
        /// What it keeps.
        used_bytes: u64,
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
