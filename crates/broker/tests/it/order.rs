//! Properties of the order over random histories, against a plain model.

use std::collections::{HashMap, HashSet};

use broker::order::{AHEAD, KEPT_US, Order};
use broker::{Queued, Want};
use domain::task::{Priority, QueueClass};
use domain::{TaskId, Timestamp};
use proptest::prelude::*;

use crate::{company_id, queued, task_id};

#[derive(Clone, Debug)]
enum Step {
    Enqueue(Queued),
    TakeDirectly(Queued, bool),
    Take(bool),
    Settle(prop::sample::Index, f64),
    HandBack(prop::sample::Index),
    Remove(u32),
    Advance(i64),
}

fn any_queued() -> impl Strategy<Value = Queued> {
    let numbers = (0u32..5, 0u32..60, 0usize..3, 0u8..=9);
    (numbers, 1u32..4, prop::option::of(1u32..4), 0.0f64..400_000.0, 0i64..60).prop_map(
        |((company, number, class, priority), weight, max_running, expected_ms, available_at)| {
            Queued {
                company_weight: weight,
                max_running,
                class: QueueClass::ALL[class],
                priority: Priority::try_from(priority).unwrap(),
                expected_ms,
                submitted_at: Timestamp(i64::from(number * 7 % 60)),
                available_at: Timestamp(available_at),
                // A task never changes its company.
                ..queued(number % 5 + company / 5, number)
            }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_queued().prop_map(Step::Enqueue),
        1 => (any_queued(), any::<bool>()).prop_map(|(task, last)| Step::TakeDirectly(task, last)),
        5 => any::<bool>().prop_map(Step::Take),
        3 => (any::<prop::sample::Index>(), 0.0f64..1e6).prop_map(|(i, ms)| Step::Settle(i, ms)),
        1 => any::<prop::sample::Index>().prop_map(Step::HandBack),
        1 => (0u32..60).prop_map(Step::Remove),
        1 => (1i64..20).prop_map(Step::Advance),
    ]
}

/// What must be true, without any of the order's structures.
#[derive(Default)]
struct Model {
    waiting: HashMap<TaskId, Queued>,
    running: Vec<Queued>,
    max_running: HashMap<domain::CompanyId, Option<u32>>,
    served: HashSet<domain::CompanyId>,
    now: i64,
}

impl Model {
    fn place(task: &Queued) -> (u8, Timestamp, TaskId) {
        let rank = match task.class {
            QueueClass::HighPriority => 0,
            _ => 9 - u8::from(task.priority),
        };
        (rank, task.submitted_at, task.task)
    }

    fn available(&self, task: &Queued) -> bool {
        task.available_at.0 <= self.now
    }

    fn has_room(&self, task: &Queued) -> bool {
        let running = self.running.iter().filter(|other| other.company == task.company).count();
        self.max_running[&task.company].is_none_or(|max| running < max as usize)
    }

    fn position(&self, task: &Queued) -> u64 {
        let same = |other: &&Queued| other.company == task.company && other.class == task.class;
        let ahead = |other: &&Queued| Self::place(other) < Self::place(task);
        self.waiting.values().filter(same).filter(ahead).count() as u64
    }

    /// Whether the last slot is kept for another than the task's company. The
    /// history is shorter than the time for which it is.
    fn is_kept_from(&self, task: &Queued) -> bool {
        let runs = |id| self.running.iter().any(|other| other.company == id);
        let waits = |id| self.waiting.values().any(|other| other.company == id);
        runs(task.company) && self.served.iter().any(|id| !runs(*id) && !waits(*id))
    }

    fn may_run(&self, task: &Queued, last: bool) -> bool {
        self.available(task)
            && self.has_room(task)
            && (!last || task.class != QueueClass::LongRunning && !self.is_kept_from(task))
    }

    fn give(&mut self, task: Queued, last: bool) -> Result<(), TestCaseError> {
        let waiting = self.waiting.remove(&task.task);
        prop_assert_eq!(waiting, Some(task), "given though it did not wait");
        prop_assert!(self.may_run(&task, last), "given though it may not run: {:?}", task);
        self.served.insert(task.company);
        let jumped = self.waiting.values().find(|other| {
            other.company == task.company
                && other.class == task.class
                && self.available(other)
                && Self::place(other) < Self::place(&task)
        });
        prop_assert_eq!(jumped, None, "given before one that is ahead");
        self.running.push(task);
        Ok(())
    }
}

fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut order = Order::default();
    let mut model = Model::default();
    for step in steps {
        let now = Timestamp(model.now);
        match step {
            Step::Enqueue(task) => {
                let known = model.waiting.contains_key(&task.task)
                    || model.running.iter().any(|other| other.task == task.task);
                prop_assert_eq!(order.enqueue(task, now), !known);
                if !known {
                    model.waiting.insert(task.task, task);
                    model.max_running.insert(task.company, task.max_running);
                }
            }
            Step::TakeDirectly(task, last) => {
                let known = model.waiting.contains_key(&task.task)
                    || model.running.iter().any(|other| other.task == task.task);
                if !known && model.available(&task) {
                    model.max_running.insert(task.company, task.max_running);
                }
                if order.take_directly(task, Want { last, ..Want::ANY }, now) {
                    prop_assert!(!known);
                    model.waiting.insert(task.task, task);
                    model.give(task, last)?;
                }
            }
            Step::Take(last) => match order.take(Want { last, ..Want::ANY }, now) {
                Some(task) => model.give(task, last)?,
                None => {
                    let missed = model.waiting.values().find(|task| model.may_run(task, last));
                    prop_assert_eq!(missed, None, "nothing given though this one may run");
                }
            },
            Step::Settle(index, ms) if !model.running.is_empty() => {
                let task = model.running.swap_remove(index.index(model.running.len()));
                prop_assert!(order.settle(task.task, ms, now));
                prop_assert!(!order.settle(task.task, ms, now));
            }
            Step::HandBack(index) if !model.running.is_empty() => {
                let task = model.running.swap_remove(index.index(model.running.len()));
                prop_assert!(order.hand_back(task.task, now));
                model.waiting.insert(task.task, task);
            }
            Step::Settle(..) | Step::HandBack(_) => {}
            Step::Remove(number) => {
                let id = task_id(number);
                let ran = model.running.iter().position(|task| task.task == id);
                let known = model.waiting.remove(&id).is_some() || ran.is_some();
                if let Some(ran) = ran {
                    model.running.swap_remove(ran);
                }
                prop_assert_eq!(order.remove(id, now), known);
            }
            Step::Advance(by) => model.now += by,
        }
        agree(&order, &model)?;
    }
    drain(order, model)
}

