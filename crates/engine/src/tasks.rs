//! Tasks as callers see them: state, result, log, files; wait and cancel.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::permission::Principal;
use domain::task::{Progress, State};
use domain::{ArtifactId, CompanyId, Digest, TaskId, Timestamp};
use store::tasks::{Artifact, Cancelled, InputsRef, NewTask, ResultRef, Task};
use store::{Cursor, Page};

pub use store::tasks::Filter as TaskFilter;

use crate::dispatch::inputs_key;
use crate::finish::late;
use crate::others::Order;
use crate::submit::Submitted;
use crate::unwritten::{Told, written};
use crate::{Content, Engine, Error};

/// For how long a cached result answers.
const RESULT_CACHE: Duration = Duration::from_secs(3600);

/// A task with what is known of it beyond the database.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// The task.
    pub task: Arc<Task>,
    /// Tasks ahead of it, while it waits.
    pub position: Option<u64>,
    /// What it told last, while it runs.
    pub progress: Option<Progress>,
}

impl Engine {
    /// One task.
    pub async fn task(&self, who: &Principal, id: TaskId) -> Result<TaskView, Error> {
        let task = match self.recent.get(&id).filter(|task| task.company == who.company) {
            Some(task) => task,
            None => {
                Arc::new(self.store.task(who.company, id).await?.ok_or(Error::NotFound("task"))?)
            }
        };
        let position = match task.state {
            State::Queued => self.position(who.company, id).await,
            _ => None,
        };
        let progress = match task.state {
            State::Running => self.shown(who.company, id).await.and_then(|shown| shown.progress),
            _ => task.progress.clone(),
        };
        Ok(TaskView { task, position, progress })
    }

    /// Tasks ahead of one that waits; `None` where nobody can say.
    pub(crate) async fn position(&self, company: CompanyId, id: TaskId) -> Option<u64> {
        self.broker.position(company, id).await.unwrap_or_else(|error| {
            tracing::debug!(task.id = %id, "no position is known: {error}");
            None
        })
    }

