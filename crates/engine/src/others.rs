//! What processes that share a database do for each other: orders, work that
//! any of them may take, and a queue that is rebuilt when it was lost.

use std::time::Duration;

use broker::{Audience, LiveEvent, Received, Topic};
use domain::{CompanyId, TaskId, WorkerId};
use store::operator::{Queued, Worker};
use uuid::Uuid;

use crate::dispatch::LEASE;
use crate::{Engine, Error};

/// Rows handled at once.
const BATCH: u32 = 500;
/// How often a worker says that it is there.
const BEAT: Duration = Duration::from_secs(5);
/// A worker that said nothing for so long is gone.
pub(crate) const GONE: Duration = Duration::from_secs(30);
/// How often deployments are looked for where nobody is woken for one.
const LOOK: Duration = Duration::from_secs(30);
/// A task that has waited for so long is in the queue, or was forgotten.
const ANNOUNCED: Duration = Duration::from_secs(5);
/// Between two attempts to reach what doesn't answer.
const RETRY: Duration = Duration::from_secs(1);

/// What one process asks of the others. Lost where the broker is away: each
/// is either looked for now and then, or remembered for seconds only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A deployment waits for a worker.
    Deploy,
    /// Ends the run of a task.
    Cancel(TaskId),
    /// What is remembered of callers, companies and names may be wrong.
    Forget,
}

/// Orders are published as of a company that nobody has.
const EVERYBODY: CompanyId = CompanyId(Uuid::nil());
const DEPLOY: &str = "order.deploy";
const CANCEL: &str = "order.cancel";
const FORGET: &str = "order.forget";

impl Engine {
    /// Asks something of every process, this one included; nothing where
    /// there is only this one.
    pub(crate) fn order(&self, order: Order) {
        if !self.shared {
            return;
        }
        let (kind, resource) = match order {
            Order::Deploy => (DEPLOY, Uuid::nil()),
            Order::Cancel(task) => (CANCEL, task.0),
            Order::Forget => (FORGET, Uuid::nil()),
        };
        let topic = Topic { company: EVERYBODY, resource };
        let data = serde_json::Value::Null;
        let event = LiveEvent { kind: kind.into(), data, audience: Audience::Company };
        self.broker.publish(topic, event);
    }

    /// Does what other processes ask of this one.
    pub async fn obey_until_closed(&self) {
        let mut orders = self.broker.subscribe_company(EVERYBODY);
        loop {
            let received = tokio::select! {
                received = orders.next() => received,
                () = self.closing.cancelled() => return,
            };
            match received {
                Some(Received::Event(topic, event)) => match &*event.kind {
                    DEPLOY => self.deployable.notify_one(),
                    CANCEL => {
                        if let Some((_, worker)) = self.local.get() {
                            worker.cancel(TaskId(topic.resource));
                        }
                    }
                    _ => self.remember_nothing(),
                },
                // Any order may be among those that were missed.
                Some(Received::Lagged(_)) => {
                    self.deployable.notify_one();
                    self.remember_nothing();
                }
                Some(Received::Changed) => {}
                None => return,
            }
        }
    }

    fn remember_nothing(&self) {
        self.checked.forget();
        self.catalog.forget_references();
        self.companies_seen.invalidate_all();
    }

    /// Forgets who may do what, everywhere.
    pub(crate) fn forget_callers(&self) {
        self.checked.forget();
        self.order(Order::Forget);
    }

    /// Forgets which versions names stand for, everywhere.
    pub(crate) fn forget_names(&self) {
        self.catalog.forget_references();
        self.order(Order::Forget);
    }

