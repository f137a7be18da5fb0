//! Several processes on one Redis: each is a broker of its own here.

use std::sync::Arc;
use std::time::Duration;

use broker::redis::{Settings, Time};
use broker::{Audience, Broker as _, Error, LiveEvent, Queued, Received, Redis, Topic, Want};
use domain::clock::{Clock, Manual, System};
use domain::task::State;
use domain::{Digest, Timestamp};
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use crate::world::{SERVER, rebuilt, settings};
use crate::{company_id, queued, task_id};

const SOON: Duration = Duration::from_secs(20);

/// Two processes.
async fn two() -> [Redis; 2] {
    let (settings, clock) = (settings(&SERVER), Arc::new(Manual::at(Timestamp(1_000_000))));
    let first = rebuilt(Redis::open(settings.clone(), clock.clone()).await.unwrap()).await;
    [first, Redis::open(settings, clock).await.unwrap()]
}

fn topic() -> Topic {
    Topic { company: company_id(1), resource: Uuid::from_u128(1) }
}

fn event(number: i64) -> LiveEvent {
    let data = json!({ "n": number });
    LiveEvent { kind: "progress".into(), data, audience: Audience::Company }
}

#[tokio::test]
async fn a_task_of_one_process_wakes_the_other_which_runs_and_ends_it() {
    let [api, worker] = two().await;
    let mut work = worker.work();
    let mut end = api.wait_ended(task_id(1));
    api.enqueue(queued(1, 1)).await.unwrap();
    assert!(timeout(SOON, work.changed()).await.unwrap());
    assert_eq!(worker.take(Want::ANY).await.unwrap(), Some(queued(1, 1)));
    assert_eq!(api.position(company_id(1), task_id(1)).await.unwrap(), None);
    worker.settle(task_id(1), 5.0).await.unwrap();
    worker.ended(task_id(1), State::Completed);
    assert_eq!(timeout(SOON, end.told()).await.unwrap(), Some(State::Completed));
    assert_eq!(api.depths().await.unwrap().companies, []);
}

#[tokio::test]
async fn a_thousand_watchers_of_one_process_see_what_happens_in_the_other_in_order() {
    let [api, worker] = two().await;
    let mut watchers: Vec<_> = (0..500).map(|_| api.subscribe(topic())).collect();
    watchers.extend((0..500).map(|_| api.subscribe_company(company_id(1))));
    let mut own = worker.subscribe(topic());
    for number in 0..100 {
        worker.publish(topic(), event(number));
    }
    worker.changed(topic());
    for watcher in watchers.iter_mut().chain([&mut own]) {
        for number in 0..100 {
            let expected = Received::Event(topic(), Arc::new(event(number)));
            assert_eq!(timeout(SOON, watcher.next()).await.unwrap(), Some(expected));
        }
        assert_eq!(timeout(SOON, watcher.next()).await.unwrap(), Some(Received::Changed));
    }
    let clients = SERVER.cli(&["CLIENT", "LIST"]).unwrap();
    let user = format!("user={}", settings_user(&api));
    assert_eq!(clients.lines().filter(|line| line.contains(&user)).count(), 2);
    // What it told comes back to it, and is not told again.
    api.publish(topic(), event(100));
    let expected = Received::Event(topic(), Arc::new(event(100)));
    assert_eq!(timeout(SOON, own.next()).await.unwrap(), Some(expected));
}