    /// A page of the company's tasks, newest first.
    pub async fn tasks(
        &self,
        who: &Principal,
        filter: TaskFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Task>, Error> {
        Ok(self.store.tasks(who.company, filter, after, limit).await?)
    }

    /// The task once it ended, or as it is when `patience` runs out.
    pub async fn wait(
        &self,
        who: &Principal,
        id: TaskId,
        patience: Duration,
    ) -> Result<TaskView, Error> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            let (view, is_sure) = self.wait_once(who, id, until).await?;
            // A broker that was away may have missed the end.
            if is_sure || !self.shared || tokio::time::Instant::now() >= until {
                return Ok(view);
            }
        }
    }

    /// The task once its end is told, or as it is; and whether there is no
    /// more to wait for.
    async fn wait_once(
        &self,
        who: &Principal,
        id: TaskId,
        until: tokio::time::Instant,
    ) -> Result<(TaskView, bool), Error> {
        // The waiter stands before the state is looked at, so that an end in
        // between is not missed.
        let early = self
            .awaited
            .remove(&id)
            .and_then(|early| early.lock().unwrap_or_else(PoisonError::into_inner).take());
        let stood = early.is_some();
        let mut waiter = early.unwrap_or_else(|| self.broker.wait_ended(id));
        let recent = || self.recent.get(&id).is_some_and(|task| task.company == who.company);
        let held = self.unwritten.told(id);
        if !stood && !recent() && held.is_none() && !self.running.is_running(who.company, id) {
            let view = self.task(who, id).await?;
            if view.task.state.is_final() {
                return Ok((view, true));
            }
        }
        let mut is_sure = true;
        // Out of patience is no error: the caller sees the state as it is.
        if !recent() {
            tokio::select! {
                told = tokio::time::timeout_at(until, waiter.told()) => is_sure = told != Ok(None),
                error = failed(held) => return Err(error),
            }
            // Now the caller hears of the task.
            self.ensure_written(id).await?;
        }
        let view = self.task(who, id).await?;
        let is_sure = is_sure || view.task.state.is_final();
        Ok((view, is_sure))
    }

    /// Cancels a task, whether it waits or runs.
    pub async fn cancel(&self, who: &Principal, id: TaskId) -> Result<TaskView, Error> {
        match self.store.cancel(who.company, id).await? {
            Cancelled::NotFound => return Err(Error::NotFound("task")),
            Cancelled::AlreadyEnded(state) => {
                return Err(Error::WrongState { what: "task", state: state.as_str() });
            }
            Cancelled::Done => {
                self.pending.take(id);
                late(id, self.broker.remove(id).await);
                self.measures.count(State::Cancelled);
                if let Some(task) = self.store.task(who.company, id).await? {
                    self.ended(task);
                }
                self.announce(who.company, id);
            }
            Cancelled::Requested => {
                if let Some((_, worker)) = self.local.get() {
                    worker.cancel(id);
                }
                self.order(Order::Cancel(id));
            }
        }
        self.task(who, id).await
    }

    /// Deletes a task that ended, with its files.
    pub async fn delete_task(&self, who: &Principal, id: TaskId) -> Result<(), Error> {
        let task = self.task(who, id).await?.task;
        if !task.state.is_final() {
            return Err(Error::WrongState { what: "task", state: task.state.as_str() });
        }
        if !self.store.delete_task(who.company, id).await? {
            return Err(Error::NotFound("task"));
        }
        self.recent.invalidate(&id);
        self.recount(who.company);
        self.blobs.delete(log_key(who.company, id)).await?;
        Ok(())
    }

    /// The exact bytes of a task's result.
    pub async fn result(&self, who: &Principal, id: TaskId) -> Result<Content, Error> {
        let task = self.task(who, id).await?.task;
        match &task.result {
            Some(ResultRef::Inline(bytes)) => Ok(Content::from_bytes(bytes.clone().into())),
            Some(ResultRef::Blob { digest, .. }) => {
                Content::open(&self.blobs, result_key(who.company, *digest)).await
            }
            None => Err(Error::WrongState { what: "task", state: task.state.as_str() }),
        }
    }

    /// What a task wrote to standard output and error so far.
    pub async fn logs(&self, who: &Principal, id: TaskId) -> Result<Bytes, Error> {
        let task = self.task(who, id).await?.task;
        if !task.state.is_final()
            && let Some(shown) = self.shown(who.company, id).await
        {
            return Ok(shown.log);
        }
        match self.blobs.get(log_key(task.company, id), u64::MAX).await {
            Ok(text) => Ok(text),
            Err(blobs::Error::NotFound { .. }) => Ok(Bytes::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// The inputs that a task was submitted with.
    pub async fn task_inputs(&self, who: &Principal, id: TaskId) -> Result<Bytes, Error> {
        match self.store.inputs(who.company, id).await?.ok_or(Error::NotFound("task"))? {
            InputsRef::Inline(bytes) => Ok(bytes.into()),
            InputsRef::Blob { digest, bytes } => {
                Ok(self.blobs.get(inputs_key(who.company, digest), bytes).await?)
            }
        }
    }

    /// The files that a task produced.
    pub async fn artifacts(&self, who: &Principal, id: TaskId) -> Result<Vec<Artifact>, Error> {
        self.task(who, id).await?;
        Ok(self.store.artifacts(who.company, id).await?)
    }

    /// One file that a task produced.
    pub async fn artifact(
        &self,
        who: &Principal,
        task: TaskId,
        id: ArtifactId,
    ) -> Result<(Artifact, Content), Error> {
        let (owner, artifact) =
            self.store.artifact(who.company, id).await?.ok_or(Error::NotFound("artifact"))?;
        if owner != task {
            return Err(Error::NotFound("artifact"));
        }
        let key = blobs::Key::content(who.company, blobs::Area::Artifact, artifact.digest);
        let content = Content::open(&self.blobs, key).await?;
        Ok((artifact, content))
    }

    /// Answers a task from the result of an earlier one with the same
    /// version and inputs, where the function allows it.
    pub(crate) async fn answer_from_cache(
        &self,
        task: &Task,
        inputs: &Bytes,
        key: Digest,
    ) -> Result<Option<Submitted>, Error> {
        let since: Timestamp = self.clock.now().before(RESULT_CACHE);
        let Some(earlier) =
            self.store.cached_result(task.company, task.version, key, since).await?
        else {
            return Ok(None);
        };
        let (Some(result), Some((worker, _))) = (earlier.result, self.local.get()) else {
            return Ok(None);
        };
        let artifacts = self.store.artifacts(task.company, earlier.id).await?;
        if !artifacts.is_empty() {
            // Artifacts belong to the task that made them.
            return Ok(None);
        }
        let now = self.clock.now();
        let answered = Task {
            state: State::Completed,
            attempt: 1,
            worker: Some(*worker),
            started_at: Some(now),
            completed_at: Some(now),
            result: Some(result),
            non_finite: earlier.non_finite,
            warnings: earlier.warnings,
            measured: Some(domain::task::Measured { warm: true, ..Default::default() }),
            cached: true,
            ..task.clone()
        };
        let new = NewTask {
            task: answered.clone(),
            inputs: InputsRef::Inline(inputs.to_vec()),
            cache_key: None,
            claim: None,
            artifacts: Vec::new(),
        };
        self.store.submit(new).await?;
        self.ended(answered);
        Ok(Some(Submitted { task: task.id, state: State::Completed, position: None }))
    }
}

/// Resolves only where a task that its caller waits for can't be written.
async fn failed(held: Option<Told>) -> Error {
    if let Some(told) = held
        && let Err(error) = written(told).await
    {
        return Error::Store((*error).clone());
    }
    std::future::pending().await
}

/// Where a task's log lies.
pub(crate) fn log_key(company: CompanyId, task: TaskId) -> blobs::Key {
    blobs::Key::id(company, blobs::Area::Log, task.0)
}

/// Where a large result lies.
pub(crate) fn result_key(company: CompanyId, digest: Digest) -> blobs::Key {
    blobs::Key::content(company, blobs::Area::Result, digest)
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::task::{Priority, QueueClass};
    use domain::{FunctionId, UserId, VersionId};

    use super::*;

    /// A task that waits.
    pub(crate) fn task() -> Task {
        Task {
            company: CompanyId::new(),
            id: TaskId::new(),
            name: "bolt-stress".to_owned(),
            user: UserId::new(),
            function: FunctionId::new(),
            version: VersionId::new(),
            version_number: "0.1.0".to_owned(),
            state: State::Queued,
            priority: Priority::default(),
            class: QueueClass::HighPriority,
            expected_ms: 10.0,
            timeout_ms: 300_000,
            retry: domain::manifest::RetryPolicy::default(),
            attempt: 0,
            worker: None,
            cancel_requested: false,
            created_at: Timestamp(0),
            available_at: Timestamp(0),
            started_at: None,
            completed_at: None,
            progress: None,
            result: None,
            non_finite: Vec::new(),
            error: None,
            warnings: Vec::new(),
            measured: None,
            cached: false,
        }
    }
}
