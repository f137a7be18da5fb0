//! Claims tasks, prepares what they need, runs them in the sandbox and
//! reports how they ended.
//!
//! A [`Worker`] has a fixed number of slots. Its dispatcher takes the next
//! task from the engine for each free one; while nobody waits, the engine
//! hands a task to a free slot directly. A run takes a ready process from the
//! templates of its environment, which are kept warm within a memory
//! budget, and the code of its version from folders of unpacked code.

mod builder;
mod code;
mod dispatcher;
mod leases;
mod report;
mod run;
mod settings;
mod slots;
mod standalone;
mod supervisor;
mod templates;
mod testing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Clock, TaskId, Timestamp, WorkerId};
use engine::{Engine, LocalWorker, Slot, WorkerStatus};
use store::tasks::Lease;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use builder::{Locks, SandboxBuilder};
pub use settings::Settings;
pub use standalone::{TestedArchive, test_archive};

use crate::run::Control;
use crate::slots::Slots;

/// A worker at work. Clones share it.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    id: WorkerId,
    engine: Engine,
    kitchen: Arc<SandboxBuilder>,
    slots: Slots,
    settings: Settings,
    started_at: Timestamp,
    running: Mutex<HashMap<Lease, Control>>,
    /// Woken when the first run begins, so that leases are renewed only while
    /// there are any.
    began: tokio::sync::Notify,
    /// Tells that a run's ending is stored.
    ended: tokio::sync::Notify,
    jobs: TaskTracker,
    draining: CancellationToken,
}

impl Worker {
    /// Starts to take tasks of `engine`. `builder` is the one that the engine
    /// deploys with: both share templates and environments.
    pub fn start(
        id: WorkerId,
        engine: Engine,
        builder: Arc<SandboxBuilder>,
        settings: Settings,
        clock: &dyn Clock,
    ) -> Self {
        let worker = Self(Arc::new(Inner {
            id,
            engine,
            kitchen: builder,
            slots: Slots::new(settings.slots),
            started_at: clock.now(),
            settings,
            running: Mutex::default(),
            began: tokio::sync::Notify::new(),
            ended: tokio::sync::Notify::new(),
            jobs: TaskTracker::new(),
            draining: CancellationToken::new(),
        }));
        worker.0.engine.attach(id, Arc::new(worker.clone()));
        worker.0.jobs.spawn(dispatcher::dispatch(worker.clone()));
        worker.0.jobs.spawn(leases::renew(worker.clone()));
        worker
    }

    /// Takes nothing new and waits for what runs, `patience` at most; what
    /// runs longer goes back to the queue without losing an attempt.
    pub async fn drain(&self, patience: Duration) {
        self.0.draining.cancel();
        self.0.slots.wake();
        let idle = self.0.slots.all_free();
        if tokio::time::timeout(patience, idle).await.is_err() {
            for control in self.lock().values() {
                control.hand_back();
            }
        }
        self.0.jobs.close();
        self.0.jobs.wait().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Lease, Control>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalWorker for Worker {
    fn try_slot(&self) -> Option<Box<dyn Slot>> {
        if self.0.draining.is_cancelled() {
            return None;
        }
        let slot = self.0.slots.try_take()?;
        Some(Box::new(run::TakenSlot { worker: self.clone(), slot }))
    }

    fn cancel(&self, task: TaskId) {
        // An attempt that was lost may still be ending beside its successor.
        for (lease, control) in &*self.lock() {
            if lease.task == task {
                control.cancel();
            }
        }
    }

    fn status(&self) -> WorkerStatus {
        let templates = &self.0.kitchen.templates;
        WorkerStatus {
            id: self.0.id,
            host: self.0.settings.host.clone(),
            started_at: self.0.started_at,
            slots: self.0.slots.total(),
            free: self.0.slots.free(),
            draining: self.0.draining.is_cancelled(),
            templates: templates.status(),
            warm_starts: templates.warm_starts(),
            cold_starts: templates.cold_starts(),
        }
    }
}
