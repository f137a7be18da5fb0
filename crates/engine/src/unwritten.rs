//! Tasks that are accepted in memory only, because whoever submitted them
//! waits for their end and has been told nothing yet.
//!
//! A task costs one write for its acceptance and one for its end. Where it
//! ends within [`HELD`], both are one: it is written as it ended, and only
//! then does the caller hear of it. Whatever takes longer is written as soon
//! as that time is over, or as the caller is to be answered before the end. A
//! crash in between loses nothing that anybody was told of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::TaskId;
use store::tasks::{Artifact, Claim, NewTask, Task};
use tokio::sync::watch;

use crate::{Engine, Error};

/// For how long a task may stay unwritten.
pub(crate) const HELD: Duration = Duration::from_millis(50);

/// What became of a write, once it is known; shared by all who depend on it.
pub(crate) type Told = watch::Receiver<Option<Result<(), Arc<store::Error>>>>;
type Teller = watch::Sender<Option<Result<(), Arc<store::Error>>>>;

/// All tasks of this process that are not written yet.
#[derive(Default)]
pub(crate) struct Unwritten(Mutex<HashMap<TaskId, Held>>);

struct Held {
    /// `None` while it is being written.
    new: Option<NewTask>,
    teller: Teller,
}

impl Unwritten {
    fn hold(&self, new: NewTask) -> Told {
        let (teller, told) = watch::channel(None);
        self.lock().insert(new.task.id, Held { new: Some(new), teller });
        told
    }

    /// Begins the first attempt of a task that is held; `None` where it is
    /// written, or being written, already.
    pub(crate) fn claim(&self, id: TaskId, claim: Claim, task: &Task) -> Option<Told> {
        let mut held = self.lock();
        let held = held.get_mut(&id)?;
        let new = held.new.as_mut()?;
        new.claim = Some(claim);
        new.task.started_at = task.started_at;
        Some(held.teller.subscribe())
    }

    /// What becomes of a task that is held or being written.
    pub(crate) fn told(&self, id: TaskId) -> Option<Told> {
        self.lock().get(&id).map(|held| held.teller.subscribe())
    }

    /// Whether nothing of a task is written, and no write of it has begun.
    pub(crate) fn is_held(&self, id: TaskId) -> bool {
        self.lock().get(&id).is_some_and(|held| held.new.is_some())
    }

    fn take(&self, id: TaskId) -> Option<NewTask> {
        self.lock().get_mut(&id)?.new.take()
    }

    fn tell(&self, id: TaskId, written: Result<(), Arc<store::Error>>) {
        if let Some(held) = self.lock().remove(&id) {
            held.teller.send_replace(Some(written));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a write is done.
pub(crate) async fn written(mut told: Told) -> Result<(), Arc<store::Error>> {
    match told.wait_for(Option::is_some).await.map(|told| told.clone()) {
        Ok(Some(written)) => written,
        // Who writes never leaves without telling, short of a panic.
        _ => Err(Arc::new(store::Error::Closed)),
    }
}

impl Engine {
    /// Accepts a task for a caller who waits. It is written when it ends, or
    /// else soon.
    pub(crate) fn hold(&self, new: NewTask) -> Told {
        let id = new.task.id;
        let told = self.unwritten.hold(new);
        let engine = self.clone();
        self.jobs.spawn(async move {
            // A server that goes down writes at once.
            let _ = tokio::time::timeout(HELD, engine.closing.cancelled()).await;
            engine.write_held(id).await;
        });
        told
    }

    /// Returns once the task is durable, if it was ever accepted.
    pub async fn ensure_written(&self, id: TaskId) -> Result<(), Error> {
        let Some(told) = self.unwritten.told(id) else { return Ok(()) };
        self.write_held(id).await;
        written(told).await.map_err(|error| Error::Store((*error).clone()))
    }

    /// Writes a task that is held as it stands.
    pub(crate) async fn write_held(&self, id: TaskId) {
        let Some(new) = self.unwritten.take(id) else { return };
        let company = new.task.company;
        let stored = self.store.submit(new).await;
        let is_stored = stored.is_ok();
        self.unwritten.tell(id, stored.map_err(Arc::new));
        if is_stored {
            self.announce(company, id);
        }
    }

    /// Writes a held task as it ended; `false` where it is no more held, and
    /// its end has to be written by itself.
    pub(crate) async fn write_ended(
        &self,
        ended: &Task,
        artifacts: &[Artifact],
    ) -> Result<bool, store::Error> {
        let Some(mut new) = self.unwritten.take(ended.id) else { return Ok(false) };
        new.task = ended.clone();
        new.artifacts = artifacts.to_vec();
        let stored = self.store.submit(new).await;
        self.unwritten.tell(ended.id, stored.clone().map_err(Arc::new));
        stored.map(|()| true)
    }
}
