//! The port: what a broker does for engine and workers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::task::State;
use domain::{CompanyId, Digest, TaskId, Timestamp, WorkerId};

use crate::{
    Admission, Decision, Depths, Error, Line, LiveEvent, Queued, Rate, Rebuild, Subscription,
    Topic, Waiter, Want, Work,
};

/// Queue order, wake-ups, live events, completion, rate limits and a cache,
/// behind one trait.
///
/// The life of a task here: [`admit`](Self::admit) before its row is written,
/// [`enqueue`](Self::enqueue) after the commit (or
/// [`take_directly`](Self::take_directly) before it, where a slot is free),
/// [`take`](Self::take) by a worker, then exactly one of
/// [`settle`](Self::settle), [`hand_back`](Self::hand_back) or
/// [`remove`](Self::remove). A retry is `settle`, then `enqueue` with a later
/// `available_at`.
///
/// Where the order's server is away, calls answer [`Error::Away`] within a
/// second. [`enqueue`](Self::enqueue), [`vacate`](Self::vacate),
/// [`settle`](Self::settle), [`hand_back`](Self::hand_back) and
/// [`remove`](Self::remove) still happen when it is back, before any other
/// call of this process: they say what a row says already.
#[async_trait]
pub trait Broker: Send + Sync + std::fmt::Debug {
    /// Reserves a place in the queue, to be held until the task was enqueued
    /// or its row was refused. [`Error::Full`] where as many wait as may,
    /// [`Error::CompanyFull`] where `most` of the company's do.
    async fn admit(&self, company: CompanyId, most: Option<u64>) -> Result<Admission, Error>;

    /// Puts a task of the database in order. Does nothing where it waits or
    /// runs already, so that the reaper may announce it again. Bounded by
    /// [`admit`](Self::admit), not here: what was accepted is never refused.
    async fn enqueue(&self, task: Queued) -> Result<(), Error>;

    /// Gives the task a free slot at once if nobody is ahead of it: `true`,
    /// and it counts as running. Otherwise it is not kept, and is enqueued
    /// after the commit of its row. [`remove`](Self::remove) takes it back
    /// where the row can't be written.
    async fn take_directly(&self, task: Queued, want: Want) -> Result<bool, Error>;

    /// The next task in order that may run in the slot that is offered. Where
    /// several workers are [present](Self::present) and `want` says whose slot
    /// it is, a task goes to the one among those with a free slot where its
    /// version most likely is warm: which task is next never depends on it.
    /// That worker is woken, and has 25 ms to take it before others get it;
    /// [`next_available_at`](Self::next_available_at) says when.
    async fn take(&self, want: Want) -> Result<Option<Queued>, Error>;

    /// A worker lives, and has so many slots of which so many are free. It
    /// says so every few seconds, and is forgotten after 15.
    async fn present(&self, worker: WorkerId, slots: u32, free: u32) -> Result<(), Error>;

    /// A worker takes nothing any more.
    async fn absent(&self, worker: WorkerId) -> Result<(), Error>;

    /// A taken task left its slot, and is settled once it is stored. Nothing
    /// happens where that is known, or where it is not taken.
    async fn vacate(&self, task: TaskId) -> Result<(), Error>;

    /// A taken task ended after `actual_ms`: its company's account is
    /// corrected from the predicted to this time.
    async fn settle(&self, task: TaskId, actual_ms: f64) -> Result<(), Error>;

    /// Puts a taken task back to its old place, free of charge; `false` where
    /// it was not running.
    async fn hand_back(&self, task: TaskId) -> Result<bool, Error>;

    /// Forgets a task, waiting or running, free of charge; `false` where it
    /// was not known.
    async fn remove(&self, task: TaskId) -> Result<bool, Error>;

    /// How many tasks of the own company and class are ahead; `None` where it
    /// does not wait, or is another company's.
    async fn position(&self, company: CompanyId, task: TaskId) -> Result<Option<u64>, Error>;

    /// How many wait and run, by class and by company.
    async fn depths(&self) -> Result<Depths, Error>;

    /// How many of one company's tasks wait and run, and up to `first` of
    /// those that are next in each class.
    async fn line(&self, company: CompanyId, first: usize) -> Result<Line, Error>;

    /// When the next delayed task becomes available, to arm a timer by: no
    /// wake-up is sent at that time.
    async fn next_available_at(&self) -> Result<Option<Timestamp>, Error>;

    /// Resolves when the content of the broker was lost, at its first start
    /// too, and the caller is the one process that rebuilds it. Never, where
    /// the content lives and dies with the process.
    async fn forgotten(&self) -> Rebuild;

    /// Takes note of a task that runs already: its company is charged for it
    /// and it counts as running. Nothing happens where it is known, or has
    /// ended since the content was lost.
    async fn note_running(&self, task: Queued) -> Result<(), Error>;

    /// Up to `most` of the tasks that were given out `age` ago or earlier and
    /// have not been settled since, the oldest first. What the database does
    /// not know as running was lost between two processes: it is handed back
    /// or removed.
    async fn longest_running(&self, age: Duration, most: usize) -> Result<Vec<Queued>, Error>;

    /// Counts a request of `cost` against the limit of `key`, or refuses it.
    /// One that costs more than the whole rate is always refused.
    async fn allow(&self, key: &str, rate: Rate, cost: u32) -> Result<Decision, Error>;

    /// What was kept under the key, where that was less than its time ago and
    /// it had not to make room.
    async fn cache_get(&self, company: CompanyId, key: Digest) -> Result<Option<Bytes>, Error>;

    /// Keeps a value for `ttl` at most; one of more than
    /// [`LARGEST`](crate::cache::LARGEST) bytes is not kept.
    async fn cache_put(
        &self,
        company: CompanyId,
        key: Digest,
        value: Bytes,
        ttl: Duration,
    ) -> Result<(), Error>;

    /// Wakes its holder whenever [`take`](Self::take) may have something new.
    fn work(&self) -> Work;

    /// Tells whoever watches `topic` or its company that there are new durable
    /// events. Costs two look-ups where nobody does.
    fn changed(&self, topic: Topic);

    /// Tells whoever watches `topic`, and whoever watches its company where
    /// the event is for them, too.
    fn publish(&self, topic: Topic, event: LiveEvent);

    /// Everything published on `topic` from now on.
    fn subscribe(&self, topic: Topic) -> Subscription;

    /// All changes of a company from now on, and what is published for those
    /// who watch it.
    fn subscribe_company(&self, company: CompanyId) -> Subscription;

    /// Tells whoever waits for the task's end, once its end is stored.
    fn ended(&self, task: TaskId, state: State);

    /// The end of a task. Made before the task's state is read, it can't miss
    /// the end; only ends that come after are told.
    fn wait_ended(&self, task: TaskId) -> Waiter<State>;
}

/// A handle to the broker that was chosen.
pub type Handle = Arc<dyn Broker>;
