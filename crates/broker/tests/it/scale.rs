//! A study of 100,000 points stands in nobody's way, nor do 1,000 companies.

use std::time::{Duration, Instant};

use broker::order::Order;
use broker::{Queued, Want};
use domain::Timestamp;

use crate::world::Backend;
use crate::{company_id, queued, task_id};

#[test]
fn a_single_run_goes_ahead_of_a_study_of_100_000_points_at_once() {
    let started = Instant::now();
    let mut order = Order::default();
    let now = Timestamp(0);
    for number in 0..100_000 {
        order.enqueue(queued(1, number), now);
    }
    for number in 0..1_000 {
        order.enqueue(queued(10 + number, 200_000 + number), now);
    }
    for number in (0..100_000).step_by(10) {
        assert_eq!(order.position(company_id(1), task_id(number)), Some(u64::from(number)));
    }
    // The study was served before; whoever comes now is ahead of it.
    for round in 0..5_000 {
        let now = Timestamp(i64::from(round) * 1000);
        let given = order.take(Want::ANY, now).unwrap();
        order.settle(given.task, 1.0, now);
    }
    let now = Timestamp(5_000_000);
    let single = Queued { expected_ms: 300_000.0, ..queued(5, 300_000) };
    order.enqueue(single, now);
    assert_eq!(order.position(company_id(5), single.task), Some(0));
    assert_eq!(order.take(Want::ANY, now), Some(single));
    while let Some(given) = order.take(Want::ANY, now) {
        order.settle(given.task, 1.0, now);
    }
    // About 0.3 s of work; a quadratic step anywhere would be minutes.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// Fills a broker on Redis, then takes and settles everything.
async fn drained(companies: u32, tasks: u32) -> Duration {
    let broker = Backend::Redis.start(1_000_000).await.broker;
    let started = Instant::now();
    for number in 0..tasks {
        broker.enqueue(queued(1 + number % companies, number)).await.unwrap();
    }
    let mut used = vec![0; companies as usize];
    for number in 0..tasks {
        let given = broker.take(Want::ANY).await.unwrap().unwrap();
        used[given.company.0.as_u128() as usize - 1] += 1;
        broker.settle(given.task, 10.0).await.unwrap();
        if number == tasks / 2 {
            let [least, most] = [used.iter().min(), used.iter().max()].map(Option::unwrap);
            assert!(most - least <= 1, "{least} to {most} tasks of the same length");
        }
    }
    assert_eq!(broker.take(Want::ANY).await.unwrap(), None);
    started.elapsed()
}

#[tokio::test]
async fn ten_thousand_tasks_of_many_companies_are_drained_evenly_on_redis() {
    for companies in [20, 1_000] {
        // About 3 s of work; a quadratic step anywhere would be minutes.
        let took = drained(companies, 10_000).await;
        assert!(took < Duration::from_secs(60), "{took:?}");
    }
}
