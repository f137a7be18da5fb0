//! The broker of one process: an order behind a lock, and channels.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::task::State;
use domain::{Clock, CompanyId, Digest, TaskId, Timestamp, WorkerId};
use tokio::sync::watch;

use crate::cache::Values;
use crate::live::Topics;
use crate::order::Order;
use crate::rates::Limiter;
use crate::waiting::{Waiters, lock};
use crate::{
    Admission, Broker, Decision, Depths, Error, Line, LiveEvent, Queued, Rate, Rebuild,
    Subscription, Topic, Waiter, Want, Work,
};

/// What the broker is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many tasks may wait at once, over all companies.
    pub queued_tasks: u64,
}

impl From<&domain::limits::Limits> for Settings {
    fn from(limits: &domain::limits::Limits) -> Self {
        Self { queued_tasks: limits.queued_tasks }
    }
}

/// A broker that lives and dies with the process.
pub struct InProcess {
    settings: Settings,
    clock: Arc<dyn Clock>,
    order: Mutex<Order>,
    reserved: Arc<Mutex<Reserved>>,
    changes: watch::Sender<u64>,
    topics: Topics,
    endings: Waiters<State>,
    limiter: Limiter,
    values: Values,
}

/// Places promised to tasks whose rows are being written.
#[derive(Default)]
struct Reserved {
    all: u64,
    of: HashMap<CompanyId, u64>,
}

impl Reserved {
    fn add(&mut self, company: CompanyId) {
        self.all += 1;
        *self.of.entry(company).or_default() += 1;
    }

    fn take(&mut self, company: CompanyId) {
        self.all -= 1;
        if let Some(own) = self.of.get_mut(&company) {
            *own -= 1;
            if *own == 0 {
                self.of.remove(&company);
            }
        }
    }
}

impl InProcess {
    /// An empty broker.
    #[must_use]
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self {
            settings,
            clock,
            order: Mutex::new(Order::default()),
            reserved: Arc::default(),
            changes: watch::Sender::new(0),
            topics: Topics::default(),
            endings: Waiters::new(),
            limiter: Limiter::new(),
            values: Values::new(),
        }
    }

    fn announce_work(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[async_trait]
impl Broker for InProcess {
    async fn admit(&self, company: CompanyId, most: Option<u64>) -> Result<Admission, Error> {
        let order = lock(&self.order);
        // Counted under the lock of the order, so that two callers can't both
        // have the last place.
        let mut reserved = lock(&self.reserved);
        let queued = order.waiting() + reserved.all;
        let limit = self.settings.queued_tasks;
        if queued >= limit {
            return Err(Error::Full { queued, limit });
        }
        let of_company = reserved.of.get(&company).copied().unwrap_or_default();
        let queued = order.waiting_of(company) + of_company;
        if let Some(limit) = most.filter(|most| queued >= *most) {
            return Err(Error::CompanyFull { queued, limit });
        }
        reserved.add(company);
        let reserved = Arc::clone(&self.reserved);
        Ok(Admission::new(move || lock(&reserved).take(company)))
    }

    async fn enqueue(&self, task: Queued) -> Result<(), Error> {
        let added = lock(&self.order).enqueue(task, self.clock.now());
        if added {
            self.announce_work();
        }
        Ok(())
    }

    async fn take_directly(&self, task: Queued, want: Want) -> Result<bool, Error> {
        Ok(lock(&self.order).take_directly(task, want, self.clock.now()))
    }

    async fn take(&self, want: Want) -> Result<Option<Queued>, Error> {
        Ok(lock(&self.order).take(want, self.clock.now()))
    }

    async fn present(&self, _: WorkerId, _: u32, _: u32) -> Result<(), Error> {
        // It is the only one.
        Ok(())
    }

    async fn absent(&self, _: WorkerId) -> Result<(), Error> {
        Ok(())
    }

    async fn vacate(&self, task: TaskId) -> Result<(), Error> {
        lock(&self.order).vacate(task, self.clock.now());
        Ok(())
    }

    async fn settle(&self, task: TaskId, actual_ms: f64) -> Result<(), Error> {
        let settled = lock(&self.order).settle(task, actual_ms, self.clock.now());
        if settled {
            self.announce_work();
        }
        Ok(())
    }

    async fn hand_back(&self, task: TaskId) -> Result<bool, Error> {
        let handed_back = lock(&self.order).hand_back(task, self.clock.now());
        if handed_back {
            self.announce_work();
        }
        Ok(handed_back)
    }

    async fn remove(&self, task: TaskId) -> Result<bool, Error> {
        let removed = lock(&self.order).remove(task, self.clock.now());
        if removed {
            self.announce_work();
        }
        Ok(removed)
    }

    async fn position(&self, company: CompanyId, task: TaskId) -> Result<Option<u64>, Error> {
        Ok(lock(&self.order).position(company, task))
    }

    async fn depths(&self) -> Result<Depths, Error> {
        Ok(lock(&self.order).depths())
    }

    async fn line(&self, company: CompanyId, first: usize) -> Result<Line, Error> {
        Ok(lock(&self.order).line(company, first))
    }

    async fn next_available_at(&self) -> Result<Option<Timestamp>, Error> {
        Ok(lock(&self.order).next_available_at())
    }

    async fn forgotten(&self) -> Rebuild {
        std::future::pending().await
    }

    async fn note_running(&self, task: Queued) -> Result<(), Error> {
        lock(&self.order).note_running(task, self.clock.now());
        Ok(())
    }

    async fn longest_running(&self, age: Duration, most: usize) -> Result<Vec<Queued>, Error> {
        Ok(lock(&self.order).longest_running(self.clock.now().before(age), most))
    }

    async fn allow(&self, key: &str, rate: Rate, cost: u32) -> Result<Decision, Error> {
        Ok(self.limiter.allow(key, rate, cost, self.clock.now()))
    }

    async fn cache_get(&self, company: CompanyId, key: Digest) -> Result<Option<Bytes>, Error> {
        Ok(self.values.get((company, key), self.clock.now()))
    }

    async fn cache_put(
        &self,
        company: CompanyId,
        key: Digest,
        value: Bytes,
        ttl: Duration,
    ) -> Result<(), Error> {
        self.values.put((company, key), value, ttl, self.clock.now());
        Ok(())
    }

    fn work(&self) -> Work {
        Work::new(self.changes.subscribe())
    }

    fn changed(&self, topic: Topic) {
        self.topics.changed(topic);
    }

    fn publish(&self, topic: Topic, event: LiveEvent) {
        self.topics.publish(topic, event);
    }

    fn subscribe(&self, topic: Topic) -> Subscription {
        self.topics.subscribe(topic)
    }

    fn subscribe_company(&self, company: CompanyId) -> Subscription {
        self.topics.subscribe_company(company)
    }

    fn ended(&self, task: TaskId, state: State) {
        self.endings.tell(task, &state);
    }

    fn wait_ended(&self, task: TaskId) -> Waiter<State> {
        self.endings.register(task)
    }
}