/// The user of a broker, which is its prefix.
fn settings_user(broker: &Redis) -> String {
    let shown = format!("{broker:?}");
    shown.split('"').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn more_events_than_can_be_sent_are_missed_and_not_silently() {
    let [api, worker] = two().await;
    let mut watcher = api.subscribe(topic());
    let long = LiveEvent { data: "x".repeat(1 << 20).into(), ..event(0) };
    for _ in 0..10 {
        worker.publish(topic(), long.clone());
    }
    let mut received = Vec::new();
    while received.last() != Some(&Received::Changed) {
        received.push(timeout(SOON, watcher.next()).await.unwrap().unwrap());
    }
    assert!(received.contains(&Received::Lagged(1)), "{} events", received.len());
}

#[tokio::test]
async fn places_are_promised_once_over_all_processes_and_end_with_their_holder() {
    let (settings, clock) = (settings(&SERVER), Manual::at(Timestamp(1_000_000)));
    let settings = Settings { queued_tasks: 10, ..settings };
    let given = Arc::new(clock.clone());
    let one = rebuilt(Redis::open(settings.clone(), given.clone()).await.unwrap()).await;
    let two = Redis::open(settings, given).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..10 {
        let (first, second) =
            tokio::join!(one.admit(company_id(1), Some(8)), two.admit(company_id(1), Some(8)),);
        held.extend([first, second]);
    }
    let refused = Error::CompanyFull { queued: 8, limit: 8 };
    assert_eq!(held.iter().filter(|place| place.is_ok()).count(), 8);
    assert!(held.iter().all(|place| place.as_ref().err().is_none_or(|error| *error == refused)));
    // Its process dies without a word.
    std::mem::forget(held);
    assert_eq!(one.admit(company_id(1), Some(8)).await.unwrap_err(), refused);
    clock.advance(Duration::from_secs(60));
    assert!(one.admit(company_id(1), Some(1)).await.is_ok());
}

/// Begins a call, and leaves it unheard once `two` sees that its task runs.
async fn leave_once_done<T>(call: impl Future<Output = T>, two: &Redis) {
    let mut call = Box::pin(call);
    tokio::select! {
        biased;
        _ = &mut call => panic!("it was answered at once"),
        () = std::future::ready(()) => {}
    }
    timeout(SOON, runs(two, true)).await.unwrap();
}

/// Resolves when a task runs, or none does.
async fn runs(broker: &Redis, any: bool) {
    while broker.longest_running(Duration::ZERO, 1).await.unwrap().is_empty() == any {}
}

#[tokio::test]
async fn a_task_whose_taker_left_before_the_answer_is_given_to_another() {
    let [one, two] = two().await;
    one.enqueue(queued(1, 1)).await.unwrap();
    let mut work = two.work();
    leave_once_done(one.take(Want::ANY), &two).await;
    assert!(timeout(SOON, work.changed()).await.unwrap());
    assert_eq!(two.take(Want::ANY).await.unwrap(), Some(queued(1, 1)));
    two.settle(task_id(1), 5.0).await.unwrap();

    leave_once_done(one.take_directly(queued(1, 2), Want::ANY), &two).await;
    timeout(SOON, runs(&two, false)).await.unwrap();
    assert_eq!(two.take(Want::ANY).await.unwrap(), None, "its row was not written");
}

#[tokio::test]
async fn a_process_whose_clock_is_five_minutes_wrong_harms_nobody() {
    let right = System.now();
    let minutes = Duration::from_secs(300);
    let clocks = [right, right.after(minutes), right.before(minutes)];
    let settings = Settings { time: Time::Server, ..settings(&SERVER) };
    let mut processes = Vec::new();
    for clock in clocks {
        let process = Redis::open(settings.clone(), Arc::new(Manual::at(clock))).await.unwrap();
        processes.push((process, clock));
    }
    assert!(processes[0].0.forgotten().await.finish().await.unwrap());
    for (number, (process, clock)) in (0..).zip(&processes) {
        let at_once = Queued { available_at: *clock, ..queued(1, 2 * number) };
        process.enqueue(at_once).await.unwrap();
        assert_eq!(processes[0].0.take(Want::ANY).await.unwrap(), Some(at_once));
        let in_an_hour = clock.after(Duration::from_secs(3600));
        let later = Queued { available_at: in_an_hour, ..queued(1, 2 * number + 1) };
        process.enqueue(later).await.unwrap();
        for (other, clock) in &processes {
            assert_eq!(other.take(Want::ANY).await.unwrap(), None);
            let at = other.next_available_at().await.unwrap().unwrap();
            let delay = at.since(*clock).as_secs();
            assert!((3500..=3600).contains(&delay), "in {delay} s");
        }
        process.remove(later.task).await.unwrap();
    }
    let longest = processes[1].0.longest_running(Duration::from_secs(60), 10).await.unwrap();
    assert_eq!(longest, [], "all three were given out this minute");
}

#[tokio::test]
async fn a_kept_value_and_a_rate_end_by_themselves() {
    let [one, two] = two().await;
    let (key, hour) = (Digest([1; 32]), Duration::from_secs(3600));
    one.cache_put(company_id(1), key, "384.0".into(), hour).await.unwrap();
    assert_eq!(two.cache_get(company_id(1), key).await.unwrap(), Some("384.0".into()));
    let rate = broker::Rate { requests: 10, window: Duration::from_secs(60) };
    two.allow("somebody", rate, 1).await.unwrap();
    let prefix = settings_user(&one);
    let ends_in = |key: String| {
        SERVER.cli(&["PTTL", &format!("{{{prefix}}}:{key}")]).unwrap().parse::<i64>().unwrap()
    };
    let value = ends_in(format!("result:{}:{}", company_id(1), key.hex()));
    assert!((3_500_000..=3_600_000).contains(&value), "{value} ms");
    let rate = ends_in("rate:somebody".to_owned());
    assert!((1..=6_001).contains(&rate), "{rate} ms");
}
