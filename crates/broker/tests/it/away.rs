//! Redis goes away and comes back: nobody sleeps through it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Audience, Broker as _, Error, LiveEvent, Received, Redis, Topic, Want};
use domain::Timestamp;
use domain::clock::Manual;
use domain::task::State;
use tokio::time::timeout;
use uuid::Uuid;

use crate::world::{rebuilt, settings};
use crate::{company_id, queued, task_id};

const SOON: Duration = Duration::from_secs(20);
/// A call fails within a second; what is more is the machine's.
const BOUND: Duration = Duration::from_millis(1500);

async fn open(server: &test_support::redis::Redis) -> Redis {
    let clock = Arc::new(Manual::at(Timestamp(1_000_000)));
    rebuilt(Redis::open(settings(server), clock).await.unwrap()).await
}

fn topic() -> Topic {
    Topic { company: company_id(1), resource: Uuid::from_u128(1) }
}

#[tokio::test]
async fn calls_fail_in_time_while_it_is_away_and_succeed_when_it_is_back() {
    let mut server = test_support::redis::Redis::start().unwrap();
    let broker = open(&server).await;
    server.stop().unwrap();
    for _ in 0..2 {
        let started = Instant::now();
        let error = broker.take(Want::ANY).await.unwrap_err();
        assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
        let Error::Away { address, .. } = &error else { panic!("{error}") };
        assert_eq!(*address, format!("127.0.0.1:{}", server.port()));
        let text = error.to_string();
        assert!(text.contains("expected Redis at 127.0.0.1:"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    server.start_again().unwrap();
    // Its users are gone with it.
    server.cli(&["ACL", "SETUSER", "default", "on"]).unwrap();
    let mut work = broker.work();
    allow_again(&server, &broker);
    assert!(timeout(SOON, work.changed()).await.unwrap());
    broker.enqueue(queued(1, 1)).await.unwrap();
    assert_eq!(broker.take(Want::ANY).await.unwrap(), Some(queued(1, 1)));
}

/// Makes the broker's user again, on a server that was started anew.
fn allow_again(server: &test_support::redis::Redis, broker: &Redis) {
    let shown = format!("{broker:?}");
    let prefix = shown.split('"').nth(1).unwrap();
    let rule = broker::redis::rule(prefix);
    let mut command = vec!["ACL", "SETUSER", prefix, "on", ">s3cret"];
    command.extend(rule.split_whitespace());
    server.cli(&command).unwrap();
}

#[tokio::test]
async fn everybody_looks_again_after_the_connection_broke() {
    let server = test_support::redis::Redis::start().unwrap();
    let broker = open(&server).await;
    broker.enqueue(queued(1, 1)).await.unwrap();
    let mut end = broker.wait_ended(task_id(1));
    let mut watcher = broker.subscribe(topic());
    let mut all = broker.subscribe_company(company_id(1));
    let mut work = broker.work();
    server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
    assert_eq!(timeout(SOON, end.told()).await.unwrap(), None);
    for watcher in [&mut watcher, &mut all] {
        let next = timeout(SOON, watcher.next()).await.unwrap();
        assert_eq!(next, Some(Received::Lagged(1)));
        assert_eq!(timeout(SOON, watcher.next()).await.unwrap(), Some(Received::Changed));
    }
    assert!(timeout(SOON, work.changed()).await.unwrap());
    assert_eq!(broker.take(Want::ANY).await.unwrap(), Some(queued(1, 1)), "nothing was lost");
    // And they are told as before.
    let mut end = broker.wait_ended(task_id(1));
    let other = LiveEvent { kind: "log".into(), data: "x".into(), audience: Audience::Topic };
    broker.publish(topic(), other.clone());
    broker.ended(task_id(1), State::Completed);
    assert_eq!(timeout(SOON, end.told()).await.unwrap(), Some(State::Completed));
    let next = timeout(SOON, watcher.next()).await.unwrap();
    assert_eq!(next, Some(Received::Event(topic(), Arc::new(other))));
}

#[tokio::test]
async fn what_a_row_says_already_is_made_up_for_after_it_did_not_answer() {
    let server = test_support::redis::Redis::start().unwrap();
    let broker = open(&server).await;
    broker.enqueue(queued(1, 1)).await.unwrap();
    broker.take(Want::ANY).await.unwrap().unwrap();
    server.cli(&["CLIENT", "PAUSE", "2500", "ALL"]).unwrap();
    let started = Instant::now();
    let (settled, enqueued, taken) = tokio::join!(
        broker.settle(task_id(1), 5.0),
        broker.enqueue(queued(1, 2)),
        broker.take(Want::ANY),
    );
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    assert!(matches!(settled, Err(Error::Away { .. })), "{settled:?}");
    assert!(matches!(enqueued, Err(Error::Away { .. })), "{enqueued:?}");
    assert!(matches!(taken, Err(Error::Away { .. })), "{taken:?}");
    let mut work = broker.work();
    assert!(timeout(SOON, work.changed()).await.unwrap());
    assert_eq!(broker.take(Want::ANY).await.unwrap(), Some(queued(1, 2)));
    assert_eq!(broker.longest_running(Duration::ZERO, 10).await.unwrap(), [queued(1, 2)]);
}