fn agree(order: &Order, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(order.waiting(), model.waiting.len() as u64);
    for task in model.waiting.values() {
        prop_assert_eq!(order.position(task.company, task.task), Some(model.position(task)));
        prop_assert_eq!(order.position(company_id(99), task.task), None);
    }
    for task in &model.running {
        prop_assert_eq!(order.position(task.company, task.task), None);
    }
    let depths = order.depths();
    for class in depths.classes {
        let of_class = |task: &&Queued| task.class == class.class;
        let waiting: Vec<_> = model.waiting.values().filter(of_class).collect();
        prop_assert_eq!(class.waiting, waiting.len() as u64);
        prop_assert_eq!(class.running, model.running.iter().filter(of_class).count() as u64);
        let oldest = waiting.iter().map(|task| task.submitted_at).min();
        prop_assert_eq!(class.oldest_submitted_at, oldest);
    }
    for company in depths.companies {
        let of_it = |task: &&Queued| task.company == company.company;
        prop_assert_eq!(company.waiting, model.waiting.values().filter(of_it).count() as u64);
        prop_assert_eq!(company.running, model.running.iter().filter(of_it).count() as u64);
    }
    Ok(())
}

/// Whatever went before, everything that waits is given out once.
fn drain(mut order: Order, mut model: Model) -> Result<(), TestCaseError> {
    model.now = 1000;
    let now = Timestamp(model.now);
    loop {
        while let Some(task) = model.running.pop() {
            prop_assert!(order.settle(task.task, 1.0, now));
        }
        match order.take(Want::ANY, now) {
            Some(task) => model.give(task, false)?,
            None => break,
        }
    }
    prop_assert_eq!(model.waiting.len(), 0);
    prop_assert_eq!(order.depths().companies, vec![]);
    prop_assert_eq!(order.next_available_at(), None);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_task_is_lost_or_given_twice_or_before_its_turn(steps in prop::collection::vec(any_step(), 1..200)) {
        play(steps)?;
    }
}

