//! What processes tell each other: one channel, messages of several entries.
//!
//! Whatever happens here is told to local watchers at once and put into a
//! bounded outbox for the others, so that nobody who tells waits for Redis.
//! What can't be sent is not kept: the others are told that something was
//! lost, and look again.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use domain::task::State;
use domain::{CompanyId, TaskId, WorkerId};
use tokio::sync::{Notify, watch};

use super::codec::take;
use super::entry::{Entry, read, write};
use crate::live::Topics;
use crate::waiting::{Waiters, lock};
use crate::{LiveEvent, Subscription, Topic, Waiter, Work};

/// Bytes that wait to be sent; a queue that is longer is given up.
const OUTBOX: usize = 4 << 20;
/// Bytes of one message, about.
const MESSAGE: usize = 64 << 10;

/// A process among those that use the same Redis.
pub(super) type Process = [u8; 16];

/// Who waits and watches in this process.
pub(super) struct Local {
    me: Process,
    work: watch::Sender<u64>,
    topics: Topics,
    endings: Waiters<State>,
    /// Those of this process.
    workers: Mutex<HashSet<WorkerId>>,
}

/// Entries on their way to the other processes.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Vec<u8>>,
    bytes: usize,
    lost: bool,
}

impl Local {
    pub(super) fn new(me: Process) -> Self {
        Self {
            me,
            work: watch::Sender::new(0),
            topics: Topics::default(),
            endings: Waiters::new(),
            workers: Mutex::default(),
        }
    }

    pub(super) fn present(&self, worker: WorkerId) {
        lock(&self.workers).insert(worker);
    }

    pub(super) fn absent(&self, worker: WorkerId) {
        lock(&self.workers).remove(&worker);
    }

    pub(super) fn work(&self) -> Work {
        Work::new(self.work.subscribe())
    }

    pub(super) fn wake(&self) {
        self.work.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn wait_ended(&self, task: TaskId) -> Waiter<State> {
        self.endings.register(task)
    }

    pub(super) fn subscribe(&self, topic: Topic) -> Subscription {
        self.topics.subscribe(topic)
    }

    pub(super) fn subscribe_company(&self, company: CompanyId) -> Subscription {
        self.topics.subscribe_company(company)
    }

    pub(super) fn ended(&self, task: TaskId, state: State) {
        self.endings.tell(task, &state);
    }

    pub(super) fn changed(&self, topic: Topic) {
        self.topics.changed(topic);
    }

    pub(super) fn publish(&self, topic: Topic, event: LiveEvent) {
        self.topics.publish(topic, event);
    }

    /// Something may have been missed, nobody knows what: everybody who waits
    /// or watches looks again.
    pub(super) fn look_again(&self) {
        self.endings.give_up();
        self.topics.missed();
        self.wake();
    }

    /// Passes on what another process told.
    pub(super) fn hear(&self, message: &[u8]) {
        let mut rest = message;
        if take(&mut rest) == Some(self.me) {
            return;
        }
        while !rest.is_empty() {
            match read(&mut rest) {
                Some(Entry::Work) => self.wake(),
                Some(Entry::Offered(worker)) => {
                    if lock(&self.workers).contains(&worker) {
                        self.wake();
                    }
                }
                Some(Entry::Ended(task, state)) => self.ended(task, state),
                Some(Entry::Changed(topic)) => self.changed(topic),
                Some(Entry::Published(topic, event)) => self.publish(topic, event),
                // Or a process of another release tells what we don't know.
                Some(Entry::Lost) | None => return self.look_again(),
            }
        }
    }
}

impl Outbox {
    pub(super) fn ended(&self, task: TaskId, state: State) {
        self.push(&Entry::Ended(task, state));
    }

    pub(super) fn changed(&self, topic: Topic) {
        self.push(&Entry::Changed(topic));
    }

    pub(super) fn published(&self, topic: Topic, event: &LiveEvent) {
        self.push(&Entry::Published(topic, event.clone()));
    }