    /// Takes deployments one after the other, as many at once as may be. One
    /// whose worker died is taken over when its lease ends.
    pub async fn deploy_until_closed(&self, worker: WorkerId) {
        loop {
            let turn = tokio::select! {
                turn = self.deploying.clone().acquire_owned() => turn,
                () = self.closing.cancelled() => return,
            };
            let Ok(turn) = turn else { return };
            let pause = match self.store.claim_deployments(worker, LEASE, 1).await {
                Ok(claimed) => match claimed.first() {
                    Some(&(company, id)) => {
                        let engine = self.clone();
                        self.jobs.spawn(async move {
                            tokio::select! {
                                () = engine.deploy_stages(company, id, turn) => {}
                                () = engine.keep_deployments(worker) => {}
                                () = engine.closing.cancelled() => {}
                            }
                        });
                        continue;
                    }
                    None => LOOK,
                },
                Err(error) => {
                    tracing::warn!("no deployment can be claimed: {error}");
                    RETRY
                }
            };
            drop(turn);
            tokio::select! {
                () = self.deployable.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Renews the deployments in hand, for as long as it is awaited.
    async fn keep_deployments(&self, worker: WorkerId) {
        loop {
            tokio::time::sleep(LEASE / 3).await;
            if let Err(error) = self.store.renew_deployments(worker, LEASE).await {
                tracing::warn!("deployments can't be renewed: {error}");
            }
        }
    }

    /// Says every few seconds that this worker is there, takes over what dead
    /// ones had in hand, and puts into the queue what a process that died had
    /// accepted and not announced.
    pub async fn beat_until_closed(&self) {
        loop {
            if let Err(error) = self.beat().await {
                tracing::warn!("this worker can't say that it is there: {error}");
            }
            tokio::select! {
                () = tokio::time::sleep(BEAT) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    async fn beat(&self) -> Result<(), Error> {
        let Some((_, worker)) = self.local.get() else { return Ok(()) };
        let status = worker.status();
        late_to_say(self.broker.present(status.id, status.slots, status.free).await);
        let said = serde_json::to_value(&status).ok();
        let worker = Worker {
            id: status.id,
            host: status.host,
            slots: status.slots,
            draining: status.draining,
            started_at: status.started_at,
            seen_at: self.clock.now(),
            status: said,
        };
        self.store.put_worker(worker).await?;
        self.reap().await?;
        let announced = self.clock.now().before(ANNOUNCED);
        for task in self.store.queued(None, BATCH).await? {
            if crate::recover::created_at(task.task) <= announced {
                self.put_back(&task).await?;
            }
        }
        self.reconcile().await
    }

    /// Puts right what was given out and never claimed, because the process
    /// that took it died in between.
    async fn reconcile(&self) -> Result<(), Error> {
        let most = BATCH as usize;
        for taken in self.broker.longest_running(LEASE, most).await? {
            let task = self.store.task(taken.company, taken.task).await?;
            match task.map(|task| task.state) {
                Some(domain::task::State::Running) => {}
                Some(domain::task::State::Queued) => {
                    self.broker.hand_back(taken.task).await?;
                }
                _ => {
                    self.broker.remove(taken.task).await?;
                }
            }
        }
        Ok(())
    }

    /// Rebuilds the queue from the database whenever it was lost and this
    /// process is the one to do so.
    pub async fn rebuild_until_closed(&self) {
        loop {
            let rebuild = tokio::select! {
                rebuild = self.broker.forgotten() => rebuild,
                () = self.closing.cancelled() => return,
            };
            let begun = std::time::Instant::now();
            let (waiting, running) = match self.rebuild().await {
                Ok(rebuilt) => rebuilt,
                Err(error) => {
                    tracing::warn!("the queue can't be rebuilt: {error}");
                    drop(rebuild);
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            match rebuild.finish().await {
                Ok(true) => {
                    let seconds = begun.elapsed().as_secs_f64();
                    tracing::info!(waiting, running, seconds, "the queue was rebuilt");
                }
                // Another one goes on, or it begins anew.
                Ok(false) => {}
                Err(error) => tracing::warn!("the queue can't be rebuilt: {error}"),
            }
        }
    }

    /// How many wait, and how many run.
    async fn rebuild(&self) -> Result<(usize, usize), Error> {
        let (mut count, mut after) = (0, None);
        loop {
            let running = self.store.running(after, BATCH).await?;
            let Some(last) = running.last() else { break };
            after = Some(last.task);
            for task in &running {
                self.broker.note_running(self.in_order(task).await?).await?;
            }
            count += running.len();
        }
        Ok((self.put_all_back().await?, count))
    }

    /// A task as the broker orders it, from its row.
    pub(crate) async fn in_order(&self, task: &Queued) -> Result<broker::Queued, Error> {
        let company = self.company_seen(task.company).await?;
        Ok(broker::Queued {
            company: task.company,
            company_weight: crate::submit::share(&company),
            max_running: company.max_running,
            task: task.task,
            version: task.version,
            class: task.class,
            priority: task.priority,
            expected_ms: task.expected_ms,
            submitted_at: crate::recover::created_at(task.task),
            available_at: task.available_at,
        })
    }

    /// Counts a request against a limit that all processes share. `None` where
    /// nobody can say now: rather than nobody, everybody is let through.
    pub async fn allow(&self, key: &str, rate: broker::Rate) -> Option<broker::Decision> {
        match self.broker.allow(key, rate, 1).await {
            Ok(decision) => Some(decision),
            Err(error) => {
                tracing::warn!("a rate limit can't be kept: {error}");
                None
            }
        }
    }

    /// Gives back what this worker has in hand: it goes down.
    pub async fn give_back(&self, worker: WorkerId) -> Result<(), Error> {
        late_to_say(self.broker.absent(worker).await);
        self.store.renew_deployments(worker, Duration::ZERO).await?;
        self.order(Order::Deploy);
        Ok(())
    }
}

/// A broker that is away is told by the next beat.
fn late_to_say(told: Result<(), broker::Error>) {
    if let Err(error) = told {
        tracing::debug!("the queue does not know of this worker: {error}");
    }
}
