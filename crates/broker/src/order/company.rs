//! One company's queues, and which of its tasks is next.

use domain::task::QueueClass;
use domain::{CompanyId, TaskId, Timestamp};

use super::account::{Account, Tag};
use super::index;
use super::ranked::{Key, Ranked};
use crate::InLine;

/// A class that others of its company go ahead of is served once they used
/// this many times the time that its next task will: they keep four fifths.
pub const SHARE: f64 = 4.0;

/// A company's tasks by class, and its account.
#[derive(Debug, Default)]
pub struct Company {
    /// What it was given.
    pub account: Account,
    /// Its entry among the companies that compete, where it does.
    pub turn: Option<Turn>,
    /// Since when it has had nothing to do, where it ran something before.
    pub quiet_since: Option<Timestamp>,
    max_running: Option<u32>,
    served: u64,
    slots: u64,
    queues: [Queue; 3],
}

#[derive(Debug, Default)]
struct Queue {
    ready: Ranked,
    delayed: Ranked,
    /// What classes ahead of this one used while it waited, in milliseconds.
    passed_over_ms: f64,
}

/// A company's place among those that compete: the lowest tag first, then who
/// was served longest ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// Its account.
    pub tag: Tag,
    /// The number of the last dispatch it had.
    pub served: u64,
    /// The company.
    pub company: CompanyId,
}

impl Company {
    /// Takes over what the task that came last says of the company.
    pub fn configure(&mut self, weight: u32, max_running: Option<u32>) {
        self.account.set_weight(weight);
        self.max_running = max_running;
    }

    /// Adds a task that is available, or one that waits for its time.
    pub fn insert(&mut self, class: QueueClass, key: Key, delayed: bool) {
        let queue = &mut self.queues[index(class)];
        if delayed { &mut queue.delayed } else { &mut queue.ready }.insert(key);
    }

    /// Ends the delay of a task.
    pub fn make_available(&mut self, class: QueueClass, key: Key) {
        let queue = &mut self.queues[index(class)];
        if queue.delayed.remove(key) {
            queue.ready.insert(key);
        }
    }

    /// Takes a task out of its queue, delayed or not.
    pub fn forget(&mut self, class: QueueClass, key: Key) {
        let queue = &mut self.queues[index(class)];
        let _ = queue.ready.remove(key) || queue.delayed.remove(key);
    }

    /// Takes the task that was chosen out of its queue, as dispatch `number`.
    pub fn serve(&mut self, class: QueueClass, key: Key, predicted_ms: f64, number: u64) {
        self.occupy(number);
        self.forget(class, key);
        let (served, passed) =
            self.queues[index(class)..].split_first_mut().expect("every class has its queue");
        served.passed_over_ms = 0.0;
        for queue in passed {
            queue.passed_over_ms =
                if queue.ready.is_empty() { 0.0 } else { queue.passed_over_ms + predicted_ms };
        }
    }

    /// Takes note of dispatch `number`, whose task holds a slot.
    pub fn occupy(&mut self, number: u64) {
        self.served = number;
        self.slots += 1;
    }

    /// Whether it could run something now, and something not long.
    #[must_use]
    pub fn competes(&self) -> (bool, bool) {
        let room = self.max_running.is_none_or(|max| self.account.running() < u64::from(max));
        let [high, default, long] = self.queues.each_ref().map(|queue| !queue.ready.is_empty());
        (room && (high || default || long), room && (high || default))
    }

    /// Its place by its present account.
    #[must_use]
    pub fn turn_at(&self, company: CompanyId) -> Turn {
        Turn { tag: self.account.tag(), served: self.served, company }
    }

    /// The task that is next.
    #[must_use]
    pub fn next(&self, allow_long: bool, predicted_ms: impl Fn(TaskId) -> f64) -> Option<TaskId> {
        let queues = if allow_long { &self.queues[..] } else { &self.queues[..2] };
        let mut ready = queues.iter().filter_map(|queue| Some((queue, queue.ready.first()?.task)));
        let (_, ahead) = ready.next()?;
        let owed = ready
            .filter(|(queue, task)| queue.passed_over_ms >= SHARE * predicted_ms(*task).max(1.0))
            .last();
        Some(owed.map_or(ahead, |(_, task)| task))
    }

    /// How many of the class are ahead of the task, delayed ones included.
    #[must_use]
    pub fn ahead_of(&self, class: QueueClass, key: Key) -> u64 {
        let queue = &self.queues[index(class)];
        (queue.ready.count_below(key) + queue.delayed.count_below(key)) as u64
    }

    /// The next `first` tasks of each class, delayed ones included.
    #[must_use]
    pub fn line(&self, first: usize) -> Vec<InLine> {
        let of_class = |queue: &Queue| {
            let mut keys: Vec<_> =
                queue.ready.iter().take(first).chain(queue.delayed.iter().take(first)).collect();
            keys.sort_unstable();
            keys.truncate(first);
            (0..).zip(keys).map(|(ahead, key)| InLine { task: key.task, ahead }).collect::<Vec<_>>()
        };
        self.queues.iter().flat_map(of_class).collect()
    }

    /// Whether it has nothing to do and has had something.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.served > 0 && self.slots == 0 && self.waiting() == 0
    }

    /// Slots that its tasks hold.
    #[must_use]
    pub fn slots(&self) -> u64 {
        self.slots
    }

    /// One of its tasks has left its slot.
    pub fn leave_slot(&mut self) {
        self.slots = self.slots.saturating_sub(1);
    }

    /// How many wait, delayed ones included.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.queues.iter().map(|queue| (queue.ready.len() + queue.delayed.len()) as u64).sum()
    }
}
