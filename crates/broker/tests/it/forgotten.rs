//! Redis lost its content: one process rebuilds it, the others go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Broker as _, Queued, Rebuild, Redis, Want};
use domain::Timestamp;
use domain::clock::Manual;
use test_support::redis::Redis as Server;
use tokio::time::timeout;

use crate::world::{rebuilt, settings};
use crate::{company_id, queued, task_id};

const SOON: Duration = Duration::from_secs(20);

/// Two processes on a server of their own.
async fn two() -> (Server, [Redis; 2]) {
    let server = Server::start().unwrap();
    let (settings, clock) = (settings(&server), Arc::new(Manual::at(Timestamp(1_000_000))));
    let first = rebuilt(Redis::open(settings.clone(), clock.clone()).await.unwrap()).await;
    (server, [first, Redis::open(settings, clock).await.unwrap()])
}

async fn told_to_rebuild(broker: &Redis) -> Rebuild {
    timeout(SOON, broker.forgotten()).await.unwrap()
}

/// Whether the broker is told now, or is not while others are.
async fn is_told_now(broker: &Redis) -> bool {
    timeout(Duration::from_millis(100), broker.forgotten()).await.is_ok()
}

#[tokio::test]
async fn one_process_rebuilds_what_was_lost_while_both_go_on() {
    let (server, [one, two]) = two().await;
    assert!(!is_told_now(&one).await);
    one.enqueue(queued(1, 1)).await.unwrap();
    one.enqueue(queued(1, 2)).await.unwrap();
    one.take(Want::ANY).await.unwrap().unwrap();
    let flushed = Instant::now();
    server.cli(&["FLUSHALL"]).unwrap();
    let rebuild = told_to_rebuild(&one).await;
    assert!(flushed.elapsed() < Duration::from_secs(2), "{:?}", flushed.elapsed());
    assert!(!is_told_now(&two).await, "one is enough");

    // What nobody knows any more.
    two.vacate(task_id(9)).await.unwrap();
    two.settle(task_id(9), 5.0).await.unwrap();
    assert!(!two.hand_back(task_id(9)).await.unwrap());
    assert!(!two.remove(task_id(9)).await.unwrap());
    // What comes meanwhile.
    two.enqueue(queued(2, 3)).await.unwrap();
    assert_eq!(two.take(Want::ANY).await.unwrap(), Some(queued(2, 3)));

    one.note_running(queued(1, 1)).await.unwrap();
    // It was read as running, and has ended since.
    one.note_running(queued(1, 9)).await.unwrap();
    one.enqueue(queued(1, 2)).await.unwrap();
    assert!(rebuild.finish().await.unwrap());
    assert!(!is_told_now(&one).await);
    assert!(!is_told_now(&two).await);
    let depths = two.depths().await.unwrap();
    let counts: Vec<_> =
        depths.companies.iter().map(|c| (c.company, c.waiting, c.running)).collect();
    assert_eq!(counts, [(company_id(1), 1, 1), (company_id(2), 0, 1)]);
}

#[tokio::test]
async fn another_process_is_told_when_the_first_gives_up() {
    let (server, [one, two]) = two().await;
    server.cli(&["FLUSHALL"]).unwrap();
    drop(told_to_rebuild(&one).await);
    assert!(told_to_rebuild(&two).await.finish().await.unwrap());
}

#[test]
fn another_process_is_told_when_the_first_dies() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (first, second) = (runtime().unwrap(), runtime().unwrap());
    let server = Server::start().unwrap();
    let (settings, clock) = (settings(&server), Arc::new(Manual::at(Timestamp(1_000_000))));
    let one = first.block_on(Redis::open(settings.clone(), clock.clone())).unwrap();
    let rebuild = first.block_on(told_to_rebuild(&one));
    // No task of it runs any more.
    first.shutdown_background();
    let died = Instant::now();
    second.block_on(async {
        let two = Redis::open(settings, clock).await.unwrap();
        assert!(told_to_rebuild(&two).await.finish().await.unwrap());
    });
    assert!(died.elapsed() < Duration::from_secs(5), "{:?}", died.elapsed());
    drop((rebuild, one));
}

#[tokio::test]
async fn what_is_lost_while_it_is_rebuilt_is_rebuilt_once_more() {
    let (server, [one, _two]) = two().await;
    server.cli(&["FLUSHALL"]).unwrap();
    let rebuild = told_to_rebuild(&one).await;
    one.enqueue(queued(1, 1)).await.unwrap();
    server.cli(&["FLUSHALL"]).unwrap();
    assert!(!rebuild.finish().await.unwrap());
    let rebuild = told_to_rebuild(&one).await;
    assert_eq!(one.position(company_id(1), task_id(1)).await.unwrap(), None);
    assert!(rebuild.finish().await.unwrap());
}

#[tokio::test]
async fn scripts_that_were_flushed_are_loaded_again() {
    let (server, [one, _two]) = two().await;
    server.cli(&["SCRIPT", "FLUSH"]).unwrap();
    one.enqueue(queued(1, 1)).await.unwrap();
    let delayed = Queued { available_at: Timestamp(9_000_000), ..queued(1, 2) };
    one.enqueue(delayed).await.unwrap();
    assert_eq!(one.take(Want::ANY).await.unwrap(), Some(queued(1, 1)));
}
