//! Watching a task or a deployment: durable events in order, and what a run
//! tells live in between.

use std::collections::VecDeque;

use broker::{Received, Subscription, Topic};
use domain::permission::Principal;
use domain::{DeploymentId, TaskId};
use futures_util::{Stream, stream};
use serde_json::Value;
use store::deployments::Status;
use store::events::Event;
use uuid::Uuid;

use crate::{Engine, Error};

/// Says that there are new durable events.
pub(crate) const CHANGED: &str = "changed";
/// A piece of the log.
pub(crate) const LOG: &str = "log";
/// Progress of a running task.
pub(crate) const PROGRESS: &str = "progress";
/// A test case or a test of a deployment that has ended.
pub(crate) const TEST: &str = "test";

/// Events read from the database at once.
const BATCH: u32 = 200;

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// A durable event; its `seq` is where a later watch goes on.
    Event(Event),
    /// Something that is told live: `log`, `progress` or `test`.
    Live {
        /// Its name.
        kind: &'static str,
        /// What there is to tell.
        data: Value,
    },
    /// Live events were missed: read the present state anew.
    Reset,
}

impl Engine {
    /// What happens to a task from the durable event after `seq` on, until
    /// it has ended and everything was told.
    pub async fn watch_task(
        &self,
        who: &Principal,
        id: TaskId,
        seq: i64,
    ) -> Result<impl Stream<Item = Result<Update, Error>> + Send + use<>, Error> {
        let ended = self.task(who, id).await?.task.state.is_final();
        Ok(self.watch(who, id.0, seq, ended))
    }

    /// The same for a deployment.
    pub async fn watch_deployment(
        &self,
        who: &Principal,
        id: DeploymentId,
        seq: i64,
    ) -> Result<impl Stream<Item = Result<Update, Error>> + Send + use<>, Error> {
        let ended = self.deployment(who, id).await?.status != Status::Running;
        Ok(self.watch(who, id.0, seq, ended))
    }

    fn watch(
        &self,
        who: &Principal,
        resource: Uuid,
        seq: i64,
        ended: bool,
    ) -> impl Stream<Item = Result<Update, Error>> + Send + use<> {
        let topic = Topic { company: who.company, resource };
        let watch = Watch {
            // Subscribed before the first read, so that nothing falls between.
            live: self.broker.subscribe(topic),
            engine: self.clone(),
            topic,
            seq,
            told: VecDeque::new(),
            stale: true,
            last: false,
            ended,
        };
        stream::try_unfold(watch, |mut watch| async move {
            Ok(watch.next().await?.map(|update| (update, watch)))
        })
    }
}

struct Watch {
    engine: Engine,
    live: Subscription,
    topic: Topic,
    seq: i64,
    told: VecDeque<Event>,
    /// Whether there may be durable events that were not read.
    stale: bool,
    /// Whether the last event was told.
    last: bool,
    /// Whether everything had happened before the watch began, so that a
    /// watcher who saw the last event already is told that nothing comes.
    ended: bool,
}

impl Watch {
    async fn next(&mut self) -> Result<Option<Update>, Error> {
        loop {
            if let Some(event) = self.told.pop_front() {
                self.seq = event.seq;
                self.last = is_last(&event);
                return Ok(Some(Update::Event(event)));
            }
            if self.last {
                return Ok(None);
            }
            if self.stale {
                let Topic { company, resource } = self.topic;
                let events = self
                    .engine
                    .store
                    .events_after(company, Some(resource), self.seq, BATCH)
                    .await?;
                self.stale = events.len() == BATCH as usize;
                self.told = events.into();
                if !self.told.is_empty() {
                    continue;
                }
                if self.ended {
                    return Ok(None);
                }
            }
            tokio::select! {
                received = self.live.next() => match received {
                    None => return Ok(None),
                    Some(Received::Lagged(_)) => {
                        self.stale = true;
                        return Ok(Some(Update::Reset));
                    }
                    Some(Received::Event(_, event)) => match event.kind.as_ref() {
                        LOG => return Ok(Some(Update::Live { kind: LOG, data: event.data.clone() })),
                        PROGRESS => {
                            return Ok(Some(Update::Live { kind: PROGRESS, data: event.data.clone() }));
                        }
                        TEST => return Ok(Some(Update::Live { kind: TEST, data: event.data.clone() })),
                        _ => self.stale = true,
                    },
                },
                () = self.engine.closing.cancelled() => return Ok(None),
            }
        }
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
