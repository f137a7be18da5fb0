//! Accepting a task: checked, durable, and on its way.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Queued, Topic};
use bytes::Bytes;
use domain::function::FunctionRef;
use domain::origin::Origin;
use domain::permission::Principal;
use domain::task::{Priority, QueueClass, State};
use domain::{CompanyId, Digest, Fault, LeaseToken, TaskId, Text, Timestamp};
use package::FileRef;
use sha2::Digest as _;
use store::tasks::{Claim, InputsRef, NewTask, Task};
use tokio::sync::{Semaphore, watch};

use crate::catalog::Deployed;
use crate::dispatch::{LEASE, Slot, inputs_key};
use crate::finish::late;
use crate::{Engine, Error};

/// Inputs up to this size stand in the task's row.
const INLINE_INPUTS: usize = 64 << 10;
/// The least `timeout` that may be asked for, in seconds: time is kept in
/// milliseconds.
const LEAST_TIMEOUT_S: f64 = 0.001;
/// When a caller who was sent away may come back.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How many long checks of a company run at once: half of the cores.
fn checks_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// What a caller asks for.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The inputs: one JSON object, as the caller wrote it.
    pub inputs: Bytes,
    /// Its place among the company's tasks.
    pub priority: Priority,
    /// Wall-clock limit in seconds; the function's own where absent.
    pub timeout_s: Option<f64>,
    /// Whether the caller hears nothing of the task before its end, or before
    /// [`Engine::ensure_written`].
    pub waits: bool,
    /// The request that asks, where one does.
    pub origin: Option<Origin>,
}

/// How a submission is to be handled beyond its task.
struct Asked {
    waits: bool,
    origin: Option<Origin>,
}

/// A task about to be accepted: what is known beside its version.
pub(crate) struct Accepting {
    pub(crate) name: String,
    /// Checked.
    pub(crate) inputs: Bytes,
    pub(crate) priority: Priority,
    pub(crate) timeout: Duration,
    pub(crate) waits: bool,
    pub(crate) origin: Option<Origin>,
    /// When the request was taken up.
    pub(crate) begun: (Instant, Timestamp),
}

/// A task that was accepted, durably.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Its id.
    pub task: TaskId,
    /// `queued`, `running`, or `completed` where an earlier result answers.
    pub state: State,
    /// Tasks ahead of it in its company and class; `None` where it runs.
    pub position: Option<u64>,
}

impl Engine {
    /// Accepts a task. When this returns it is durable, unless the caller
    /// said that it waits for its end.
    pub async fn submit(
        &self,
        who: &Principal,
        reference: &FunctionRef,
        submission: Submission,
    ) -> Result<Submitted, Error> {
        if self.closing.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        let begun = (Instant::now(), self.clock.now());
        let deployed = self.resolve(who.company, &who.company_name, reference).await?;
        let inputs = self.check_inputs(who, &deployed, submission.inputs).await?;
        let own = Duration::from_secs(deployed.version.manifest.runtime.timeout_s.into());
        let timeout = self.timeout(submission.timeout_s, own)?;
        let company = self.company_seen(who.company).await?;
        self.check_room(&company).await?;
        let Submission { priority, waits, origin, .. } = submission;
        let name = deployed.version.name.clone();
        let accepting = Accepting { name, inputs, priority, timeout, waits, origin, begun };
        self.accept_on(who, &deployed, &company, accepting).await
    }

    /// Accepts a task of a version whose inputs and bounds were checked.
    pub(crate) async fn accept_on(
        &self,
        who: &Principal,
        deployed: &Deployed,
        company: &store::accounts::Company,
        accepting: Accepting,
    ) -> Result<Submitted, Error> {
        self.count_task(company).await?;
        let accepted = self.admit(who, deployed, company, accepting).await;
        if accepted.is_err() {
            self.uncount_task(company.id);
        }
        accepted
    }

