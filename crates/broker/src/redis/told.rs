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

use super::codec::{take, uuid};
use crate::live::Topics;
use crate::waiting::{Waiters, lock};
use crate::{Audience, LiveEvent, Subscription, Topic, Waiter, Work};

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

/// Something for the other processes.
#[derive(Debug, PartialEq)]
enum Entry {
    /// There may be work; the scripts tell this.
    Work,
    /// There is a task for this worker; the scripts tell this.
    Offered(WorkerId),
    Ended(TaskId, State),
    Changed(Topic),
    Published(Topic, LiveEvent),
    /// What came before this was lost.
    Lost,
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

fn write(entry: &Entry, to: &mut Vec<u8>) {
    match entry {
        Entry::Work => to.push(b'W'),
        Entry::Offered(worker) => {
            to.push(b'O');
            to.extend(worker.0.as_bytes());
        }
        Entry::Ended(task, state) => {
            to.push(b'E');
            to.extend(task.0.as_bytes());
            write_text(state.as_str(), to);
        }
        Entry::Changed(topic) => {
            to.push(b'C');
            write_topic(*topic, to);
        }
        Entry::Published(topic, event) => {
            to.push(b'P');
            write_topic(*topic, to);
            to.push(matches!(event.audience, Audience::Company).into());
            write_text(&event.kind, to);
            write_text(&event.data.to_string(), to);
        }
        Entry::Lost => to.push(b'L'),
    }
}

fn read(rest: &mut &[u8]) -> Option<Entry> {
    Some(match &take::<1>(rest)? {
        b"W" => Entry::Work,
        b"O" => Entry::Offered(WorkerId(uuid(rest)?)),
        b"E" => Entry::Ended(TaskId(uuid(rest)?), read_text(rest)?.parse().ok()?),
        b"C" => Entry::Changed(read_topic(rest)?),
        b"P" => {
            let topic = read_topic(rest)?;
            let audience = match take(rest)? {
                [0] => Audience::Topic,
                [_] => Audience::Company,
            };
            let kind = read_text(rest)?.to_owned().into();
            let data = serde_json::from_str(read_text(rest)?).ok()?;
            Entry::Published(topic, LiveEvent { kind, data, audience })
        }
        b"L" => Entry::Lost,
        _ => return None,
    })
}

fn write_topic(topic: Topic, to: &mut Vec<u8>) {
    to.extend(topic.company.0.as_bytes());
    to.extend(topic.resource.as_bytes());
}

fn read_topic(rest: &mut &[u8]) -> Option<Topic> {
    Some(Topic { company: CompanyId(uuid(rest)?), resource: uuid(rest)? })
}

fn write_text(text: &str, to: &mut Vec<u8>) {
    // An event of 4 GB does not come so far.
    to.extend((text.len() as u32).to_be_bytes());
    to.extend(text.as_bytes());
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = u32::from_be_bytes(take(rest)?) as usize;
    let (text, others) = rest.split_at_checked(length)?;
    *rest = others;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::CompanyId;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::Received;

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
