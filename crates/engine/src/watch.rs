//! Watching a task, a deployment or a whole company: durable events in order,
//! and what is told live in between.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::{LiveEvent, Topic};
use domain::permission::Principal;
use domain::{DeploymentId, TaskId};
use futures_util::{Stream, stream};
use store::deployments::Status;
use store::events::Event;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use crate::feed::{BATCH, Feed, Told, Watched, queue_event};
use crate::{Engine, Error};

/// A piece of the log.
pub(crate) const LOG: &str = "log";
/// Progress of a running task.
pub(crate) const PROGRESS: &str = "progress";
/// A test case or a test of a deployment that has ended.
pub(crate) const TEST: &str = "test";
/// How the queue stands.
pub(crate) const QUEUE: &str = "queue";

/// Events of a company that are told again at most to one who comes back;
/// who missed more reads the present state anew.
pub const REPLAYED: i64 = 1000;

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// A durable event; its `seq` is where a later watch goes on.
    Event(Arc<Event>),
    /// Something that is told live: `log`, `progress`, `test` or `queue`.
    Live {
        /// Of which task or deployment; `None` where it is the watched one, or
        /// the queue.
        resource: Option<Uuid>,
        /// What there is to tell.
        event: Arc<LiveEvent>,
        /// Where a later watch goes on, where that is worth telling.
        seq: Option<i64>,
    },
    /// Something was missed: read the present state anew.
    Reset {
        /// Where a later watch goes on.
        seq: i64,
    },
}

impl Engine {
    /// What happens to a task from the durable event after `seen` on, until
    /// it has ended and everything was told.
    pub async fn watch_task(
        &self,
        who: &Principal,
        id: TaskId,
        seen: i64,
    ) -> Result<impl Stream<Item = Result<Update, Error>> + Send + use<>, Error> {
        // Joined before the state is read, so that no end falls between.
        let watch = self.join(Topic { company: who.company, resource: id.0 });
        let ended = self.task(who, id).await?.task.state.is_final();
        watch.from(seen, ended).await
    }

    /// The same for a deployment.
    pub async fn watch_deployment(
        &self,
        who: &Principal,
        id: DeploymentId,
        seen: i64,
    ) -> Result<impl Stream<Item = Result<Update, Error>> + Send + use<>, Error> {
        let watch = self.join(Topic { company: who.company, resource: id.0 });
        let ended = self.deployment(who, id).await?.status != Status::Running;
        watch.from(seen, ended).await
    }

    /// What happens in the caller's company, and how its queue stands, from
    /// now on or from the durable event after `seen` on.
    pub async fn watch_company(
        &self,
        who: &Principal,
        seen: i64,
    ) -> Result<impl Stream<Item = Result<Update, Error>> + Send + use<>, Error> {
        let watched = Watched::Company(who.company);
        let (feed, told) = self.feeds.join(self, watched);
        let head = feed.head().await.unwrap_or_default();
        let mut missed = false;
        if seen > 0 {
            let bounds = self.store.event_bounds(who.company).await?;
            missed = bounds.is_gap(seen) || bounds.last - seen > REPLAYED;
        }
        let mut watch = Watch::new(self.clone(), watched, feed, told);
        watch.catching_up = seen > 0 && !missed;
        watch.seq = if watch.catching_up { seen } else { head };
        if missed {
            watch.pending.push_back(Update::Reset { seq: head });
        }
        watch.look_at_queue().await?;
        Ok(watch.updates())
    }

    fn join(&self, topic: Topic) -> Watch {
        let watched = Watched::Topic(topic);
        let (feed, told) = self.feeds.join(self, watched);
        Watch::new(self.clone(), watched, feed, told)
    }

    /// How often the database was read for those who watch.
    #[must_use]
    pub fn event_reads(&self) -> u64 {
        self.feeds.reads()
    }
}

struct Watch {
    engine: Engine,
    watched: Watched,
    feed: Arc<Feed>,
    told: broadcast::Receiver<Told>,
    /// The last durable event that was told.
    seq: i64,
    pending: VecDeque<Update>,
    /// Whether there may be durable events before those of the feed.
    catching_up: bool,
    /// Whether the last event was told.
    last: bool,
    /// Whether everything had happened before the watch began, so that a
    /// watcher who saw the last event already is told that nothing comes.
    ended: bool,
}

