//! One attempt, from a taken slot to its report.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use broker::Want;
use domain::Text;
use domain::task::{ErrorKind, Measured, Progress, TaskError};
use engine::{End, Report, Slot, Work};
use sandbox::{Assignment, Event, Job, Killer, Limits, Reason};
use store::tasks::Lease;

use crate::slots::Taken;
use crate::templates::Start;
use crate::{Worker, report};

/// A free place, ready to run a task.
pub(crate) struct TakenSlot {
    pub(crate) worker: Worker,
    pub(crate) slot: Taken,
}

impl Slot for TakenSlot {
    fn want(&self) -> Want {
        self.slot.want()
    }

    fn start(self: Box<Self>, work: Work) {
        let Self { worker, slot } = *self;
        let control = Control::new(work.lease);
        worker.lock().insert(work.lease, control.clone());
        worker.0.began.notify_one();
        let jobs = worker.0.jobs.clone();
        jobs.spawn(async move { attempt(worker, slot, work, control).await });
    }
}

/// What can be done to a run from outside.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) lease: Lease,
    pub(crate) since: Instant,
    asked: Arc<AtomicU8>,
    killer: Arc<Mutex<Option<Killer>>>,
}

/// Nothing was asked of the run.
const GO_ON: u8 = 0;
const CANCEL: u8 = 1;
const HAND_BACK: u8 = 2;
const ABANDON: u8 = 3;

impl Control {
    fn new(lease: Lease) -> Self {
        Self {
            lease,
            since: Instant::now(),
            asked: Arc::new(AtomicU8::new(GO_ON)),
            killer: Arc::default(),
        }
    }

    /// Ends the run because its caller wants it no more.
    pub(crate) fn cancel(&self) {
        self.ask(CANCEL);
    }

    /// Ends the run because the worker goes down; another attempt will come.
    pub(crate) fn hand_back(&self) {
        self.ask(HAND_BACK);
    }

    /// Ends the run because another worker has its task by now.
    pub(crate) fn abandon(&self) {
        self.ask(ABANDON);
    }

    fn ask(&self, what: u8) {
        // The first reason decides.
        let _ = self.asked.compare_exchange(GO_ON, what, Ordering::SeqCst, Ordering::SeqCst);
        if let Some(killer) = &*self.killer.lock().unwrap_or_else(PoisonError::into_inner) {
            killer.kill(Reason::Cancelled);
        }
    }

    /// Makes the run reachable; one that was asked to end before ends now.
    fn attach(&self, killer: Killer) {
        let mut slot = self.killer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.asked.load(Ordering::SeqCst) != GO_ON {
            killer.kill(Reason::Cancelled);
        }
        *slot = Some(killer);
    }

    fn asked(&self) -> u8 {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn attempt(worker: Worker, slot: Taken, work: Work, control: Control) {
    let id = work.task.id;
    let began = Instant::now();
    let report = match prepare(&worker, &work).await {
        Ok(prepared) => run(&worker, &work, &control, prepared, began).await,
        Err(reason) => {
            let request_id = work.request_id();
            tracing::error!(request_id, task.id = %id, "a run can't be prepared: {reason}");
            broken()
        }
    };
    let lease = work.lease;
    let origin = work.origin.clone();
    let report = overruled(report, control.asked());
    // The slot is free as soon as the process is gone: storing the result is
    // no work for it. The queue knows before somebody asks for the slot.
    if let Err(error) = worker.0.engine.leave_slot(id).await {
        tracing::warn!(task.id = %id, "the queue was not told of a free slot: {error}");
    }
    drop(slot);
    let finished = worker.0.engine.finish(work, report).await;
    worker.lock().remove(&lease);
    worker.0.ended.notify_waiters();
    if let Err(error) = finished {
        // The lease runs out, and the reaper takes the task over.
        let request_id = origin.as_ref().and_then(|origin| origin.request_id.as_deref());
        tracing::error!(request_id, task.id = %id, "an ended run can't be stored: {error}");
    }
}

/// What the run was asked from outside counts more than how it ended.
fn overruled(mut report: Report, asked: u8) -> Report {
    let has_result = matches!(report.end, End::Result { .. });
    match asked {
        CANCEL if !has_result => report.end = End::Cancelled,
        HAND_BACK | ABANDON if !has_result => report.end = End::HandBack,
        _ => {}
    }
    report
}

struct Prepared {
    start: Start,
    code: PathBuf,
    inputs: Option<tempfile::TempDir>,
}

async fn prepare(worker: &Worker, work: &Work) -> Result<Prepared, String> {
    let inner = &worker.0;
    let version = &work.deployed.version;
    let start = inner.kitchen.start_run(version).await?;
    let archive =
        async || inner.engine.archive_bytes(version).await.map_err(|error| error.to_string());
    let code = inner.kitchen.code.folder(version, start.template.template(), archive).await?;
    let inputs = stage_inputs(worker, work).await?;
    Ok(Prepared { start, code, inputs })
}

/// Copies input files to a folder that the run sees read-only. Copies,
/// because the store's own files are readable by nobody else.
async fn stage_inputs(worker: &Worker, work: &Work) -> Result<Option<tempfile::TempDir>, String> {
    if work.files.is_empty() {
        return Ok(None);
    }
    let failed = |error: std::io::Error| format!("an input file can't be staged: {error}");
    let root = worker.0.settings.root.join("inputs");
    tokio::fs::create_dir_all(&root).await.map_err(failed)?;
    let folder = tempfile::tempdir_in(&root).map_err(failed)?;
    for file in &work.files {
        let place = folder.path().join(&file.name);
        worker.0.engine.stage_input(file, &place).await.map_err(|error| error.to_string())?;
    }
    readable(folder.path()).map_err(failed)?;
    Ok(Some(folder))
}

/// Lets the sandbox's user read a staged folder.
pub(crate) fn readable(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            readable(&path)?;
        } else {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444))?;
        }
    }
    Ok(())
}

