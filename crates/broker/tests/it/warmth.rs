//! A version's tasks prefer the worker where it is warm.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use broker::{Broker as _, Queued, Redis, Want};
use domain::clock::Manual;
use domain::{Timestamp, VersionId, WorkerId};
use tokio::time::timeout;
use uuid::Uuid;

use crate::world::{SERVER, rebuilt, settings};
use crate::{company_id, queued, task_id};

const SOON: Duration = Duration::from_secs(20);
const SLOTS: u32 = 4;
const VERSIONS: u32 = 30;

/// Workers of one process each, all of them free.
async fn workers() -> (Vec<(Redis, WorkerId)>, Manual) {
    let (settings, clock) = (settings(&SERVER), Manual::at(Timestamp(1_000_000)));
    let given = Arc::new(clock.clone());
    let first = rebuilt(Redis::open(settings.clone(), given.clone()).await.unwrap()).await;
    let mut brokers = vec![first];
    for _ in 0..2 {
        brokers.push(Redis::open(settings.clone(), given.clone()).await.unwrap());
    }
    let mut workers = Vec::new();
    for (number, broker) in (1..).zip(brokers) {
        let id = WorkerId(Uuid::from_u128(number));
        broker.present(id, SLOTS, SLOTS).await.unwrap();
        workers.push((broker, id));
    }
    (workers, clock)
}

/// A task of a version.
fn of(version: u32, number: u32) -> Queued {
    let version = VersionId(Uuid::from_u128(u128::from(version)));
    Queued { version, ..queued(1, number) }
}

#[tokio::test]
async fn the_tasks_of_a_version_run_on_one_worker_while_it_is_free() {
    let (workers, _) = workers().await;
    let mut ran_on: HashMap<VersionId, Vec<WorkerId>> = HashMap::new();
    for number in 0..600 {
        let task = of(number % VERSIONS, number);
        workers[0].0.enqueue(task).await.unwrap();
        // Whoever looks first, the one who is meant gets it.
        let mut taken = None;
        for turn in 0..6 {
            let (broker, id) = &workers[(number as usize + turn) % 3];
            taken = taken.or(broker.take(Want::ANY.of(*id)).await.unwrap().map(|task| (task, *id)));
        }
        let (given, on) = taken.unwrap();
        assert_eq!(given, task);
        ran_on.entry(given.version).or_default().push(on);
        workers[0].0.settle(given.task, 5.0).await.unwrap();
    }
    let warm = ran_on.values().flat_map(|on| on.iter().map(move |id| *id == on[0]));
    assert_eq!(warm.filter(|is_warm| *is_warm).count(), 600);
    let mut versions: HashMap<WorkerId, u32> = HashMap::new();
    ran_on.values().for_each(|on| *versions.entry(on[0]).or_default() += 1);
    assert!(versions.len() == 3 && versions.values().all(|count| *count >= 4), "{versions:?}");
}

#[tokio::test]
async fn the_free_worker_that_is_meant_is_woken() {
    let (workers, _) = workers().await;
    let [(broker, first), (other, second), (third, last)] = &workers[..] else { panic!() };
    let mut number = 0;
    loop {
        let mut heard = [other.work(), third.work()];
        broker.enqueue(of(number, number)).await.unwrap();
        for work in &mut heard {
            assert!(timeout(SOON, work.changed()).await.unwrap(), "a task was enqueued");
        }
        if broker.take(Want::ANY.of(*first)).await.unwrap().is_none() {
            let [one, two] = &mut heard;
            let (meant, id) = timeout(SOON, async {
                tokio::select! {
                    _ = one.changed() => (other, second),
                    _ = two.changed() => (third, last),
                }
            })
            .await
            .unwrap();
            assert_eq!(meant.take(Want::ANY.of(*id)).await.unwrap(), Some(of(number, number)));
            break;
        }
        broker.settle(task_id(number), 5.0).await.unwrap();
        number += 1;
    }
}

#[tokio::test]
async fn what_runs_is_what_is_next_on_whichever_worker() {
    let (workers, _) = workers().await;
    let (slots, more) = (SLOTS * 3, 5);
    for number in 0..slots + more {
        workers[0].0.enqueue(of(number, number)).await.unwrap();
    }
    let mut given = Vec::new();
    let mut free = [SLOTS; 3];
    // Each looks until nothing comes, as it does when it is woken.
    for turn in 0..6 {
        let (broker, id) = &workers[turn % 3];
        while free[turn % 3] > 0 {
            let want = Want::slot(free[turn % 3], SLOTS).of(*id);
            let Some(task) = broker.take(want).await.unwrap() else { break };
            given.push(task.task);
            free[turn % 3] -= 1;
        }
    }
    given.sort_unstable();
    assert_eq!(given, (0..slots).map(task_id).collect::<Vec<_>>(), "no slot stays free");
    let waits = workers[0].0.line(company_id(1), 100).await.unwrap().next;
    assert_eq!(waits.len(), more as usize);
}

#[tokio::test]
async fn what_is_meant_for_a_full_or_a_silent_worker_runs_elsewhere() {
    let (workers, clock) = workers().await;
    let mut number = 0;
    // A version that is meant for the first worker.
    let ((broker, first), (other, second)) = (&workers[0], &workers[1]);
    let version = loop {
        number += 1;
        broker.enqueue(of(number, number)).await.unwrap();
        let own = broker.take(Want::ANY.of(*first)).await.unwrap();
        clock.advance(Duration::from_millis(25));
        let any = other.take(Want::ANY.of(*second)).await.unwrap();
        broker.settle(task_id(number), 5.0).await.unwrap();
        for (broker, id) in &workers {
            broker.present(*id, SLOTS, SLOTS).await.unwrap();
        }
        assert!(own.is_none() != any.is_none(), "one of them gets it");
        if own.is_some() {
            break number;
        }
    };
    // It is free, and says nothing: for 25 ms nobody else gets it.
    broker.enqueue(of(version, 1000)).await.unwrap();
    assert_eq!(other.take(Want::ANY.of(*second)).await.unwrap(), None);
    let at = other.next_available_at().await.unwrap().unwrap();
    let wait = at.since(domain::Clock::now(&clock));
    assert_eq!(wait, Duration::from_millis(25));
    clock.advance(wait);
    assert_eq!(other.take(Want::ANY.of(*second)).await.unwrap(), Some(of(version, 1000)));
    // From now on nobody waits for it, before it shows that it is there.
    broker.enqueue(of(version, 1001)).await.unwrap();
    let mut taken = Vec::new();
    for (broker, id) in &workers[1..] {
        taken.extend(broker.take(Want::ANY.of(*id)).await.unwrap());
    }
    assert_eq!(taken, [of(version, 1001)]);
    // The same where it is full.
    broker.present(*first, SLOTS, 0).await.unwrap();
    broker.enqueue(of(version, 1002)).await.unwrap();
    let mut taken = Vec::new();
    for (broker, id) in workers[1..].iter().chain(&workers[1..]) {
        taken.extend(broker.take(Want::ANY.of(*id)).await.unwrap());
    }
    assert_eq!(taken, [of(version, 1002)]);
}
