//! Durable events: one per state change, written with it.

use serde::{Deserialize, Serialize};

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A task was accepted.
    TaskQueued,
    /// A task was given to a worker.
    TaskRunning,
    /// A task ended with a result.
    TaskCompleted,
    /// A task ended with an error.
    TaskFailed,
    /// A task was cancelled.
    TaskCancelled,
    /// A task goes back to the queue for another attempt.
    TaskRetried,
    /// A deployment reached its next stage.
    DeploymentStage,
    /// A deployment ended as `deployed`.
    DeploymentDeployed,
    /// A deployment ended as `failed`.
    DeploymentFailed,
}

impl Kind {
    /// The event's name in streams, such as `task.completed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskQueued => "task.queued",
            Self::TaskRunning => "task.running",
            Self::TaskCompleted => "task.completed",
            Self::TaskFailed => "task.failed",
            Self::TaskCancelled => "task.cancelled",
            Self::TaskRetried => "task.retried",
            Self::DeploymentStage => "deployment.stage",
            Self::DeploymentDeployed => "deployment.deployed",
            Self::DeploymentFailed => "deployment.failed",
        }
    }
}
