//! After a crash: what the database says is put back on its way.

use std::time::Duration;

use domain::task::{ErrorKind, State};
use domain::{TaskId, Timestamp, WorkerId};
use store::operator::Reaped;
use tokio::time::Instant;

use crate::finish::late;
use crate::{Engine, Error};

/// Rows handled at once.
const BATCH: u32 = 500;
/// How often lost leases are looked for while tasks are open.
const SWEEP: Duration = Duration::from_secs(5);

/// What recovery found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Tasks that waited and are in the queue again.
    pub queued: usize,
    /// Tasks whose worker died and that wait for another attempt.
    pub taken_over: usize,
    /// Tasks that failed because their worker died too often.
    pub failed: usize,
    /// Deployments that go on.
    pub deployments: usize,
}

impl Engine {
    /// Rebuilds the queue from the database. `worker` is the only worker
    /// there is: every attempt of another one is lost.
    pub async fn recover(&self, worker: WorkerId) -> Result<Recovered, Error> {
        let mut recovered = Recovered::default();
        loop {
            let reaped = self.store.reap_all_but(worker).await?;
            if reaped.is_empty() {
                break;
            }
            for lost in &reaped {
                match lost.state {
                    State::Queued => recovered.taken_over += 1,
                    _ => recovered.failed += 1,
                }
            }
        }
        recovered.queued = self.put_all_back().await?;
        for (company, deployment) in self.store.open_deployments().await? {
            self.resume_deployment(company, deployment);
            recovered.deployments += 1;
        }
        Ok(recovered)
    }

    /// Takes over the tasks of workers that no longer renew their leases.
    /// Sleeps while no task is open.
    pub async fn reap_until_closed(&self) {
        let mut opened = self.broker.work();
        loop {
            let due = match self.store.earliest_lease().await {
                Ok(Some(due)) => due.since(self.clock.now()).max(SWEEP),
                Ok(None) => {
                    tokio::select! {
                        _ = opened.changed() => {}
                        () = self.closing.cancelled() => return,
                    }
                    // Whatever was just queued has a lease of seconds.
                    SWEEP
                }
                Err(error) => {
                    tracing::warn!("leases can't be read: {error}");
                    SWEEP
                }
            };
            tokio::select! {
                () = tokio::time::sleep_until(Instant::now() + due) => {}
                () = self.closing.cancelled() => return,
            }
            if let Err(error) = self.reap().await {
                tracing::warn!("lost leases can't be taken over: {error}");
            }
        }
    }

    /// Takes over what has been lost up to now.
    pub async fn reap(&self) -> Result<usize, Error> {
        let reaped = self.store.reap(BATCH).await?;
        for lost in &reaped {
            self.taken_over(lost).await?;
        }
        Ok(reaped.len())
    }

    async fn taken_over(&self, lost: &Reaped) -> Result<(), Error> {
        let (company, id) = (lost.lease.company, lost.lease.task);
        tracing::warn!(task.id = %id, attempt = lost.lease.attempt, "a worker was lost");
        self.measures.failed(ErrorKind::LostWorker);
        self.measures.count(lost.state);
        self.running.leave(&lost.lease);
        late(id, self.broker.remove(id).await);
        match &lost.queued {
            Some(task) => self.put_back(task).await?,
            None => {
                if let Some(task) = self.store.task(company, id).await? {
                    self.ended(task);
                }
            }
        }
        self.announce(company, id);
        Ok(())
    }

    /// Puts every task that waits into the queue; how many these are.
    pub(crate) async fn put_all_back(&self) -> Result<usize, Error> {
        let (mut count, mut after) = (0, None);
        loop {
            let waiting = self.store.queued(after, BATCH).await?;
            let Some(last) = waiting.last() else { return Ok(count) };
            after = Some(last.task);
            for task in &waiting {
                self.put_back(task).await?;
            }
            count += waiting.len();
        }
    }

    pub(crate) async fn put_back(&self, waiting: &store::operator::Queued) -> Result<(), Error> {
        Ok(self.broker.enqueue(self.in_order(waiting).await?).await?)
    }
}

/// When a task was accepted, to the millisecond: its id says it.
pub(crate) fn created_at(task: TaskId) -> Timestamp {
    let (seconds, nanos) = task.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
    let micros = seconds.saturating_mul(1_000_000).saturating_add(u64::from(nanos / 1000));
    Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
}
