//! Templates: what their runs share for how long, and what packages may leave
//! in them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use test_support::archive::Archive;

use super::super::server::run;
use super::Fortress;

/// What runs of one template have in common: hash seed and address layout.
fn layout() -> Archive {
    Archive::new(
        "layout",
        "def calculate(inputs):\n    return {'seed': hash('steel'), 'place': id(object)}\n",
    )
}

/// The distinct layouts of so many runs.
fn layouts(fortress: &Fortress, runs: usize) -> (BTreeSet<String>, usize) {
    let tasks: Vec<Value> =
        (0..runs).map(|_| run(&fortress.client, "layout", &json!({}))).collect();
    let warm = tasks.iter().filter(|task| task["warm"] == true).count();
    assert!(tasks.iter().all(|task| task["status"] == "completed"));
    (tasks.iter().map(|task| task["result"].to_string()).collect(), warm)
}

#[test]
fn a_template_is_replaced_after_its_runs_and_nobody_waits_for_it() {
    let fortress = Fortress::with(&[("MECAPY_TEMPLATE_RUNS", "20")]);
    fortress.deploy(&layout());
    let (seen, warm) = layouts(&fortress, 200);
    // A replacement takes a moment, in which the worn template goes on.
    assert!((3..=10).contains(&seen.len()), "{} layouts in 200 runs", seen.len());
    assert_eq!(warm, 200);
    fortress.stands();
}

#[test]
fn a_template_is_replaced_when_it_is_old() {
    let fortress = Fortress::with(&[("MECAPY_TEMPLATE_AGE_S", "1")]);
    fortress.deploy(&layout());
    let (first, _) = layouts(&fortress, 1);
    let began = std::time::Instant::now();
    while layouts(&fortress, 1).0 == first {
        assert!(began.elapsed().as_secs() < 30, "the same layout for ever");
    }
    assert!(began.elapsed().as_millis() > 100);
    fortress.stands();
}

#[test]
fn without_a_limit_reached_the_template_stays() {
    let fortress = Fortress::new();
    fortress.deploy(&layout());
    // The first is served by the template's runs from before it settled.
    assert_eq!(layouts(&fortress, 30).0.len(), 1);
}
