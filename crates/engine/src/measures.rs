//! What is measured of tasks, for Prometheus.
//!
//! Names, labels and their values are few and fixed: none is of a company, a
//! user or a function. The handles are made once, as looking one up costs
//! more than what it counts.

use std::time::Duration;

use broker::Depths;
use domain::Timestamp;
use domain::task::{ErrorKind, QueueClass, State};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use store::tasks::{Ending, Task};

use crate::operations::{Health, WorkerStatus};

/// Where measurements of tasks go.
pub(crate) struct Measures {
    accept: Histogram,
    queue: Histogram,
    startup: Histogram,
    run: Histogram,
    store: Histogram,
    cpu: Histogram,
    memory: Histogram,
    warm: Counter,
    cold: Counter,
    cached: Counter,
    ended: Vec<(State, Counter)>,
    failed: Vec<(ErrorKind, Counter)>,
}

impl Measures {
    pub(crate) fn new() -> Self {
        let stage = |stage: &'static str| histogram!("mecapy_stage_seconds", "stage" => stage);
        let start = |how: &'static str| counter!("mecapy_starts_total", "start" => how);
        let finals = State::ALL.iter().filter(|state| state.is_final());
        Self {
            accept: stage("accept"),
            queue: stage("queue"),
            startup: stage("startup"),
            run: stage("run"),
            store: stage("store"),
            cpu: histogram!("mecapy_run_cpu_seconds"),
            memory: histogram!("mecapy_run_peak_memory_bytes"),
            warm: start("warm"),
            cold: start("cold"),
            cached: start("cached"),
            ended: finals
                .map(|state| {
                    (*state, counter!("mecapy_tasks_ended_total", "state" => state.as_str()))
                })
                .collect(),
            failed: ErrorKind::ALL
                .iter()
                .map(|kind| (*kind, counter!("mecapy_failures_total", "kind" => kind.as_str())))
                .collect(),
        }
    }

    /// A task was accepted.
    pub(crate) fn accepted(&self, took: Duration) {
        self.accept.record(took.as_secs_f64());
    }

    /// A task was answered by an earlier result.
    pub(crate) fn answered_from_cache(&self) {
        self.cached.increment(1);
        self.count(State::Completed);
    }

    /// An attempt ended, and its end was stored as `state`.
    pub(crate) fn ended(&self, task: &Task, ending: &Ending, state: State, stored: Duration) {
        let measured = &ending.measured;
        self.store.record(stored.as_secs_f64());
        // Whatever ended before it ran has nothing to tell.
        if measured.startup_ms > 0.0 {
            let waited = task.started_at.map(|started| started.since(task.created_at));
            self.queue.record(waited.unwrap_or_default().as_secs_f64());
            self.startup.record(measured.startup_ms / 1e3);
            self.run.record(measured.execution_ms / 1e3);
            self.cpu.record(measured.cpu_ms / 1e3);
            #[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
            self.memory.record(measured.peak_memory_bytes as f64);
            if measured.warm { self.warm.increment(1) } else { self.cold.increment(1) }
        }
        // Failed attempts count, also those that another one follows.
        if let Some(kind) = crate::finish::kind_of(&ending.outcome) {
            self.failed(kind);
        }
        self.count(state);
    }

    /// An attempt failed.
    pub(crate) fn failed(&self, kind: ErrorKind) {
        if let Some((_, counter)) = self.failed.iter().find(|(known, _)| *known == kind) {
            counter.increment(1);
        }
    }

    /// A task ended; any other state counts nowhere.
    pub(crate) fn count(&self, state: State) {
        if let Some((_, counter)) = self.ended.iter().find(|(known, _)| *known == state) {
            counter.increment(1);
        }
    }
}

/// Writes what is looked at rather than counted; for a scrape.
pub(crate) fn observe(depths: &Depths, workers: &[WorkerStatus], health: &Health, now: Timestamp) {
    for &class in QueueClass::ALL {
        let depth = depths.classes.iter().find(|depth| depth.class == class);
        let of = |name: &'static str| gauge!(name, "class" => class.as_str());
        set(&of("mecapy_queue_waiting"), depth.map_or(0, |depth| depth.waiting));
        set(&of("mecapy_queue_running"), depth.map_or(0, |depth| depth.running));
        let oldest = depth.and_then(|depth| depth.oldest_submitted_at);
        let age = oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        of("mecapy_queue_oldest_seconds").set(age.as_secs_f64());
    }
    let draining = workers.iter().filter(|worker| worker.draining).count() as u64;
    set(&gauge!("mecapy_workers", "state" => "draining"), draining);
    set(&gauge!("mecapy_workers", "state" => "ready"), workers.len() as u64 - draining);
    let sum = |of: fn(&WorkerStatus) -> u64| workers.iter().map(of).sum::<u64>();
    set(&gauge!("mecapy_slots"), sum(|worker| worker.slots.into()));
    set(&gauge!("mecapy_slots_free"), sum(|worker| worker.free.into()));
    set(&gauge!("mecapy_templates"), sum(|worker| worker.templates.len() as u64));
    let ready = |worker: &WorkerStatus| worker.templates.iter().map(|t| u64::from(t.ready)).sum();
    set(&gauge!("mecapy_templates_ready_runs"), sum(ready));
    let memory = |worker: &WorkerStatus| worker.templates.iter().map(|t| t.memory_bytes).sum();
    set(&gauge!("mecapy_templates_memory_bytes"), sum(memory));
    for (part, up) in [
        ("database", health.database),
        ("broker", health.broker.unwrap_or(true)),
        ("storage", health.storage),
        ("workers", health.workers.unwrap_or(true)),
    ] {
        set(&gauge!("mecapy_part_up", "part" => part), u64::from(up));
    }
}

fn set(gauge: &Gauge, value: u64) {
    #[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
    gauge.set(value as f64);
}
