//! What is queued, what is wanted, and how much waits.

use domain::task::{Priority, QueueClass};
use domain::{CompanyId, TaskId, Timestamp, VersionId, WorkerId};

/// A task as the queue knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queued {
    /// The owning company.
    pub company: CompanyId,
    /// The company's share of the workers against the others'; at least 1.
    /// The value of the task that was enqueued last counts.
    pub company_weight: u32,
    /// How many tasks of the company may run at once. The value of the task
    /// that was enqueued last counts.
    pub max_running: Option<u32>,
    /// Its id.
    pub task: TaskId,
    /// The version it runs; predictions are kept by version.
    pub version: VersionId,
    /// Its queue.
    pub class: QueueClass,
    /// Its place among its company's tasks of `default` and `long_running`.
    pub priority: Priority,
    /// How long it is expected to take, in milliseconds.
    pub expected_ms: f64,
    /// When it was accepted; with its id this is its place in line.
    pub submitted_at: Timestamp,
    /// Before this instant it is not given out.
    pub available_at: Timestamp,
}

/// The slot that a worker offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Whether it is the only one of several that its worker has left. No
    /// `long_running` task gets it, and no company that runs something else
    /// while it is kept for one that ran something lately.
    pub last: bool,
    /// Whose it is, where there are several workers.
    pub worker: Option<WorkerId>,
}

impl Want {
    /// Any slot but the last of several.
    pub const ANY: Self = Self { last: false, worker: None };
    /// The last of several.
    pub const LAST: Self = Self { last: true, worker: None };

    /// A slot of a worker that has `free` of `total` left.
    #[must_use]
    pub fn slot(free: u32, total: u32) -> Self {
        Self { last: free <= 1 && total > 1, worker: None }
    }

    /// The same slot, of this worker.
    #[must_use]
    pub fn of(self, worker: WorkerId) -> Self {
        Self { worker: Some(worker), ..self }
    }
}

/// How much waits and runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depths {
    /// All three classes, in their order.
    pub classes: Vec<ClassDepth>,
    /// Companies that have something waiting or running, by id.
    pub companies: Vec<CompanyDepth>,
}

/// One class over all companies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassDepth {
    /// The class.
    pub class: QueueClass,
    /// Tasks that wait, delayed ones included.
    pub waiting: u64,
    /// Tasks that run.
    pub running: u64,
    /// When the oldest of those that wait was accepted.
    pub oldest_submitted_at: Option<Timestamp>,
}

/// One company over all classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompanyDepth {
    /// The company.
    pub company: CompanyId,
    /// Tasks that wait, delayed ones included.
    pub waiting: u64,
    /// Tasks that run.
    pub running: u64,
}

/// How much of one company waits and runs, and what is next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Tasks that wait, delayed ones included.
    pub waiting: u64,
    /// Tasks that run.
    pub running: u64,
    /// The next of each class, class by class.
    pub next: Vec<InLine>,
}

/// A task that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InLine {
    /// The task.
    pub task: TaskId,
    /// How many of its company and class are ahead of it.
    pub ahead: u64,
}
