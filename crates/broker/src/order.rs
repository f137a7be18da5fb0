//! Who runs next: values in, a decision out; no clock and no waiting.
//!
//! Companies share the workers by weighted fair queueing in worker-seconds.
//! Each has an account ([`account`]) of the time it was given, divided by its
//! weight; whoever's account is lowest is next. A dispatch charges the time
//! that is predicted ([`estimate`]), [`Order::settle`] corrects it to the time
//! that was used. A company that comes back after it had nothing to run is
//! lifted to the level of those that compete, so that idling earns nothing.
//! The scheme is start-time fair queueing (Goyal, Vin, Cheng 1996) with the
//! correction added.
//!
//! Within a company `high_priority` goes first, then `default`, then
//! `long_running`; a class that the ones before it would starve is served
//! once they used [`company::SHARE`] times what its next task will.
//!
//! Runs are not interrupted, so whoever took all slots would keep the others
//! waiting. The last slot of a worker is therefore for companies that run
//! nothing yet, as long as that puts none of them more than [`AHEAD`] ahead of
//! its share; and it is kept free for [`KEPT_US`] after a company had its last
//! run, because it may come back a moment later.

pub mod account;
pub mod company;
pub mod estimate;
pub mod ranked;

use std::collections::{BTreeSet, HashMap};

use domain::task::QueueClass;
use domain::{CompanyId, TaskId, Timestamp};

use crate::{ClassDepth, CompanyDepth, Depths, Line, Queued, Want};
use account::{Charge, Tag};
use company::{Company, Turn};
use estimate::Estimates;
use ranked::Key;

/// How long the last slot of a worker is kept for a company that has nothing
/// to do any more, in microseconds.
pub const KEPT_US: i64 = 10_000_000;
/// How far ahead of its share a company without a run may get by taking the
/// last slot before others: ten seconds of a worker.
pub const AHEAD: Tag = 10_000_000_000;

/// The whole queue: what waits, what runs, and the accounts of companies.
#[derive(Debug, Default)]
pub struct Order {
    tasks: HashMap<TaskId, Entry>,
    /// Accounts outlive the tasks: what a company used must be remembered
    /// when it comes back a second later.
    companies: HashMap<CompanyId, Company>,
    /// Companies that could run a task now.
    any: BTreeSet<Turn>,
    /// Companies that could run a task now that is not `long_running`.
    short: BTreeSet<Turn>,
    delayed: BTreeSet<(Timestamp, TaskId)>,
    /// Companies that had something to do lately, by since when no more.
    quiet: BTreeSet<(Timestamp, CompanyId)>,
    oldest: [BTreeSet<(Timestamp, TaskId)>; 3],
    running: [u64; 3],
    /// The highest account that was ever served first.
    floor: Tag,
    dispatched: u64,
    estimates: Estimates,
}

#[derive(Debug)]
struct Entry {
    queued: Queued,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Ready,
    Delayed,
    Running {
        charge: Charge,
        /// Whether it holds its slot, or has left it and is being stored.
        in_slot: bool,
    },
}