    /// Accepts a task that was checked and counted.
    async fn admit(
        &self,
        who: &Principal,
        deployed: &Deployed,
        company: &store::accounts::Company,
        accepting: Accepting,
    ) -> Result<Submitted, Error> {
        let Accepting { name, inputs, priority, timeout, waits, origin, begun } = accepting;
        let expected = deployed.expected(timeout);
        let now = self.clock.now();
        let version = &deployed.version;
        let task = Task {
            company: who.company,
            id: TaskId::new(),
            name,
            user: who.user,
            function: version.function,
            version: version.id,
            version_number: version.version.to_string(),
            state: State::Queued,
            priority,
            class: QueueClass::of(expected),
            expected_ms: expected.as_secs_f64() * 1e3,
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            retry: version.manifest.runtime.retry.clone(),
            attempt: 0,
            worker: None,
            cancel_requested: false,
            created_at: now,
            available_at: now,
            started_at: None,
            completed_at: None,
            progress: None,
            result: None,
            non_finite: Vec::new(),
            error: None,
            warnings: Vec::new(),
            measured: None,
            cached: false,
        };
        let cache_key =
            version.manifest.runtime.cache.then(|| Digest(sha2::Sha256::digest(&inputs).into()));
        if let Some(key) = cache_key
            && let Some(submitted) = self.answer_from_cache(&task, &inputs, key).await?
        {
            self.measures.answered_from_cache();
            return Ok(submitted);
        }
        let trace = origin.as_ref().and_then(|origin| origin.trace);
        let told = trace.map(|trace| (trace, task.clone()));
        let asked = Asked { waits, origin };
        let submitted = self.accept(task, inputs, cache_key, company, asked).await?;
        self.measures.accepted(begun.0.elapsed());
        if let Some((trace, task)) = told {
            crate::trace::stage(trace, &task, "accept", begun.1, self.clock.now());
        }
        Ok(submitted)
    }

    /// Stores a task and starts it at once where a slot is free and nobody is
    /// ahead, else queues it. It goes on where the caller goes away.
    async fn accept(
        &self,
        task: Task,
        inputs: Bytes,
        cache_key: Option<Digest>,
        company: &store::accounts::Company,
        asked: Asked,
    ) -> Result<Submitted, Error> {
        // Before anything is taken: nothing waits between that and the job, so
        // a caller who leaves takes no slot with them.
        let stored_inputs = self.store_inputs(task.company, &inputs).await?;
        let queued = queued(&task, company);
        let slot = self.local.get().and_then(|(id, worker)| Some((*id, worker.try_slot()?)));
        let taken = match slot.as_ref().map(|(_, slot)| slot.want()) {
            Some(want) => self.broker.take_directly(queued, want).await?,
            None => false,
        };
        let direct = slot.filter(|_| taken);
        // What starts at once takes no place among those that wait.
        let admission = match direct {
            Some(_) => None,
            None => {
                let most = company.max_queued.map(u64::from);
                Some(self.broker.admit(company.id, most).await.map_err(full)?)
            }
        };
        let new =
            NewTask { task, inputs: stored_inputs, cache_key, claim: None, artifacts: Vec::new() };
        let engine = self.clone();
        let job = self.jobs.spawn(async move {
            let _admission = admission;
            match direct {
                Some((worker, slot)) => engine.start(new, inputs, worker, slot, asked).await,
                None => engine.enqueue(new, inputs, queued, asked).await,
            }
        });
        job.await.map_err(|error| Error::Internal(format!("accepting a task failed: {error}")))?
    }

    async fn start(
        &self,
        mut new: NewTask,
        inputs: Bytes,
        worker: domain::WorkerId,
        slot: Box<dyn Slot>,
        asked: Asked,
    ) -> Result<Submitted, Error> {
        let claim = Claim { attempt: 1, token: LeaseToken::random(), worker, lease: LEASE };
        let (company, id) = (new.task.company, new.task.id);
        new.claim = Some(claim);
        new.task.started_at = Some(self.clock.now());
        let (teller, told) = watch::channel(None);
        let task = new.task.clone();
        let mut work = match self.work(task, inputs, claim, Some(told), asked.origin).await {
            Ok(work) => work,
            Err(error) => {
                self.broker.remove(id).await?;
                return Err(error);
            }
        };
        let submitted = Submitted { task: id, state: State::Running, position: None };
        if asked.waits {
            work.confirmed = Some(self.hold(new));
            slot.start(work);
            return Ok(submitted);
        }
        // The run and the commit go on side by side: the run can't be
        // reported before the commit is confirmed.
        slot.start(work);
        let stored = self.store.submit(new).await;
        // The receiver is gone only where the worker went down.
        teller.send_replace(Some(stored.clone().map_err(Arc::new)));
        stored?;
        self.announce(company, id);
        Ok(submitted)
    }

