//! One reader for all who watch the same thing: what happens is read from the
//! database once, however many are told of it.
//!
//! A feed begins with its first watcher and ends with its last. It tells
//! whatever comes after its `head`; a watcher waits for the head to be known,
//! reads what it wants of the time before by itself, and takes the rest from
//! here. Who is too slow loses what lies [`BUFFER`] messages back, never
//! anybody's time or memory but its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use broker::{Audience, LiveEvent, Received, Subscription, Topic};
use domain::event::Kind;
use domain::{CompanyId, TaskId};
use serde_json::{Value, json};
use store::events::Event;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{Engine, Error};

/// Messages that a watcher may be behind.
pub(crate) const BUFFER: usize = 64;
/// Events read from the database at once.
pub(crate) const BATCH: u32 = 100;
/// A busy company's events are read this often at most, many at a time.
const READ_EVERY: Duration = Duration::from_millis(20);
/// How often it is told at most how the queue moves.
const QUEUE_EVERY: Duration = Duration::from_millis(500);
/// Tasks of each class that are named with their positions.
const NAMED: usize = 20;
/// Between two attempts to read from a database that doesn't answer.
const RETRY: Duration = Duration::from_secs(1);

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Watched {
    /// A task or a deployment.
    Topic(Topic),
    /// Everything of a company.
    Company(CompanyId),
}

impl Watched {
    pub(crate) fn company(self) -> CompanyId {
        match self {
            Self::Topic(topic) => topic.company,
            Self::Company(company) => company,
        }
    }

    pub(crate) fn resource(self) -> Option<Uuid> {
        match self {
            Self::Topic(topic) => Some(topic.resource),
            Self::Company(_) => None,
        }
    }
}

/// What watchers are told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Durable events, oldest first.
    Events(Arc<[Arc<Event>]>),
    /// A live event, and of what; of nothing where it is about the queue.
    Live(Option<Uuid>, Arc<LiveEvent>),
    /// Live events were missed.
    Missed,
}

/// The feeds that somebody watches.
#[derive(Default)]
pub(crate) struct Feeds {
    open: Mutex<HashMap<Watched, Weak<Feed>>>,
    reads: AtomicU64,
}

/// What happens to one thing.
pub(crate) struct Feed {
    told: broadcast::Sender<Told>,
    head: watch::Receiver<Option<i64>>,
    _reader: DropGuard,
}

impl Feed {
    /// The number of the last event that was read; what comes after is told.
    /// `None` where the engine closes before it is known.
    pub(crate) async fn head(&self) -> Option<i64> {
        *self.head.clone().wait_for(Option::is_some).await.ok()?
    }
}

impl Feeds {
    /// The feed of `watched`, and what it tells from now on.
    pub(crate) fn join(
        &self,
        engine: &Engine,
        watched: Watched,
    ) -> (Arc<Feed>, broadcast::Receiver<Told>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = open.get(&watched).and_then(Weak::upgrade) {
            let told = feed.told.subscribe();
            return (feed, told);
        }
        let (told, receiver) = broadcast::channel(BUFFER);
        let (known, head) = watch::channel(None);
        let gone = CancellationToken::new();
        let live = match watched {
            Watched::Topic(topic) => engine.broker.subscribe(topic),
            Watched::Company(company) => engine.broker.subscribe_company(company),
        };
        let reader = Reader {
            engine: engine.clone(),
            watched,
            live,
            told: told.clone(),
            head: known,
            line: None,
            queue: Pace::default(),
            queue_told: Value::Null,
        };
        let (ended, reading) = (engine.clone(), gone.clone());
        engine.jobs.spawn(async move {
            tokio::select! {
                () = reader.read() => {}
                () = reading.cancelled() => {}
                () = ended.closing.cancelled() => {}
            }
            ended.feeds.forget(watched);
        });
        let feed = Arc::new(Feed { told, head, _reader: gone.drop_guard() });
        open.insert(watched, Arc::downgrade(&feed));
        (feed, receiver)
    }

    /// Removes a feed that nobody watches any more; another may have begun.
    fn forget(&self, watched: Watched) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&watched).is_some_and(|feed| feed.strong_count() == 0) {
            open.remove(&watched);
        }
    }

    /// Counts a read of the database.
    pub(crate) fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the database was read for watchers.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

struct Reader {
    engine: Engine,
    watched: Watched,
    live: Subscription,
    told: broadcast::Sender<Told>,
    head: watch::Sender<Option<i64>>,
    /// Tells when the queue moves in which the watched task waits.
    line: Option<Subscription>,
    queue: Pace,
    queue_told: Value,
}