impl Order {
    /// How many tasks wait, delayed ones included.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.oldest.iter().map(|class| class.len() as u64).sum()
    }

    /// How many tasks of one company wait, delayed ones included.
    #[must_use]
    pub fn waiting_of(&self, company: CompanyId) -> u64 {
        self.companies.get(&company).map_or(0, Company::waiting)
    }

    /// Adds a task; `false` where it waits or runs already.
    pub fn enqueue(&mut self, task: Queued, now: Timestamp) -> bool {
        if self.tasks.contains_key(&task.task) {
            return false;
        }
        let company = self.companies.entry(task.company).or_default();
        company.configure(task.company_weight, task.max_running);
        company.insert(task.class, key(&task), task.available_at > now);
        self.oldest[index(task.class)].insert((task.submitted_at, task.task));
        let place = if task.available_at > now {
            self.delayed.insert((task.available_at, task.task));
            Place::Delayed
        } else {
            Place::Ready
        };
        self.tasks.insert(task.task, Entry { queued: task, place });
        self.refresh(task.company, now);
        true
    }

    /// Takes note of a task that runs already, whatever its turn would be;
    /// `false` where it is known.
    pub fn note_running(&mut self, task: Queued, now: Timestamp) -> bool {
        if self.tasks.contains_key(&task.task) {
            return false;
        }
        let predicted_ms = self.estimates.predict(&task);
        self.dispatched += 1;
        let company = self.companies.entry(task.company).or_default();
        company.configure(task.company_weight, task.max_running);
        company.occupy(self.dispatched);
        let charge = company.account.charge(predicted_ms, now);
        self.running[index(task.class)] += 1;
        let place = Place::Running { charge, in_slot: true };
        self.tasks.insert(task.task, Entry { queued: task, place });
        self.refresh(task.company, now);
        true
    }

    /// Up to `most` of the tasks that were given out at `before` or earlier,
    /// the longest ago first.
    #[must_use]
    pub fn longest_running(&self, before: Timestamp, most: usize) -> Vec<Queued> {
        let mut running: Vec<_> = self
            .tasks
            .values()
            .filter_map(|entry| match entry.place {
                Place::Running { charge, .. } => Some((charge.started_at(), entry.queued)),
                Place::Ready | Place::Delayed => None,
            })
            .filter(|(started_at, _)| *started_at <= before)
            .collect();
        running.sort_unstable_by_key(|(started_at, queued)| (*started_at, queued.task));
        running.truncate(most);
        running.into_iter().map(|(_, queued)| queued).collect()
    }

    /// The next task that may have the slot, now running.
    pub fn take(&mut self, want: Want, now: Timestamp) -> Option<Queued> {
        self.promote(now);
        let (turn, task) = self.next(want)?;
        Some(self.dispatch(turn, task, now))
    }

    /// Gives `task` the slot where it would be the next in order, without
    /// ever having waited; otherwise it is not kept.
    pub fn take_directly(&mut self, task: Queued, want: Want, now: Timestamp) -> bool {
        if task.available_at > now || !self.enqueue(task, now) {
            return false;
        }
        self.promote(now);
        match self.next(want) {
            Some((turn, next)) if next == task.task => {
                self.dispatch(turn, next, now);
                true
            }
            _ => {
                self.remove(task.task, now);
                false
            }
        }
    }

    /// Takes note that a running task has left its slot: what it used is
    /// settled later.
    pub fn vacate(&mut self, task: TaskId, now: Timestamp) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        let Place::Running { in_slot, .. } = &mut entry.place else { return };
        if std::mem::take(in_slot) {
            let id = entry.queued.company;
            if let Some(company) = self.companies.get_mut(&id) {
                company.leave_slot();
            }
            self.refresh(id, now);
        }
    }

    /// Settles what a running task used; `false` where it doesn't run.
    pub fn settle(&mut self, task: TaskId, actual_ms: f64, now: Timestamp) -> bool {
        let Some((queued, charge)) = self.stop(task) else { return false };
        self.tasks.remove(&task);
        self.estimates.learn(queued.version, actual_ms);
        if let Some(company) = self.companies.get_mut(&queued.company) {
            company.account.settle(charge, actual_ms);
        }
        self.refresh(queued.company, now);
        true
    }

    /// Puts a running task back to its place; `false` where it doesn't run.
    pub fn hand_back(&mut self, task: TaskId, now: Timestamp) -> bool {
        let Some((queued, charge)) = self.stop(task) else { return false };
        if let Some(company) = self.companies.get_mut(&queued.company) {
            company.account.refund(charge);
            company.insert(queued.class, key(&queued), false);
        }
        self.oldest[index(queued.class)].insert((queued.submitted_at, task));
        self.tasks.insert(task, Entry { queued, place: Place::Ready });
        self.refresh(queued.company, now);
        true
    }

    /// Forgets a task wherever it is; `false` where it is not known.
    pub fn remove(&mut self, task: TaskId, now: Timestamp) -> bool {
        if let Some((queued, charge)) = self.stop(task) {
            if let Some(company) = self.companies.get_mut(&queued.company) {
                company.account.refund(charge);
            }
            self.tasks.remove(&task);
            self.refresh(queued.company, now);
            return true;
        }
        let Some(entry) = self.tasks.remove(&task) else { return false };
        let queued = entry.queued;
        if let Some(company) = self.companies.get_mut(&queued.company) {
            company.forget(queued.class, key(&queued));
        }
        self.delayed.remove(&(queued.available_at, task));
        self.oldest[index(queued.class)].remove(&(queued.submitted_at, task));
        self.refresh(queued.company, now);
        true
    }

    /// How many of the company's tasks of its class are ahead of the task,
    /// delayed ones included; `None` where it doesn't wait.
    #[must_use]
    pub fn position(&self, company: CompanyId, task: TaskId) -> Option<u64> {
        let entry = self.tasks.get(&task).filter(|entry| entry.queued.company == company)?;
        if matches!(entry.place, Place::Running { .. }) {
            return None;
        }
        Some(self.companies.get(&company)?.ahead_of(entry.queued.class, key(&entry.queued)))
    }

    /// How many wait and run.
    #[must_use]
    pub fn depths(&self) -> Depths {
        let classes = QueueClass::ALL.iter().map(|&class| ClassDepth {
            class,
            waiting: self.oldest[index(class)].len() as u64,
            running: self.running[index(class)],
            oldest_submitted_at: self.oldest[index(class)].first().map(|(at, _)| *at),
        });
        let mut companies: Vec<_> = self
            .companies
            .iter()
            .map(|(id, company)| CompanyDepth {
                company: *id,
                waiting: company.waiting(),
                running: company.account.running(),
            })
            .filter(|depth| depth.waiting + depth.running > 0)
            .collect();
        companies.sort_by_key(|depth| depth.company);
        Depths { classes: classes.collect(), companies }
    }

    /// How much of one company waits and runs, and the next `first` tasks of
    /// each of its classes.
    #[must_use]
    pub fn line(&self, company: CompanyId, first: usize) -> Line {
        let Some(company) = self.companies.get(&company) else { return Line::default() };
        Line {
            waiting: company.waiting(),
            running: company.account.running(),
            next: company.line(first),
        }
    }

    /// When a task that waits may be given out without anything else that
    /// happens: a delay ends, or a slot is kept free no longer.
    #[must_use]
    pub fn next_available_at(&self) -> Option<Timestamp> {
        let delayed = self.delayed.first().map(|(at, _)| *at);
        let kept = self.quiet.last().filter(|_| !self.short.is_empty());
        let freed = kept.map(|(since, _)| Timestamp(since.0 + KEPT_US));
        delayed.into_iter().chain(freed).min()
    }

    fn next(&self, want: Want) -> Option<(Turn, TaskId)> {
        let turns = if want.last { &self.short } else { &self.any };
        let first = *turns.first()?;
        let turn = if want.last { self.for_the_last_slot(first)? } else { first };
        let company = self.companies.get(&turn.company)?;
        let task = company.next(!want.last, |task| self.predicted_ms(task))?;
        Some((turn, task))
    }

    /// Who gets the last slot where `first` would be next.
    fn for_the_last_slot(&self, first: Turn) -> Option<Turn> {
        let runs = |turn: &&Turn| {
            self.companies.get(&turn.company).is_some_and(|company| company.slots() > 0)
        };
        // No more companies are passed over than there are slots in use.
        let without = self.short.iter().find(|turn| !runs(turn)).copied();
        let is_near = |turn: &Turn| turn.tag <= first.tag.saturating_add(AHEAD);
        if self.quiet.is_empty() {
            return Some(without.filter(is_near).unwrap_or(first));
        }
        without
    }

    fn predicted_ms(&self, task: TaskId) -> f64 {
        self.tasks.get(&task).map_or(0.0, |entry| self.estimates.predict(&entry.queued))
    }

    fn dispatch(&mut self, turn: Turn, task: TaskId, now: Timestamp) -> Queued {
        let entry = self.tasks.get_mut(&task).expect("the company listed a task that is known");
        let company = self.companies.get_mut(&turn.company).expect("a company with a turn exists");
        let queued = entry.queued;
        let predicted_ms = self.estimates.predict(&queued);
        if self.any.first() == Some(&turn) {
            self.floor = self.floor.max(company.account.received(now));
        }
        self.dispatched += 1;
        company.serve(queued.class, key(&queued), predicted_ms, self.dispatched);
        let charge = company.account.charge(predicted_ms, now);
        entry.place = Place::Running { charge, in_slot: true };
        self.oldest[index(queued.class)].remove(&(queued.submitted_at, task));
        self.running[index(queued.class)] += 1;
        self.refresh(turn.company, now);
        queued
    }

    /// Takes a running task off the books of its class; what is left to do is
    /// its company's account.
    fn stop(&mut self, task: TaskId) -> Option<(Queued, Charge)> {
        let entry = self.tasks.get(&task)?;
        let Place::Running { charge, in_slot } = entry.place else { return None };
        let queued = entry.queued;
        self.running[index(queued.class)] -= 1;
        if in_slot && let Some(company) = self.companies.get_mut(&queued.company) {
            company.leave_slot();
        }
        Some((queued, charge))
    }

    /// Makes delayed tasks available whose time has come, and forgets
    /// companies that have had nothing to do for long.
    fn promote(&mut self, now: Timestamp) {
        while let Some(&(since, id)) = self.quiet.first() {
            if since.0 + KEPT_US > now.0 {
                break;
            }
            self.quiet.remove(&(since, id));
            if let Some(company) = self.companies.get_mut(&id) {
                company.quiet_since = None;
            }
        }
        while let Some(&(at, task)) = self.delayed.first() {
            if at > now {
                return;
            }
            self.delayed.remove(&(at, task));
            if let Some(entry) = self.tasks.get_mut(&task) {
                entry.place = Place::Ready;
                let queued = entry.queued;
                if let Some(company) = self.companies.get_mut(&queued.company) {
                    company.make_available(queued.class, key(&queued));
                }
                self.refresh(queued.company, now);
            }
        }
    }

    /// Gives a company its turn by its account, or takes it away where it has
    /// nothing that may run.
    fn refresh(&mut self, id: CompanyId, now: Timestamp) {
        let Some(company) = self.companies.get(&id) else { return };
        let before = company.turn;
        let (any, short) = company.competes();
        if let Some(turn) = before {
            self.any.remove(&turn);
            self.short.remove(&turn);
        }
        let level = (any && before.is_none()).then(|| self.level(now));
        let Some(company) = self.companies.get_mut(&id) else { return };
        if let Some(level) = level {
            company.account.lift(level, now);
        }
        if let Some(since) = company.quiet_since.take() {
            self.quiet.remove(&(since, id));
        }
        if company.is_quiet() {
            company.quiet_since = Some(now);
            self.quiet.insert((now, id));
        }
        company.turn = any.then(|| company.turn_at(id));
        if let Some(turn) = company.turn {
            self.any.insert(turn);
            if short {
                self.short.insert(turn);
            }
        }
    }

    /// Where a company enters that begins to compete: what the first in line
    /// has really received, and never behind it, so that a newcomer's single
    /// task is not kept waiting by predictions that are corrected later.
    fn level(&self, now: Timestamp) -> Tag {
        match self.any.first().and_then(|turn| Some((turn, self.companies.get(&turn.company)?))) {
            Some((turn, first)) => self.floor.max(first.account.received(now)).min(turn.tag),
            None => self.floor,
        }
    }
}

/// `high_priority` is first in, first out; the others go by priority before.
pub(crate) fn key(queued: &Queued) -> Key {
    let rank = match queued.class {
        QueueClass::HighPriority => 0,
        QueueClass::Default | QueueClass::LongRunning => 9 - u8::from(queued.priority),
    };
    Key { rank, submitted_at: queued.submitted_at, task: queued.task }
}

pub(crate) const fn index(class: QueueClass) -> usize {
    match class {
        QueueClass::HighPriority => 0,
        QueueClass::Default => 1,
        QueueClass::LongRunning => 2,
    }
}
