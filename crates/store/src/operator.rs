//! What sees all companies: the queue's rebuild, leases, workers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::task::{Priority, QueueClass, State};
use domain::{Clock, CompanyId, DeploymentId, TaskId, Timestamp, VersionId, WorkerId};

use crate::Error;
use crate::tasks::Lease;

/// A waiting task, as the broker orders it.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// The owning company.
    pub company: CompanyId,
    /// The task.
    pub task: TaskId,
    /// The version it runs.
    pub version: VersionId,
    /// Its queue.
    pub class: QueueClass,
    /// Its place among its company's tasks.
    pub priority: Priority,
    /// How long it is expected to take, in milliseconds.
    pub expected_ms: f64,
    /// The attempt that comes next, from 1.
    pub next_attempt: u32,
    /// Before this instant it is not to be given out.
    pub available_at: Timestamp,
}

/// A task whose lease ran out.
#[derive(Clone, Debug, PartialEq)]
pub struct Reaped {
    /// The attempt that was lost.
    pub lease: Lease,
    /// `queued` again, `failed` past its attempts, or `cancelled` where that
    /// was asked for.
    pub state: State,
    /// The task as the broker orders it, where it is queued again.
    pub queued: Option<Queued>,
}

/// A process that runs tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// Its id, new at every start.
    pub id: WorkerId,
    /// The name of its machine.
    pub host: String,
    /// How many tasks it runs at once.
    pub slots: u32,
    /// Whether it takes no more tasks.
    pub draining: bool,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// When it last said that it is there.
    pub seen_at: Timestamp,
    /// What it says of itself.
    pub status: Option<serde_json::Value>,
}

/// What sees all companies. Nothing that answers a company's request may use
/// it on that company's behalf.
#[async_trait]
pub trait Operator: Send + Sync {
    /// All queued tasks, oldest first, after the given one.
    async fn queued(&self, after: Option<TaskId>, limit: u32) -> Result<Vec<Queued>, Error>;
    /// All running tasks, oldest first, after the given one.
    async fn running(&self, after: Option<TaskId>, limit: u32) -> Result<Vec<Queued>, Error>;
    /// Renews leases; answers those that are no longer held.
    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Lease>, Error>;
    /// Ends attempts whose lease ran out: `queued` again, or `failed` with
    /// kind `lost_worker` past the task's attempts, or `cancelled` where that
    /// was asked for. At most `limit` at once.
    async fn reap(&self, limit: u32) -> Result<Vec<Reaped>, Error>;
    /// Like `reap`, for all attempts of workers other than `survivor`,
    /// whatever their leases: an embedded server knows at its start that
    /// every earlier worker is dead.
    async fn reap_all_but(&self, survivor: WorkerId) -> Result<Vec<Reaped>, Error>;
    /// When the earliest lease ends, while any attempt is open.
    async fn earliest_lease(&self) -> Result<Option<Timestamp>, Error>;
    /// Deployments that are still running: those that a crash cut off.
    async fn open_deployments(&self) -> Result<Vec<(CompanyId, DeploymentId)>, Error>;
    /// Gives a worker up to `limit` running deployments that no other has in
    /// hand, for as long as `lease`.
    async fn claim_deployments(
        &self,
        worker: WorkerId,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<(CompanyId, DeploymentId)>, Error>;
    /// Renews the lease of every running deployment that the worker has in
    /// hand; a lease of no time gives them back.
    async fn renew_deployments(&self, worker: WorkerId, lease: Duration) -> Result<u64, Error>;
    /// Registers a worker or updates it.
    async fn put_worker(&self, worker: Worker) -> Result<(), Error>;
    /// Workers seen within `within`.
    async fn workers(&self, within: Duration) -> Result<Vec<Worker>, Error>;
    /// Number of tasks in each state over all companies.
    async fn counts(&self) -> Result<Vec<(State, u64)>, Error>;
    /// The database's clock, with which leases compare: the same for every
    /// process on one PostgreSQL, whatever its machine's says.
    fn clock(&self) -> Arc<dyn Clock>;
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), Error>;
    /// Writes what is pending and closes.
    async fn close(&self);
}