    /// Gives up what waits, and has the others told so.
    pub(super) fn lose(&self) {
        let mut waiting = lock(&self.waiting);
        *waiting = Waiting { lost: true, ..Waiting::default() };
        self.filled.notify_one();
    }

    /// Resolves when something waits that was not there before.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// The next message of the process; `None` where nothing waits.
    pub(super) fn message(&self, me: Process) -> Option<Vec<u8>> {
        let mut waiting = lock(&self.waiting);
        let mut message = me.to_vec();
        if std::mem::take(&mut waiting.lost) {
            write(&Entry::Lost, &mut message);
        }
        while message.len() < MESSAGE {
            let Some(entry) = waiting.entries.pop_front() else { break };
            waiting.bytes -= entry.len();
            message.extend(entry);
        }
        (message.len() > me.len()).then_some(message)
    }

    fn push(&self, entry: &Entry) {
        let mut bytes = Vec::new();
        write(entry, &mut bytes);
        {
            let mut waiting = lock(&self.waiting);
            // A busy task changes faster than anybody reads.
            if waiting.entries.back() == Some(&bytes) && matches!(entry, Entry::Changed(_)) {
                return;
            }
            waiting.bytes += bytes.len();
            waiting.entries.push_back(bytes);
            if waiting.bytes > OUTBOX {
                *waiting = Waiting { lost: true, ..Waiting::default() };
            }
        }
        self.filled.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::CompanyId;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{Audience, Received};

    const ME: Process = [1; 16];
    const OTHER: Process = [2; 16];

    fn topic() -> Topic {
        Topic { company: CompanyId(Uuid::from_u128(7)), resource: Uuid::from_u128(8) }
    }

    fn event() -> LiveEvent {
        let data = json!({"text": "é\n", "n": 1});
        LiveEvent { kind: "log".into(), data, audience: Audience::Company }
    }

    #[tokio::test]
    async fn another_process_hears_what_was_told_in_order_and_this_one_does_not() {
        let outbox = Outbox::default();
        let task = TaskId(Uuid::from_u128(9));
        outbox.published(topic(), &event());
        outbox.changed(topic());
        outbox.changed(topic());
        outbox.ended(task, State::Failed);
        let message = outbox.message(ME).expect("something waits");
        assert_eq!(outbox.message(ME), None);

        let (here, there) = (Local::new(ME), Local::new(OTHER));
        let mut ends = [here.wait_ended(task), there.wait_ended(task)];
        let mut watcher = there.subscribe(topic());
        here.hear(&message);
        there.hear(&message);
        assert_eq!(ends[0].told_already(), None);
        assert_eq!(ends[1].told_already(), Some(State::Failed));
        let heard = Received::Event(topic(), Arc::new(event()));
        assert_eq!(watcher.next().await, Some(heard));
        assert_eq!(watcher.next().await, Some(Received::Changed));
    }

    #[tokio::test]
    async fn a_full_outbox_tells_that_something_was_lost() {
        let outbox = Outbox::default();
        let long = LiveEvent { data: "x".repeat(OUTBOX).into(), ..event() };
        outbox.changed(topic());
        outbox.published(topic(), &long);
        let there = Local::new(OTHER);
        let mut watcher = there.subscribe(topic());
        there.hear(&outbox.message(ME).expect("that it was lost"));
        assert_eq!(watcher.next().await, Some(Received::Lagged(1)));
        assert_eq!(watcher.next().await, Some(Received::Changed));
        assert_eq!(outbox.message(ME), None);
    }

    #[tokio::test]
    async fn a_message_that_nobody_understands_makes_everybody_look_again() {
        let there = Local::new(OTHER);
        let mut end = there.wait_ended(TaskId::new());
        let mut work = there.work();
        there.hear(&[&ME[..], b"?from the next release"].concat());
        assert_eq!(end.told().await, None);
        assert!(work.changed().await);
    }
}