async fn run(
    worker: &Worker,
    work: &Work,
    control: &Control,
    prepared: Prepared,
    began: Instant,
) -> Report {
    let Prepared { start, code, inputs } = prepared;
    let wall = Duration::from_millis(work.task.timeout_ms);
    let runtime = &work.deployed.version.manifest.runtime;
    let limits = limits(runtime, &worker.0.settings.limits, wall);
    let assignment = Assignment {
        input_files: inputs.as_ref().map(|folder| folder.path().to_owned()),
        request_id: work.origin.as_ref().and_then(|origin| origin.request_id.clone()),
        ..Assignment::new(Job::Calculate { inputs: work.inputs.clone() }, code, limits)
    };
    let prepared_in = began.elapsed();
    let mut running = start.ready.assign(assignment);
    control.attach(running.killer());
    let events = running.events();
    let tell = async {
        let Some(mut events) = events else { return };
        while let Some(event) = events.next().await {
            forward(worker, work, event);
        }
    };
    let (outcome, ()) = tokio::join!(running.outcome(), tell);
    worker.0.kitchen.templates.refill(&start.template);
    let measured = Measured {
        startup_ms: millis(prepared_in + outcome.measured.startup),
        execution_ms: millis(outcome.measured.wall.saturating_sub(outcome.measured.startup)),
        cpu_ms: millis(outcome.measured.cpu),
        peak_memory_bytes: outcome.measured.peak_memory_bytes,
        warm: start.warm,
    };
    report::of(outcome, measured)
}

fn forward(worker: &Worker, work: &Work, event: Event) {
    let engine = &worker.0.engine;
    match event {
        Event::Log { bytes, .. } => engine.log(&work.lease, &bytes),
        Event::Cut { bytes } => engine.log_cut(&work.lease, bytes),
        Event::Progress { step, total, message } => {
            engine.progress(&work.lease, Progress { step, total, message });
        }
        // A calculation has none of them.
        Event::Test(_) | Event::TestsCut { .. } => {}
    }
}

/// What a run may use: what its function asks for, within what the operator
/// allows.
pub(crate) fn limits(
    runtime: &domain::manifest::Runtime,
    operator: &domain::limits::Limits,
    wall: Duration,
) -> Limits {
    Limits {
        memory_bytes: u64::from(runtime.memory_limit_mb.min(operator.memory_limit_mb)) << 20,
        cpu_cores: runtime.cpu_limit.min(operator.cpu_limit),
        pids: operator.pids.into(),
        wall,
        result_bytes: operator.result_bytes,
        log_bytes: operator.log_bytes,
        artifact_bytes: operator.artifact_bytes,
        artifact_count: operator.artifact_count.into(),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn broken() -> Report {
    Report {
        end: End::Failed(TaskError::new(
            ErrorKind::Internal,
            Text::new(
                "the platform could not prepare the run; the operator finds the reason in the worker's log",
                "la plateforme n'a pas pu préparer l'exécution ; l'exploitant en trouve la raison dans le journal du worker",
            ),
        )),
        measured: Measured::default(),
        artifacts: Vec::new(),
    }
}
