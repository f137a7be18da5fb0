//! A study of 100,000 points stands in nobody's way.

use std::time::{Duration, Instant};

use broker::order::Order;
use broker::{Queued, Want};
use domain::Timestamp;

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
