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
}
