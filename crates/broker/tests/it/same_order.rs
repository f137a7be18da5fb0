//! Every implementation gives the same answers to the same operations.

use std::time::Duration;

use broker::order::KEPT_US;
use broker::{Queued, Want};
use domain::task::{Priority, QueueClass};
use domain::{TaskId, Timestamp, VersionId};
use proptest::prelude::*;
use uuid::Uuid;

use crate::world::{Backend, World};
use crate::{company_id, queued, task_id};

/// Companies and tasks of a history.
const COMPANIES: u32 = 5;
const TASKS: u32 = 60;

#[derive(Clone, Debug)]
enum Step {
    Enqueue(Queued),
    TakeDirectly(Queued, bool),
    Take(bool),
    Vacate(usize),
    Settle(usize, f64),
    HandBack(usize),
    Remove(u32),
    NoteRunning(Queued),
    Advance(i64),
}

fn any_queued() -> impl Strategy<Value = Queued> {
    let numbers = (0..TASKS, 0u32..3, 0usize..3, 0u8..=9);
    let times = (0.0f64..400_000.0, 0i64..3 * KEPT_US);
    (numbers, 0u32..4, prop::option::of(1u32..4), times).prop_map(
        |((number, version, class, priority), weight, max_running, (expected_ms, available_at))| {
            Queued {
                company_weight: weight * 70,
                max_running,
                version: VersionId(Uuid::from_u128(u128::from(version))),
                class: QueueClass::ALL[class],
                priority: Priority::try_from(priority).unwrap(),
                expected_ms,
                submitted_at: Timestamp(i64::from(number * 7 % 20) - 5),
                available_at: Timestamp(available_at),
                // A task never changes its company.
                ..queued(number % COMPANIES, number)
            }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let milliseconds = || prop_oneof![9 => 0.0f64..1e5, 1 => Just(f64::NAN), 1 => Just(-1.0)];
    prop_oneof![
        6 => any_queued().prop_map(Step::Enqueue),
        3 => (any_queued(), any::<bool>()).prop_map(|(task, last)| Step::TakeDirectly(task, last)),
        6 => any::<bool>().prop_map(Step::Take),
        1 => any::<usize>().prop_map(Step::Vacate),
        4 => (any::<usize>(), milliseconds()).prop_map(|(i, ms)| Step::Settle(i, ms)),
        1 => any::<usize>().prop_map(Step::HandBack),
        1 => (0..TASKS).prop_map(Step::Remove),
        1 => any_queued().prop_map(Step::NoteRunning),
        1 => (1i64..1_000_000).prop_map(Step::Advance),
        1 => Just(Step::Advance(KEPT_US)),
    ]
}

/// Takes a step on both, and holds them to the same answer.
async fn step(
    step: &Step,
    worlds: &[World; 2],
    running: &mut Vec<TaskId>,
) -> Result<(), TestCaseError> {
    let [one, two] = worlds.each_ref().map(|world| &world.broker);
    macro_rules! both {
        ($call:ident($($arg:expr),*)) => {{
            let answer = one.$call($($arg),*).await.unwrap();
            prop_assert_eq!(&answer, &two.$call($($arg),*).await.unwrap(), "{:?}", step);
            answer
        }};
    }
    let picked = |index: &usize, running: &[TaskId]| match running {
        [] => task_id(TASKS),
        _ => running[index % running.len()],
    };
    match step {
        Step::Enqueue(task) => both!(enqueue(*task)),
        Step::TakeDirectly(task, last) => {
            if both!(take_directly(*task, Want { last: *last, ..Want::ANY })) {
                running.push(task.task);
            }
        }
        Step::Take(last) => {
            running.extend(both!(take(Want { last: *last, ..Want::ANY })).map(|task| task.task))
        }
        Step::Vacate(index) => both!(vacate(picked(index, running))),
        Step::Settle(index, ms) => {
            let id = picked(index, running);
            both!(settle(id, *ms));
            running.retain(|other| *other != id);
        }
        Step::HandBack(index) => {
            let id = picked(index, running);
            both!(hand_back(id));
            running.retain(|other| *other != id);
        }
        Step::Remove(number) => {
            both!(remove(task_id(*number)));
            running.retain(|other| *other != task_id(*number));
        }
        Step::NoteRunning(task) => {
            both!(note_running(*task));
            if both!(longest_running(Duration::ZERO, 100)).contains(task) {
                running.push(task.task);
            }
        }
        Step::Advance(us) => {
            for world in worlds {
                world.clock.advance(Duration::from_micros(us.unsigned_abs()));
            }
        }
    }
    both!(depths());
    both!(next_available_at());
    for company in 0..COMPANIES {
        for next in both!(line(company_id(company), 3)).next {
            both!(position(company_id(company), next.task));
        }
    }
    Ok(())
}

async fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let worlds = [Backend::InProcess.start(1000).await, Backend::Redis.start(1000).await];
    let mut running = Vec::new();
    for taken in &steps {
        step(taken, &worlds, &mut running).await?;
    }
    // Whatever went before, everything is given out, in the same order.
    step(&Step::Advance(3 * KEPT_US), &worlds, &mut running).await?;
    loop {
        while !running.is_empty() {
            step(&Step::Settle(0, 7.0), &worlds, &mut running).await?;
        }
        step(&Step::Take(false), &worlds, &mut running).await?;
        if running.is_empty() {
            break;
        }
    }
    prop_assert_eq!(worlds[1].broker.depths().await.unwrap().companies, []);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redis_and_one_process_order_alike(steps in prop::collection::vec(any_step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps))?;
    }
}
