//! From the queue to a worker: who is next, and the right to run it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker::Want;
use bytes::Bytes;
use domain::origin::Origin;
use domain::task::State;
use domain::{LeaseToken, TaskId, WorkerId};
use store::tasks::{Claim, InputsRef, Lease, Task};
use tokio::sync::watch;

use crate::catalog::Deployed;
use crate::files::InputFile;
use crate::operations::WorkerStatus;
use crate::unwritten::{Told, written};
use crate::{Engine, Error};

/// For how long a claim holds unless it is renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// The worker of this process, as the engine sees it.
pub trait LocalWorker: Send + Sync {
    /// A free slot, taken; `None` where all are in use.
    fn try_slot(&self) -> Option<Box<dyn Slot>>;
    /// Ends the run of a task whose cancellation was asked for.
    fn cancel(&self, task: TaskId);
    /// How the worker is.
    fn status(&self) -> WorkerStatus;
}

/// A free place on a worker.
pub trait Slot: Send {
    /// What it is good for.
    fn want(&self) -> Want;
    /// Runs `work` there, in the background.
    fn start(self: Box<Self>, work: Work);
}

/// One attempt, ready to be run.
#[derive(Debug)]
pub struct Work {
    /// What completes it.
    pub lease: Lease,
    /// The task, `running`.
    pub task: Task,
    /// The inputs as the run gets them: references to files are paths.
    pub inputs: Bytes,
    /// Files that the run finds in its inputs folder.
    pub files: Vec<InputFile>,
    /// The version to run.
    pub deployed: Arc<Deployed>,
    /// The request that asked for the task, where this process knows it.
    pub origin: Option<Origin>,
    /// Where the claim is still being written: whether it was. The run goes
    /// on meanwhile; nothing of it counts before this says yes.
    pub(crate) confirmed: Option<Told>,
}

/// Tasks that wait in this process, so that a claim need not read them back.
/// Bounded; what does not fit is read from the database.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    tasks: HashMap<TaskId, Remembered>,
    bytes: usize,
}

/// A task with its inputs and its request.
type Remembered = (Task, Bytes, Option<Origin>);

const PENDING_BYTES: usize = 64 << 20;
/// What a waiting task costs beyond its inputs, generously.
const PENDING_OVERHEAD: usize = 2048;

impl Pending {
    /// Keeps a task; `false` where there is no room.
    pub(crate) fn put(&self, task: &Task, inputs: &Bytes, origin: Option<Origin>) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = inputs.len() + PENDING_OVERHEAD;
        let fits = waiting.bytes + cost <= PENDING_BYTES;
        if fits {
            waiting.bytes += cost;
            waiting.tasks.insert(task.id, (task.clone(), inputs.clone(), origin));
        }
        fits
    }

    pub(crate) fn take(&self, id: TaskId) -> Option<Remembered> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.tasks.remove(&id)?;
        waiting.bytes -= found.1.len() + PENDING_OVERHEAD;
        Some(found)
    }
}

impl Work {
    /// The id of the request that asked for it, for log lines; empty where
    /// this process does not know it.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.origin.as_ref().and_then(|origin| origin.request_id.as_deref()).unwrap_or_default()
    }
}

impl Engine {
    /// The next task for a worker with room for it, claimed.
    pub async fn next(&self, worker: WorkerId, want: Want) -> Result<Option<Work>, Error> {
        while let Some(queued) = self.broker.take(want.of(worker)).await? {
            let claimed = match self.pending.take(queued.task) {
                Some((task, inputs, origin)) => {
                    Some((self.claim_ahead(task, inputs, worker), origin))
                }
                None => match self.claim_first(queued.company, queued.task, worker).await {
                    Ok(first) => first.map(|claimed| (claimed, None)),
                    Err(error) => {
                        self.broker.hand_back(queued.task).await?;
                        return Err(error);
                    }
                },
            };
            let Some((Claimed { task, inputs, claim, confirmed }, origin)) = claimed else {
                // Somebody cancelled it between the two looks.
                self.broker.remove(queued.task).await?;
                continue;
            };
            match self.work(task, inputs, claim, confirmed, origin).await {
                Ok(work) => return Ok(Some(work)),
                Err(error) => {
                    tracing::error!(task.id = %queued.task, "a claimed task can't be prepared: {error}");
                    self.broker.remove(queued.task).await?;
                }
            }
        }
        Ok(None)
    }

    /// Resolves when a worker with free slots should look again: something
    /// was queued, settled, or became available.
    pub async fn wait_for_work(&self, work: &mut broker::Work) -> Result<(), Error> {
        match self.broker.next_available_at().await? {
            None => {
                work.changed().await;
            }
            Some(at) => {
                let delay = at.since(self.clock.now());
                // Either is a reason to look again.
                let _ = tokio::time::timeout(delay, work.changed()).await;
            }
        }
        Ok(())
    }