    async fn enqueue(
        &self,
        new: NewTask,
        inputs: Bytes,
        queued: Queued,
        asked: Asked,
    ) -> Result<Submitted, Error> {
        let task = new.task.clone();
        let (company, id) = (task.company, task.id);
        // What is not kept in memory is read from the database when its turn
        // has come, by whichever process that comes to.
        let is_kept = !self.shared && self.pending.put(&task, &inputs, asked.origin);
        if asked.waits && is_kept {
            self.hold(new);
        } else if let Err(error) = self.store.submit(new).await {
            self.pending.take(id);
            return Err(error.into());
        }
        if asked.waits && self.shared {
            let waiter = self.broker.wait_ended(id);
            self.awaited.insert(id, Arc::new(std::sync::Mutex::new(Some(waiter))));
        }
        late(id, self.broker.enqueue(queued).await);
        let position = self.position(company, id).await;
        self.announce(company, id);
        Ok(Submitted { task: id, state: State::Queued, position })
    }

    /// Tells whoever watches that the task has a new durable event.
    pub(crate) fn announce(&self, company: CompanyId, task: TaskId) {
        self.announce_resource(company, task.0);
    }

    /// The same for anything that has durable events.
    pub(crate) fn announce_resource(&self, company: CompanyId, resource: uuid::Uuid) {
        self.broker.changed(Topic { company, resource });
    }

    pub(crate) async fn check_inputs(
        &self,
        who: &Principal,
        deployed: &Arc<Deployed>,
        inputs: Bytes,
    ) -> Result<Bytes, Error> {
        let limit_bytes = self.limits.inputs_bytes;
        if inputs.len() as u64 > limit_bytes {
            return Err(Error::TooLarge { what: "inputs", limit_bytes });
        }
        // What may take long is checked off the threads that serve requests,
        // and by so many at once that calculations still get their share.
        let (inputs, files) =
            if inputs.len() > INLINE_INPUTS || deployed.schemas.inputs_may_be_slow() {
                let deployed = deployed.clone();
                self.apart(who.company, move || checked(&deployed, inputs)).await?
            } else {
                checked(deployed, inputs)
            }?;
        let mut faults = Vec::new();
        for FileRef { pointer, reference } in &files {
            if self.find_file(who.company, reference).await?.is_none() {
                faults.push(unknown_file(pointer, reference));
            }
        }
        if faults.is_empty() { Ok(inputs) } else { Err(Error::Invalid(faults)) }
    }

