//! How a run ended, and what it took.

use std::time::Duration;

use crate::outputs::Outputs;

/// The end of a run, as the host saw it. When it is there, every process of
/// the run is dead.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict.
    pub end: End,
    /// What the run took, by the kernel's count.
    pub measured: Measured,
    /// The files the run left behind; they live as long as this value.
    pub outputs: Outputs,
}

/// The verdict on a run.
#[derive(Debug)]
pub enum End {
    /// The job gave a result.
    Result {
        /// Exactly one UTF-8 JSON value, byte for byte as the runner's encoder
        /// wrote it.
        json: bytes::Bytes,
        /// JSON Pointers of the non-finite numbers, in document order.
        non_finite: Vec<String>,
    },
    /// The job gave no result.
    Failed(Failure),
}

/// Why a job gave no result.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The kind, with limits and measured values.
    pub kind: FailureKind,
    /// One or two sentences for the author of the calculation.
    pub message: String,
    /// The same in French where the sentence is the platform's own.
    pub french: Option<String>,
    /// The Python traceback without the platform's own frames.
    pub traceback: Option<String>,
}

/// The kinds of failure.
#[derive(Debug, Clone, PartialEq)]
pub enum FailureKind {
    /// The handler raised, or is missing.
    UserError {
        /// The exception's class name, such as `ZeroDivisionError`.
        exception: String,
    },
    /// The handler returned what can't be written as JSON.
    Unencodable {
        /// JSON Pointer to it.
        pointer: String,
    },
    /// The time limit passed.
    Timeout {
        /// The limit.
        limit: Duration,
        /// When it was stopped.
        measured: Duration,
    },
    /// The memory limit was hit.
    OutOfMemory {
        /// The limit in bytes.
        limit_bytes: u64,
        /// The highest use seen, in bytes.
        peak_bytes: u64,
    },
    /// A process of the run died by a signal nobody here sent.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// The result, or the output files, are larger than allowed.
    OutputTooLarge {
        /// The limit that was passed.
        limit: u64,
        /// What was measured; at least this much.
        measured: u64,
    },
    /// The run ended without a result or wrote something that is none.
    InvalidOutput,
    /// [`crate::Killer::kill`] with [`crate::Reason::Cancelled`].
    Cancelled,
    /// The sandbox failed, not the job; a retry may help.
    Internal,
}

/// What a run took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// From the assignment to the end.
    pub wall: Duration,
    /// From the assignment until the user's code began to load.
    pub startup: Duration,
    /// CPU time of all processes of the run since the assignment.
    pub cpu: Duration,
    /// The highest memory use, the run's files in memory included; pages
    /// shared with the template count for the template.
    pub peak_memory_bytes: u64,
}