#[test]
fn the_other_company_goes_first_when_one_was_served() {
    let mut order = Order::default();
    let now = Timestamp(0);
    for number in 0..4 {
        order.enqueue(queued(1, number), now);
    }
    assert_eq!(order.take(Want::ANY, now).unwrap().company, company_id(1));
    order.enqueue(queued(2, 10), now);
    order.enqueue(queued(2, 11), now);
    let given: Vec<_> =
        std::iter::from_fn(|| order.take(Want::ANY, now)).map(|t| t.company).collect();
    let [one, two] = [company_id(1), company_id(2)];
    assert_eq!(given, [two, one, two, one, one]);
}

#[test]
fn a_long_run_never_takes_the_last_slot_but_of_a_worker_with_one() {
    assert_eq!(Want::slot(1, 4), Want::LAST);
    assert_eq!(Want::slot(2, 4), Want::ANY);
    assert_eq!(Want::slot(1, 1), Want::ANY);
    let mut order = Order::default();
    let now = Timestamp(0);
    let long = Queued { class: QueueClass::LongRunning, ..queued(1, 1) };
    order.enqueue(long, now);
    assert_eq!(order.take(Want::LAST, now), None);
    assert!(!order.take_directly(Queued { task: task_id(2), ..long }, Want::LAST, now));
    assert_eq!(order.take(Want::ANY, now), Some(long));
}

#[test]
fn the_last_slot_is_kept_a_while_for_a_company_that_ran_something_lately() {
    let mut order = Order::default();
    let ended = Timestamp(1_000);
    order.enqueue(queued(1, 1), ended);
    order.take(Want::ANY, ended).unwrap();
    order.settle(task_id(1), 1.0, ended);
    for number in 10..14 {
        order.enqueue(queued(2, number), ended);
    }
    // It runs nothing yet, so it may have the last one too.
    assert_eq!(order.take(Want::LAST, ended).unwrap().task, task_id(10));
    assert_eq!(order.take(Want::LAST, ended), None, "kept for company 1");
    assert!(!order.take_directly(queued(2, 20), Want::LAST, ended));
    assert_eq!(order.take(Want::ANY, ended).unwrap().task, task_id(11));

    order.enqueue(queued(1, 2), ended);
    assert_eq!(order.take(Want::LAST, ended).unwrap().company, company_id(1));
    assert_eq!(order.take(Want::LAST, ended).unwrap().task, task_id(12), "nobody is away");
    order.settle(task_id(2), 1.0, ended);

    let lapses = Timestamp(ended.0 + KEPT_US);
    assert_eq!(order.next_available_at(), Some(lapses));
    assert_eq!(order.take(Want::LAST, Timestamp(lapses.0 - 1)), None);
    assert_eq!(order.take(Want::LAST, lapses).unwrap().task, task_id(13));
}