impl Reader {
    async fn read(mut self) {
        let company = self.watched.company();
        let mut seq = loop {
            match self.engine.store.event_bounds(company).await {
                Ok(bounds) => break bounds.last,
                Err(error) => failed(&error).await,
            }
        };
        self.head.send_replace(Some(seq));
        self.join_line().await;
        loop {
            tokio::select! {
                received = self.live.next() => match received {
                    None => return,
                    Some(Received::Changed) => {
                        seq = self.tell_events(seq).await;
                        if let Watched::Company(_) = self.watched {
                            self.queue.want();
                            tokio::time::sleep(READ_EVERY).await;
                        }
                    }
                    Some(Received::Event(topic, event)) => {
                        self.tell(Told::Live(Some(topic.resource), event));
                    }
                    Some(Received::Lagged(_)) => self.tell(Told::Missed),
                },
                moved = moved(&mut self.line) => match moved {
                    Some(Received::Changed | Received::Lagged(_)) => self.queue.want(),
                    Some(Received::Event(..)) => {}
                    None => self.line = None,
                },
                () = self.queue.due() => self.tell_queue().await,
            }
        }
    }

    /// Reads and tells what came after `seq`; how far that went.
    async fn tell_events(&mut self, mut seq: i64) -> i64 {
        let (company, resource) = (self.watched.company(), self.watched.resource());
        loop {
            let events = match self.engine.events_after(company, resource, seq).await {
                Ok(events) => events,
                Err(error) => {
                    failed(&error).await;
                    continue;
                }
            };
            let is_all = events.len() < BATCH as usize;
            let Some(last) = events.last() else { return seq };
            seq = last.seq;
            let waits = matches!(last.kind, Kind::TaskQueued | Kind::TaskRetried);
            self.head.send_replace(Some(seq));
            self.tell(Told::Events(events.into_iter().map(Arc::new).collect()));
            if is_all {
                if waits {
                    self.join_line().await;
                } else {
                    self.line = None;
                }
                return seq;
            }
        }
    }

    fn tell(&self, told: Told) {
        // The last watcher may just have left.
        let _ = self.told.send(told);
    }

    /// Follows the queue where the watched task waits in it.
    async fn join_line(&mut self) {
        let Watched::Topic(topic) = self.watched else { return };
        let position = self.engine.broker.position(topic.company, TaskId(topic.resource)).await;
        if matches!(position, Ok(Some(_))) && self.line.is_none() {
            self.line = Some(self.engine.broker.subscribe_company(topic.company));
            self.queue.want();
        }
    }

    /// Tells how the queue stands, where that has changed.
    async fn tell_queue(&mut self) {
        self.queue.was_told();
        let state = match self.watched {
            Watched::Company(company) => self.engine.line(company).await,
            Watched::Topic(topic) => self.engine.place(topic).await,
        };
        match state {
            Ok(Some(state)) if state != self.queue_told => {
                self.tell(Told::Live(None, queue_event(state.clone())));
                self.queue_told = state;
            }
            Ok(Some(_)) => {}
            Ok(None) => self.line = None,
            Err(error) => tracing::warn!(%error, "the queue could not be looked at"),
        }
    }
}

impl Engine {
    /// Events of a company, or of one thing of it, after `seq`.
    pub(crate) async fn events_after(
        &self,
        company: CompanyId,
        resource: Option<Uuid>,
        seq: i64,
    ) -> Result<Vec<Event>, Error> {
        self.feeds.count_read();
        Ok(self.store.events_after(company, resource, seq, BATCH).await?)
    }

    /// How a company's queue stands.
    pub(crate) async fn line(&self, company: CompanyId) -> Result<Option<Value>, Error> {
        let line = self.broker.line(company, NAMED).await?;
        let next = line
            .next
            .iter()
            .map(|next| json!({ "task_id": next.task, "queue_position": next.ahead }));
        Ok(Some(json!({
            "waiting": line.waiting,
            "running": line.running,
            "next": next.collect::<Vec<_>>(),
        })))
    }

    /// Where a task stands in the queue, while it waits.
    async fn place(&self, topic: Topic) -> Result<Option<Value>, Error> {
        let position = self.broker.position(topic.company, TaskId(topic.resource)).await?;
        Ok(position.map(|ahead| json!({ "queue_position": ahead })))
    }
}

/// A live event that tells how the queue stands.
pub(crate) fn queue_event(data: Value) -> Arc<LiveEvent> {
    let kind = crate::watch::QUEUE.into();
    Arc::new(LiveEvent { kind, data, audience: Audience::Topic })
}

/// The next word of the queue, where it is followed.
async fn moved(line: &mut Option<Subscription>) -> Option<Received> {
    match line {
        Some(line) => line.next().await,
        None => std::future::pending().await,
    }
}

async fn failed(error: &impl std::fmt::Display) {
    tracing::error!(%error, "events could not be read for those who watch; trying again");
    tokio::time::sleep(RETRY).await;
}

/// When the queue is told of next: at once, and then at its pace.
#[derive(Default)]
struct Pace {
    told: Option<Instant>,
    due: Option<Instant>,
}

impl Pace {
    fn want(&mut self) {
        let now = Instant::now();
        let due = self.told.map_or(now, |told| now.max(told + QUEUE_EVERY));
        self.due.get_or_insert(due);
    }

    fn was_told(&mut self) {
        self.due = None;
        self.told = Some(Instant::now());
    }

    async fn due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }
}
