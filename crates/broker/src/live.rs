//! What is told live to whoever watches now: that there are new durable
//! events, and live events, which are kept for nobody.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use domain::CompanyId;
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use crate::waiting::{OnDrop, lock};

/// How many events a slow reader may be behind before it misses some.
pub const BUFFER: usize = 128;

/// Where events about one thing are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    /// The company that the thing belongs to.
    pub company: CompanyId,
    /// Id of a task, deployment …
    pub resource: Uuid,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveEvent {
    /// The event's name in streams: `task.completed`, `progress`, `log` …
    pub kind: Cow<'static, str>,
    /// What there is to tell.
    pub data: Value,
    /// Who is told.
    pub audience: Audience,
}

/// Who is told of a live event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Those who watch the thing itself.
    Topic,
    /// Also those who watch its whole company.
    Company,
}

/// What a subscription yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// There are new durable events; one of these may stand for many.
    Changed,
    /// An event, and where it was published.
    Event(Topic, Arc<LiveEvent>),
    /// The reader was too slow, or the broker lost its server for a while,
    /// and at least this many events are lost to it: it reads the present
    /// state anew, and tells its own reader to (`reset`).
    Lagged(u64),
}

/// Events from the moment of subscribing on, in the order of publishing; what
/// was published before a change is received before [`Received::Changed`].
#[derive(Debug)]
pub struct Subscription {
    // Declared first: the receiver must be gone when the topic is asked
    // whether anybody still listens.
    receiver: broadcast::Receiver<Told>,
    changes: watch::Receiver<()>,
    _registered: OnDrop,
}

impl Subscription {
    /// The next event; `None` where the broker is gone.
    pub async fn next(&mut self) -> Option<Received> {
        tokio::select! {
            // In this order: a task's last words come before its end.
            biased;
            received = self.receiver.recv() => match received {
                Ok(Told::Event(topic, event)) => Some(Received::Event(topic, event)),
                Ok(Told::Missed) => Some(Received::Lagged(1)),
                Err(broadcast::error::RecvError::Lagged(missed)) => Some(Received::Lagged(missed)),
                Err(broadcast::error::RecvError::Closed) => None,
            },
            changed = self.changes.changed() => changed.is_ok().then_some(Received::Changed),
        }
    }
}

type Channels<K> = Arc<Mutex<HashMap<K, Channel>>>;

/// What those who watch the same thing are told.
#[derive(Clone, Debug)]
enum Told {
    Event(Topic, Arc<LiveEvent>),
    /// Nobody knows what.
    Missed,
}

/// Where those who watch the same thing are told.
#[derive(Clone, Debug)]
struct Channel {
    live: broadcast::Sender<Told>,
    changes: watch::Sender<()>,
}

impl Channel {
    fn new() -> Self {
        Self { live: broadcast::channel(BUFFER).0, changes: watch::Sender::new(()) }
    }
}

/// The topics and companies that somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_topic: Channels<Topic>,
    by_company: Channels<CompanyId>,
}

impl Topics {
    pub(crate) fn changed(&self, topic: Topic) {
        if let Some(channel) = lock(&self.by_topic).get(&topic) {
            channel.changes.send_replace(());
        }
        if let Some(channel) = lock(&self.by_company).get(&topic.company) {
            channel.changes.send_replace(());
        }
    }

    pub(crate) fn publish(&self, topic: Topic, event: LiveEvent) {
        let one = lock(&self.by_topic).get(&topic).cloned();
        let all = match event.audience {
            Audience::Topic => None,
            Audience::Company => lock(&self.by_company).get(&topic.company).cloned(),
        };
        if one.is_none() && all.is_none() {
            return;
        }
        let event = Arc::new(event);
        for channel in [one, all].into_iter().flatten() {
            // The last reader may just have left; then nobody misses it.
            let _ = channel.live.send(Told::Event(topic, Arc::clone(&event)));
        }
    }

    /// Has everybody look again who watches something.
    pub(crate) fn missed(&self) {
        let mut channels: Vec<_> = lock(&self.by_topic).values().cloned().collect();
        channels.extend(lock(&self.by_company).values().cloned());
        for channel in channels {
            let _ = channel.live.send(Told::Missed);
            channel.changes.send_replace(());
        }
    }

    pub(crate) fn subscribe(&self, topic: Topic) -> Subscription {
        subscribe(&self.by_topic, topic)
    }

    pub(crate) fn subscribe_company(&self, company: CompanyId) -> Subscription {
        subscribe(&self.by_company, company)
    }
}

fn subscribe<K>(channels: &Channels<K>, key: K) -> Subscription
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
{
    let (receiver, changes) = {
        let mut channels = lock(channels);
        let channel = channels.entry(key).or_insert_with(Channel::new);
        (channel.live.subscribe(), channel.changes.subscribe())
    };
    let channels = Arc::clone(channels);
    let leave = OnDrop::new(move || {
        let mut channels = lock(&channels);
        if channels.get(&key).is_some_and(|channel| channel.live.receiver_count() == 0) {
            channels.remove(&key);
        }
    });
    Subscription { receiver, changes, _registered: leave }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_disappears_with_its_last_watcher() {
        let topics = Topics::default();
        let topic = Topic { company: CompanyId::new(), resource: Uuid::nil() };
        let first = topics.subscribe(topic);
        let second = topics.subscribe(topic);
        let all = topics.subscribe_company(topic.company);
        drop(first);
        assert_eq!(lock(&topics.by_topic).len(), 1);
        drop(second);
        drop(all);
        assert_eq!(lock(&topics.by_topic).len(), 0);
        assert_eq!(lock(&topics.by_company).len(), 0);
    }
}