#[test]
fn a_task_that_left_its_slot_and_is_being_stored_holds_none() {
    let mut order = Order::default();
    let now = Timestamp(0);
    for number in 10..13 {
        order.enqueue(queued(2, number), now);
    }
    order.take(Want::ANY, now).unwrap();
    order.enqueue(queued(1, 1), now);
    assert_eq!(order.take(Want::ANY, now).unwrap().task, task_id(1));
    order.vacate(task_id(1), now);
    order.vacate(task_id(1), now);
    assert_eq!(order.take(Want::LAST, now), None, "kept for company 1");
    order.enqueue(queued(1, 2), now);
    assert_eq!(order.take(Want::LAST, now).unwrap().task, task_id(2));
    assert!(order.settle(task_id(1), 1.0, now));
    assert_eq!(order.take(Want::LAST, now).unwrap().task, task_id(11), "both have one");
}

#[test]
fn the_last_slot_is_for_a_company_that_runs_nothing_within_its_share() {
    let given_after = |ahead_ms: f64| {
        let mut order = Order::default();
        let now = Timestamp(0);
        // Company 2 competes all the time, so that nobody lifts its account.
        for number in 10..13 {
            order.enqueue(queued(2, number), now);
        }
        order.enqueue(queued(1, 1), now);
        order.enqueue(queued(1, 2), now);
        while order.take(Want::ANY, now).unwrap().company != company_id(1) {}
        order.settle(task_id(1), ahead_ms, now);
        while order.depths().companies[1].running == 0 {
            order.take(Want::ANY, now).unwrap();
        }
        order.take(Want::LAST, now).unwrap().company
    };
    assert_eq!(given_after(1_000.0), company_id(1), "though it had more");
    assert_eq!(given_after(2e-6 * AHEAD as f64), company_id(2));
}

#[test]
fn a_slot_is_taken_directly_only_where_nobody_is_ahead() {
    let mut order = Order::default();
    let now = Timestamp(0);
    assert!(order.take_directly(queued(1, 1), Want::ANY, now));
    assert!(!order.take_directly(queued(1, 1), Want::ANY, now), "it runs already");
    order.enqueue(queued(1, 2), now);
    assert!(!order.take_directly(queued(1, 3), Want::ANY, now), "task 2 is ahead");
    assert_eq!(order.waiting(), 1);
    assert!(order.take_directly(queued(2, 4), Want::ANY, now), "its company had nothing yet");
}

#[test]
fn a_delayed_task_waits_for_its_time_and_keeps_its_place() {
    let mut order = Order::default();
    let delayed = Queued { available_at: Timestamp(100), ..queued(1, 1) };
    order.enqueue(delayed, Timestamp(50));
    order.enqueue(queued(1, 2), Timestamp(50));
    assert_eq!(order.next_available_at(), Some(Timestamp(100)));
    assert_eq!(order.position(company_id(1), task_id(2)), Some(1));
    assert_eq!(order.take(Want::ANY, Timestamp(50)), Some(queued(1, 2)));
    assert_eq!(order.take(Want::ANY, Timestamp(99)), None);
    assert_eq!(order.take(Want::ANY, Timestamp(100)), Some(delayed));
    assert_eq!(order.next_available_at(), None);
}

#[test]
fn classes_go_in_their_order_and_priorities_within_two_of_them() {
    let mut order = Order::default();
    let now = Timestamp(0);
    let task = |number, class, priority| Queued {
        class,
        expected_ms: if class == QueueClass::HighPriority { 10.0 } else { 30_000.0 },
        version: domain::VersionId(uuid::Uuid::from_u128(class as u128)),
        priority: Priority::try_from(priority).unwrap(),
        ..queued(1, number)
    };
    use QueueClass::{Default, HighPriority, LongRunning};
    for queued in [
        task(1, LongRunning, 9),
        task(2, Default, 1),
        task(3, Default, 8),
        task(4, HighPriority, 0),
        task(5, HighPriority, 9),
        task(6, Default, 8),
    ] {
        order.enqueue(queued, now);
    }
    let given: Vec<_> = std::iter::from_fn(|| order.take(Want::ANY, now)).map(|t| t.task).collect();
    assert_eq!(given, [4, 5, 3, 6, 2, 1].map(task_id));
}