    /// Does what takes long on a thread of its own, a few at a time for each
    /// company, so that none waits for another's.
    pub(crate) async fn apart<T: Send + 'static>(
        &self,
        company: CompanyId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let failed = |error: String| Error::Internal(format!("checking values failed: {error}"));
        let turns = self.checking.get_with(company, || Arc::new(Semaphore::new(checks_at_once())));
        let turn = turns.acquire_owned().await;
        let turn = turn.map_err(|error| failed(error.to_string()))?;
        let done = tokio::task::spawn_blocking(move || {
            // Kept to the end, even where the caller has left.
            let _turn = turn;
            work()
        });
        done.await.map_err(|error| failed(error.to_string()))
    }

    /// The time limit that was asked for, where it may be, else `own`.
    pub(crate) fn timeout(&self, asked_s: Option<f64>, own: Duration) -> Result<Duration, Error> {
        let Some(seconds) = asked_s else { return Ok(own) };
        let most = self.limits.long_timeout_s.max(self.limits.timeout_s);
        if (LEAST_TIMEOUT_S..=f64::from(most)).contains(&seconds) {
            return Ok(Duration::from_secs_f64(seconds));
        }
        Err(Error::Invalid(vec![
            Fault::error(
                "timeout_out_of_range",
                Text::new(
                    format!(
                        "expected a timeout from {LEAST_TIMEOUT_S} to {most} s, found {seconds:?} s"
                    ),
                    format!(
                        "attendu : un délai de {LEAST_TIMEOUT_S} à {most} s ; reçu : {seconds:?} s"
                    ),
                ),
            )
            .at_key("/timeout"),
        ]))
    }

    /// Refuses early what [`Engine::accept`] would: before anything is built
    /// or read for it.
    pub(crate) async fn check_room(&self, company: &store::accounts::Company) -> Result<(), Error> {
        let Some(limit) = company.max_queued.map(u64::from) else { return Ok(()) };
        let queued = self.broker.line(company.id, 0).await?.waiting;
        if queued < limit {
            return Ok(());
        }
        Err(full(broker::Error::CompanyFull { queued, limit }))
    }

    /// A company as it was a moment ago, for its weight and bounds.
    pub(crate) async fn company_seen(
        &self,
        id: CompanyId,
    ) -> Result<Arc<store::accounts::Company>, Error> {
        if let Some(known) = self.companies_seen.get(&id) {
            return Ok(known);
        }
        let company = Arc::new(self.store.company(id).await?.ok_or(Error::NotFound("company"))?);
        self.companies_seen.insert(id, company.clone());
        Ok(company)
    }

    async fn store_inputs(&self, company: CompanyId, inputs: &Bytes) -> Result<InputsRef, Error> {
        if inputs.len() <= INLINE_INPUTS {
            return Ok(InputsRef::Inline(inputs.to_vec()));
        }
        let digest = Digest(sha2::Sha256::digest(inputs).into());
        self.blobs.put(inputs_key(company, digest), inputs.clone()).await?;
        Ok(InputsRef::Blob { digest, bytes: inputs.len() as u64 })
    }
}

/// Why a task is not let into the queue.
fn full(error: broker::Error) -> Error {
    match error {
        broker::Error::Full { queued, .. } => Error::QueueFull { queued, retry_after: RETRY_AFTER },
        broker::Error::CompanyFull { queued, limit } => {
            Error::CompanyQueueFull { queued, limit, retry_after: RETRY_AFTER }
        }
        other => other.into(),
    }
}

/// A company's weight as the broker counts it: in hundredths, so that small
/// differences between companies still count.
pub(crate) fn share(company: &store::accounts::Company) -> u32 {
    let hundredths = (company.weight * 100.0).round().clamp(1.0, f64::from(u32::MAX));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
    let share = hundredths as u32;
    share
}

/// A task as the broker orders it.
pub(crate) fn queued(task: &Task, company: &store::accounts::Company) -> Queued {
    Queued {
        company: task.company,
        company_weight: share(company),
        max_running: company.max_running,
        task: task.id,
        version: task.version,
        class: task.class,
        priority: task.priority,
        expected_ms: task.expected_ms,
        submitted_at: task.created_at,
        available_at: task.available_at,
    }
}

/// The inputs with defaults and conversions; the caller's own bytes where
/// there is nothing to fill in or convert.
fn checked(deployed: &Deployed, inputs: Bytes) -> Result<(Bytes, Vec<FileRef>), Error> {
    let checked = deployed.schemas.check_inputs(&inputs).map_err(Error::Invalid)?;
    let files = checked.files;
    let changed = match checked.json {
        Cow::Borrowed(_) => None,
        Cow::Owned(changed) => Some(Bytes::from(changed)),
    };
    Ok((changed.unwrap_or(inputs), files))
}

fn unknown_file(pointer: &str, reference: &str) -> Fault {
    let shown: String = reference.chars().take(80).collect();
    Fault::error(
        "file_unknown",
        Text::new(
            format!("expected the reference of an uploaded file, found {shown:?}; upload the file first with POST /files"),
            format!("attendu : la référence d'un fichier déposé ; reçu : {shown:?} ; déposez d'abord le fichier par POST /files"),
        ),
    )
    .at_key(pointer)
}
