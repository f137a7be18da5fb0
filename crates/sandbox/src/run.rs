//! A prepared run, what it can be assigned, and how it is ended early.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::error::Error;
use crate::link::Link;
use crate::outputs::Held;
use crate::running::{Prepared, Running};
use crate::wire::{Id, Reply, Request};

/// A forked, isolated process that waits for its one assignment. Dropping it
/// ends it.
#[derive(Debug)]
pub struct Ready {
    prepared: Prepared,
}

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
    /// The id of the request that asked for the work, which the run finds in
    /// `MECAPY_REQUEST_ID`.
    pub request_id: Option<Arc<str>>,
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
    /// Run the archive's `tests/` with pytest, which must be among the packages.
    /// Each test is an [`crate::Event`]; the result is pytest's `exit_status`.
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

/// Ends a run from elsewhere.
#[derive(Debug, Clone)]
pub struct Killer {
    orders: Arc<Orders>,
}

/// The first reason wins and wakes the driver.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    reason: OnceLock<Reason>,
    given: Notify,
}

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
    /// An assignment without input files and request, at normal priority.
    pub fn new(job: Job, code: PathBuf, limits: Limits) -> Self {
        Self { job, code, input_files: None, limits, request_id: None, low_priority: false }
    }
}

impl Ready {
    pub(crate) async fn prepare(link: Arc<Link>, template: Id) -> Result<Self, Error> {
        let (run, mut news) = link.new_run();
        let held = Held::new(link.clone(), run);
        link.send(&Request::Prepare { template, run }, &[]).await?;
        match news.recv().await {
            Some((Reply::Prepared { .. }, files)) => {
                let broken = |error: io::Error| Error::Prepare(error.to_string());
                Ok(Self { prepared: Prepared::new(link, run, held, news, files).map_err(broken)? })
            }
            Some((Reply::PrepareFailed { detail, by_packages: true, .. }, _)) => {
                Err(Error::Unfit(detail))
            }
            Some((Reply::PrepareFailed { detail, .. }, _)) => Err(Error::Prepare(detail)),
            Some((other, _)) => Err(Error::Prepare(format!("unexpected answer {other:?}"))),
            None => Err(Error::LauncherGone("it ended while a run was prepared".into())),
        }
    }

    /// Hands over the work and returns at once; the clock of the limits starts
    /// now. The work itself goes on while [`Running::outcome`] is awaited.
    pub fn assign(self, assignment: Assignment) -> Running {
        Running::new(self.prepared, assignment)
    }

    /// Whether the process still lives; one that died while waiting is to be
    /// thrown away.
    pub fn is_alive(&self) -> bool {
        self.prepared.is_alive()
    }
}

impl Killer {
    pub(crate) fn new(orders: Arc<Orders>) -> Self {
        Self { orders }
    }

    /// Kills every process of the run; the first reason decides the verdict.
    pub fn kill(&self, reason: Reason) {
        // A second reason changes nothing.
        let _ = self.orders.reason.set(reason);
        self.orders.given.notify_one();
    }
}

impl Orders {
    /// Waits until somebody wants the run to end.
    pub(crate) async fn given(&self) -> Reason {
        loop {
            let given = self.given.notified();
            if let Some(reason) = self.reason.get() {
                return *reason;
            }
            given.await;
        }
    }
}
