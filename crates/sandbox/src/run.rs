//! A prepared run, what it is assigned, and what can be done with it while it works.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::events::Events;
use crate::outcome::Outcome;

/// A forked, isolated process that waits for its one assignment. Dropping it
/// ends it.
#[derive(Debug)]
pub struct Ready {}

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The kind of work.
    pub job: Job,
    /// Host folder with the code, mounted read-only at `/code`.
    pub code: PathBuf,
    /// Host folder with input files, mounted read-only at `/inputs`.
    pub input_files: Option<PathBuf>,
    /// What it may use.
    pub limits: Limits,
    /// Chunks of a study: at low CPU weight, so that a person's run goes first.
    pub low_priority: bool,
}

/// The kinds of work.
#[derive(Debug, Clone)]
pub enum Job {
    /// Import `handler.py` of the code folder and call `calculate(inputs)`.
    Calculate {
        /// The inputs, one JSON object. A string that starts with `/inputs/`
        /// reaches the handler as it is.
        inputs: Bytes,
    },
    /// Run the archive's `tests/` with pytest; the result is a JSON report.
    /// Needs pytest among the packages.
    Pytest,
    /// Compile every `.py` of the code folder to bytecode in the outputs
    /// folder; used by [`crate::Template::compile`].
    Compile,
}

/// What a run may use. The defaults are those of a function without limits of
/// its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Memory with swap, the run's files in `/tmp` and outputs included.
    pub memory_bytes: u64,
    /// CPU quota in cores.
    pub cpu_cores: f64,
    /// Processes and threads.
    pub pids: u64,
    /// From the assignment to the kill.
    pub wall: Duration,
    /// Longest result, in bytes of JSON.
    pub result_bytes: u64,
    /// Log text kept, both streams together.
    pub log_bytes: u64,
    /// Output files together.
    pub artifact_bytes: u64,
    /// Number of output files.
    pub artifact_count: u64,
}

/// A run at work. Dropping it kills the run.
#[derive(Debug)]
pub struct Running {}

/// Ends a run from elsewhere.
#[derive(Debug, Clone)]
pub struct Killer {}

/// Why a run is ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Somebody asked for it: [`crate::FailureKind::Cancelled`].
    Cancelled,
    /// The worker gives it up: [`crate::FailureKind::Internal`].
    Abandoned,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 2048 << 20,
            cpu_cores: 2.0,
            pids: 128,
            wall: Duration::from_secs(300),
            result_bytes: 128 << 20,
            log_bytes: 1 << 20,
            artifact_bytes: 256 << 20,
            artifact_count: 1000,
        }
    }
}

impl Assignment {
    /// An assignment without input files, at normal priority.
    pub fn new(job: Job, code: PathBuf, limits: Limits) -> Self {
        Self { job, code, input_files: None, limits, low_priority: false }
    }
}

impl Ready {
    /// Hands over the work and returns at once; the clock of the limits starts now.
    /// Must be called inside a tokio runtime.
    pub fn assign(self, assignment: Assignment) -> Running {
        let _ = assignment;
        todo!()
    }

    /// Whether the process still lives; one that died while waiting is to be
    /// thrown away.
    pub fn is_alive(&self) -> bool {
        todo!()
    }
}

impl Running {
    /// The live stream of logs and progress; `None` the second time.
    pub fn events(&mut self) -> Option<Events> {
        todo!()
    }

    /// A handle that can end the run while somebody awaits its outcome.
    pub fn killer(&self) -> Killer {
        todo!()
    }

    /// Waits for the end. Always comes: the time limit is kept by the host.
    pub async fn outcome(self) -> Outcome {
        todo!()
    }
}

impl Killer {
    /// Kills every process of the run; the first reason decides the verdict.
    pub fn kill(&self, reason: Reason) {
        let _ = reason;
        todo!()
    }
}
