//! The repositories in SQL, written once for both databases.
//!
//! The statements are what SQLite and PostgreSQL both understand; each
//! database brings its way to a connection ([`Database`]), its values and its
//! migrations. Statements run one after the other and block, on threads that
//! may: SQLite answers in microseconds anyway, and PostgreSQL's few
//! connections have a thread each while they are used (`docs/decisions/0015`).

mod accounts;
mod attempts;
mod audit;
mod cells;
mod code;
mod deployments;
mod events;
mod files;
mod functions;
mod idempotency;
mod invitations;
mod job;
mod logins;
mod operator;
pub(crate) mod rows;
mod task_rows;
mod tasks;
pub(crate) mod value;

use std::sync::Arc;

use domain::{Clock, CompanyId};

pub(crate) use job::{Job, Write};
pub(crate) use rows::{Db, Failure};

use crate::Error;

/// Whose rows a write changes. Where several processes write at once, those
/// of one company take turns, which is what numbers its events without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The hot path of this company's tasks: may share a commit with others.
    Tasks(CompanyId),
    /// Anything else of this company.
    Company(CompanyId),
    /// Tasks of these companies.
    Companies(Vec<CompanyId>),
    /// What belongs to no company, or to several: never tasks or events.
    Platform,
}

/// One of the databases: where statements run.
pub(crate) trait Database: Send + Sync + 'static {
    /// Runs `work` in a transaction; durable when this returns.
    fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        of: Of,
        work: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send;

    /// A read by key: one statement.
    fn look_up<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send;

    /// A read whose length depends on the data, in one snapshot.
    fn scan<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send;

    /// The clock with which leases compare.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Whether writes are still taken.
    fn takes_writes(&self) -> bool;

    /// Ends what was let in, then closes; later calls answer `Closed`.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