impl Watch {
    fn new(
        engine: Engine,
        watched: Watched,
        feed: Arc<Feed>,
        told: broadcast::Receiver<Told>,
    ) -> Self {
        let pending = VecDeque::new();
        let (catching_up, last, ended) = (true, false, false);
        Self { engine, watched, feed, told, seq: 0, pending, catching_up, last, ended }
    }

    async fn from(
        mut self,
        seen: i64,
        ended: bool,
    ) -> Result<impl Stream<Item = Result<Update, Error>> + Send + use<>, Error> {
        self.ended = ended;
        if seen > 0 {
            let bounds = self.engine.store.event_bounds(self.watched.company()).await?;
            let is_gap = bounds.is_gap(seen);
            self.seq = if is_gap { 0 } else { seen };
            // What was told live in between is lost, too.
            if is_gap || !ended {
                self.pending.push_back(Update::Reset { seq: self.seq });
            }
        }
        Ok(self.updates())
    }

    fn updates(self) -> impl Stream<Item = Result<Update, Error>> + Send + use<> {
        stream::try_unfold(self, |mut watch| async move {
            let closing = watch.engine.closing.clone();
            let next = closing.run_until_cancelled(watch.next()).await;
            Ok(next.transpose()?.flatten().map(|update| (update, watch)))
        })
    }

    async fn next(&mut self) -> Result<Option<Update>, Error> {
        loop {
            if let Some(mut update) = self.pending.pop_front() {
                match &mut update {
                    Update::Event(event) => {
                        self.seq = event.seq;
                        self.last = self.watched.resource().is_some() && is_last(event);
                    }
                    Update::Live { event, seq, .. } if event.kind == QUEUE => *seq = Some(self.seq),
                    Update::Live { .. } | Update::Reset { .. } => {}
                }
                return Ok(Some(update));
            }
            if self.last {
                return Ok(None);
            }
            if self.catching_up {
                self.catch_up().await?;
            } else if self.ended {
                return Ok(None);
            } else {
                match self.told.recv().await {
                    Ok(told) => self.take(told).await?,
                    Err(RecvError::Lagged(_)) => self.missed().await?,
                    Err(RecvError::Closed) => return Ok(None),
                }
            }
        }
    }

    /// Reads what happened before the feed's time, a batch at a time.
    async fn catch_up(&mut self) -> Result<(), Error> {
        // What came before the head is not told, and is committed by then.
        if self.feed.head().await.is_none() {
            self.last = true;
            return Ok(());
        }
        let (company, resource) = (self.watched.company(), self.watched.resource());
        let events = self.engine.events_after(company, resource, self.seq).await?;
        self.catching_up = events.len() == BATCH as usize;
        self.pending.extend(events.into_iter().map(|event| Update::Event(Arc::new(event))));
        Ok(())
    }

    async fn take(&mut self, told: Told) -> Result<(), Error> {
        match told {
            Told::Events(events) => {
                let new = events.iter().filter(|event| event.seq > self.seq);
                self.pending.extend(new.map(|event| Update::Event(Arc::clone(event))));
            }
            Told::Live(resource, event) => {
                let resource = resource.filter(|_| self.watched.resource().is_none());
                self.pending.push_back(Update::Live { resource, event, seq: None });
            }
            Told::Missed => self.missed().await?,
        }
        Ok(())
    }

    /// A task's events are read again from where this watcher is; of a busy
    /// company there may be too many, and its state says more.
    async fn missed(&mut self) -> Result<(), Error> {
        if self.watched.resource().is_some() {
            self.catching_up = true;
        } else {
            self.seq = self.feed.head().await.unwrap_or(self.seq);
        }
        self.pending.push_back(Update::Reset { seq: self.seq });
        self.look_at_queue().await
    }

    async fn look_at_queue(&mut self) -> Result<(), Error> {
        if let Watched::Company(company) = self.watched
            && let Some(line) = self.engine.line(company).await?
        {
            let event = queue_event(line);
            self.pending.push_back(Update::Live { resource: None, event, seq: None });
        }
        Ok(())
    }
}

fn is_last(event: &Event) -> bool {
    use domain::event::Kind;
    matches!(
        event.kind,
        Kind::TaskCompleted
            | Kind::TaskFailed
            | Kind::TaskCancelled
            | Kind::DeploymentDeployed
            | Kind::DeploymentFailed
    )
}