    /// What [`Engine::wait_for_work`] waits with. Made before the first look
    /// at the queue, so that nothing queued since is missed.
    #[must_use]
    pub fn work_signal(&self) -> broker::Work {
        self.broker.work()
    }

    /// Renews the leases of running attempts; answers those that are lost
    /// and whose runs must be ended.
    pub async fn renew(&self, leases: Vec<Lease>) -> Result<Vec<Lease>, Error> {
        Ok(self.store.renew(leases, LEASE).await?)
    }

    /// How often a worker renews while it runs anything.
    #[must_use]
    pub fn renewal_interval(&self) -> Duration {
        LEASE / 3
    }

    /// Gives back what can't be begun now; the attempt does not count.
    async fn unclaim(
        &self,
        company: domain::CompanyId,
        task: TaskId,
        claim: Claim,
    ) -> Result<(), Error> {
        let lease = Lease { company, task, attempt: claim.attempt, token: claim.token };
        let ending = store::tasks::Ending {
            outcome: store::tasks::Outcome::HandBack,
            progress: None,
            measured: Default::default(),
            artifacts: Vec::new(),
        };
        self.store.finish(lease, ending).await?;
        self.announce(company, task);
        Ok(())
    }

    /// Builds what a worker needs of a task that was claimed.
    pub(crate) async fn work(
        &self,
        mut task: Task,
        inputs: Bytes,
        claim: Claim,
        confirmed: Option<Told>,
        origin: Option<Origin>,
    ) -> Result<Work, Error> {
        let deployed = self.deployed(task.company, task.version).await?;
        task.state = State::Running;
        task.attempt = claim.attempt;
        task.worker = Some(claim.worker);
        task.started_at.get_or_insert_with(|| self.clock.now());
        let (inputs, files) = self.input_files(task.company, &deployed, inputs).await?;
        let lease = Lease {
            company: task.company,
            task: task.id,
            attempt: claim.attempt,
            token: claim.token,
        };
        self.running.enter(lease);
        Ok(Work { lease, task, inputs, files, deployed, origin, confirmed })
    }

    /// Claims a task that this process knows without waiting for the commit.
    fn claim_ahead(&self, mut task: Task, inputs: Bytes, worker: WorkerId) -> Claimed {
        let claim = claim(task.attempt + 1, worker);
        let (company, id) = (task.company, task.id);
        task.started_at = Some(self.clock.now());
        if let Some(told) = self.unwritten.claim(id, claim, &task) {
            return Claimed { task, inputs, claim, confirmed: Some(told) };
        }
        let (teller, confirmed) = watch::channel(None);
        let engine = self.clone();
        self.jobs.spawn(async move {
            // A task that is just being written can't be claimed before.
            let accepted = match engine.unwritten.told(id) {
                Some(told) => written(told).await,
                None => Ok(()),
            };
            let stored = match accepted {
                Ok(()) => engine.store.claim(company, id, claim).await.map_err(Arc::new),
                Err(error) => Err(error),
            };
            if let Err(error) = &stored {
                tracing::error!(task.id = %id, "a claim could not be stored: {error}");
            }
            engine.announce(company, id);
            // Somebody cancelled it where there is nothing to claim.
            let stored = stored.and_then(|claimed| {
                claimed.map(drop).ok_or_else(|| Arc::new(store::Error::Closed))
            });
            teller.send_replace(Some(stored));
        });
        Claimed { task, inputs, claim, confirmed: Some(confirmed) }
    }

    async fn claim_first(
        &self,
        company: domain::CompanyId,
        id: TaskId,
        worker: WorkerId,
    ) -> Result<Option<Claimed>, Error> {
        let Some(waiting) = self.store.task(company, id).await? else { return Ok(None) };
        let claim = claim(waiting.attempt + 1, worker);
        let Some((task, inputs)) = self.store.claim(company, id, claim).await? else {
            return Ok(None);
        };
        self.announce(company, id);
        let inputs = match inputs {
            InputsRef::Inline(bytes) => bytes.into(),
            InputsRef::Blob { digest, bytes } => {
                match self.blobs.get(inputs_key(company, digest), bytes).await {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        self.unclaim(company, id, claim).await?;
                        return Err(error.into());
                    }
                }
            }
        };
        Ok(Some(Claimed { task, inputs, claim, confirmed: None }))
    }
}

/// A task that a worker has, or will have once the claim is confirmed.
struct Claimed {
    task: Task,
    inputs: Bytes,
    claim: Claim,
    confirmed: Option<Told>,
}

fn claim(attempt: u32, worker: WorkerId) -> Claim {
    Claim { attempt, token: LeaseToken::random(), worker, lease: LEASE }
}

/// Where large inputs lie.
pub(crate) fn inputs_key(company: domain::CompanyId, digest: domain::Digest) -> blobs::Key {
    blobs::Key::content(company, blobs::Area::Inputs, digest)
}
