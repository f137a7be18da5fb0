//! Tasks, their attempts and leases, and what they leave behind.

use std::time::Duration;

use async_trait::async_trait;
use domain::manifest::RetryPolicy;
use domain::task::{Measured, Priority, Progress, QueueClass, State, TaskError};
use domain::{
    ArtifactId, CompanyId, Digest, Fault, FunctionId, LeaseToken, TaskId, Timestamp, UserId,
    VersionId, WorkerId,
};

use crate::{Cursor, Error, Page};

/// One calculation.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The owning company.
    pub company: CompanyId,
    /// Its id.
    pub id: TaskId,
    /// The function's name.
    pub name: String,
    /// Who submitted it.
    pub user: UserId,
    /// The function.
    pub function: FunctionId,
    /// The version.
    pub version: VersionId,
    /// The version's number, as text.
    pub version_number: String,
    /// Where it stands.
    pub state: State,
    /// Its place among its company's tasks.
    pub priority: Priority,
    /// Its queue.
    pub class: QueueClass,
    /// How long it is expected to take, in milliseconds.
    pub expected_ms: f64,
    /// Its wall-clock limit, in milliseconds.
    pub timeout_ms: u64,
    /// When a failure is tried again.
    pub retry: RetryPolicy,
    /// The number of the current or last attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// The worker of the current or last attempt.
    pub worker: Option<WorkerId>,
    /// Whether its cancellation was asked for while it ran.
    pub cancel_requested: bool,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Before this instant it waits for its next attempt.
    pub available_at: Timestamp,
    /// When its current or last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// What it last told of its progress, as of the end of an attempt.
    pub progress: Option<Progress>,
    /// How large its result is, and where it lies.
    pub result: Option<ResultRef>,
    /// JSON Pointers of NaN and infinities in the result.
    pub non_finite: Vec<String>,
    /// Why it failed.
    pub error: Option<TaskError>,
    /// Warnings on its result.
    pub warnings: Vec<Fault>,
    /// What was measured of its last attempt.
    pub measured: Option<Measured>,
    /// Whether its result was taken from an earlier run.
    pub cached: bool,
}

/// Where a result lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultRef {
    /// In the row, these exact bytes.
    Inline(Vec<u8>),
    /// In blobs, under this digest.
    Blob {
        /// SHA-256 of the bytes.
        digest: Digest,
        /// Their number.
        bytes: u64,
    },
}

/// Where the inputs of a task lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputsRef {
    /// In the row, the exact bytes that the run gets.
    Inline(Vec<u8>),
    /// In blobs, under this digest.
    Blob {
        /// SHA-256 of the bytes.
        digest: Digest,
        /// Their number.
        bytes: u64,
    },
}

/// A task about to be accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// The task: `queued` (`running` where `claim` is given), or as it ended
    /// where that was before it was written.
    pub task: Task,
    /// Its inputs.
    pub inputs: InputsRef,
    /// Key of the result cache, where the function says `cache: true`.
    pub cache_key: Option<Digest>,
    /// Where a slot is free and nobody is ahead, the first attempt.
    pub claim: Option<Claim>,
    /// Where it ended already: files that it produced; they lie in blobs.
    pub artifacts: Vec<Artifact>,
}

/// The right to run one attempt of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// Only who shows this token can complete the attempt.
    pub token: LeaseToken,
    /// Who runs it.
    pub worker: WorkerId,
    /// For how long the claim holds unless it is renewed.
    pub lease: Duration,
}

/// Names one attempt; nothing but its own token completes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The owning company.
    pub company: CompanyId,
    /// The task.
    pub task: TaskId,
    /// The attempt's number.
    pub attempt: u32,
    /// The token of its claim.
    pub token: LeaseToken,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// What becomes of the task.
    pub outcome: Outcome,
    /// The last progress that was told.
    pub progress: Option<Progress>,
    /// What was measured.
    pub measured: Measured,
    /// Files that were produced; they lie in blobs already.
    pub artifacts: Vec<Artifact>,
}

/// What becomes of a task after an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It has a result.
    Completed {
        /// The result.
        result: ResultRef,
        /// JSON Pointers of NaN and infinities.
        non_finite: Vec<String>,
        /// Warnings.
        warnings: Vec<Fault>,
    },
    /// It failed for good.
    Failed(TaskError),
    /// It was cancelled while it ran.
    Cancelled,
    /// It goes back to the queue, after a delay.
    Retry {
        /// Why this attempt failed.
        error: TaskError,
        /// How long it waits.
        delay: Duration,
    },
    /// It goes back to the queue at once and this attempt doesn't count:
    /// the worker drains.
    HandBack,
}

/// What the database did with an ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It was stored; the task is now in this state.
    Stored(State),
    /// The attempt was no longer the task's: nothing was stored.
    Fenced,
}

/// What a request to cancel came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It was waiting, and is cancelled now.
    Done,
    /// It runs; its worker is to be told.
    Requested,
    /// It had ended before.
    AlreadyEnded(State),
    /// There is no such task in the company.
    NotFound,
}

/// A file that a run produced.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// Its path below the outputs folder.
    pub name: String,
    /// Its media type, by its name's ending.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, under which it lies in blobs.
    pub digest: Digest,
}

/// What a listing of tasks is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Tasks in this state.
    pub state: Option<State>,
    /// Tasks of this function.
    pub function: Option<FunctionId>,
    /// Tasks of this user.
    pub user: Option<UserId>,
}

/// Tasks of a company.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Accepts a task: durable when this returns. Appends `task.queued`,
    /// `task.running` where a claim is given, and its end where it has ended.
    async fn submit(&self, task: NewTask) -> Result<(), Error>;
    /// One task.
    async fn task(&self, company: CompanyId, id: TaskId) -> Result<Option<Task>, Error>;
    /// The inputs of a task.
    async fn inputs(&self, company: CompanyId, id: TaskId) -> Result<Option<InputsRef>, Error>;
    /// A page of tasks, newest first, without inline results.
    async fn tasks(
        &self,
        company: CompanyId,
        filter: Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Task>, Error>;
    /// Gives a queued task to a worker: sets `running`, stores the attempt.
    /// `None` where it is not queued any more or not available yet.
    async fn claim(
        &self,
        company: CompanyId,
        id: TaskId,
        claim: Claim,
    ) -> Result<Option<(Task, InputsRef)>, Error>;
    /// Ends an attempt, fenced by (task, attempt, token): exactly one ending
    /// of a task is ever stored.
    async fn finish(&self, lease: Lease, ending: Ending) -> Result<Finished, Error>;
    /// Cancels a task.
    async fn cancel(&self, company: CompanyId, id: TaskId) -> Result<Cancelled, Error>;
    /// Deletes a task that ended, with its artifacts' rows; `false` where
    /// there is none such.
    async fn delete_task(&self, company: CompanyId, id: TaskId) -> Result<bool, Error>;
    /// The files that a task produced.
    async fn artifacts(&self, company: CompanyId, task: TaskId) -> Result<Vec<Artifact>, Error>;
    /// The newest completed task with this cache key that ended after
    /// `since`.
    async fn cached_result(
        &self,
        company: CompanyId,
        version: VersionId,
        key: Digest,
        since: Timestamp,
    ) -> Result<Option<Task>, Error>;
}
