//! Services and processes that go away while tasks flow.

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::Client;
use ureq::http::Method;

use super::Services;
use crate::server::{deploy, run, until};

const HANDLER: &str = "\
import time

def calculate(inputs):
    time.sleep(inputs['s'])
    return {'twice': 2 * inputs['n']}
";

fn slow() -> Archive {
    Archive::new("slow", HANDLER)
}

/// Submits until the platform accepts, under a key that makes it one task.
fn accepted(client: &Client, n: usize, s: f64) -> String {
    let body = json!({ "inputs": { "n": n, "s": s } }).to_string();
    let key = format!("slow-{n}");
    let headers = [("Idempotency-Key", &*key), ("Content-Type", "application/json")];
    let begin = std::time::Instant::now();
    loop {
        let path = "/functions/slow/execute";
        let sent = client.try_send(Method::POST, path, &headers, body.clone().into_bytes());
        match sent {
            Ok(answer) if answer.status == 202 => {
                return answer.json()["task_id"].as_str().unwrap().to_owned();
            }
            Ok(answer) => assert!(matches!(answer.status, 409 | 503), "{}", answer.text()),
            Err(_) => {}
        }
        assert!(begin.elapsed().as_secs() < 60, "nothing was accepted for a minute");
    }
}

/// Every task has its own result, and ended once.
fn all_right(client: &Client, tasks: &[String]) {
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(until(client, task, "completed")["result"], json!({ "twice": 2 * n }));
        let events = client.get(&format!("/tasks/{task}/events")).expect(200).text();
        assert_eq!(events.matches("event: task.completed").count(), 1, "{events}");
    }
}

#[test]
fn a_queue_that_redis_lost_is_rebuilt_and_nothing_else_is_lost() {
    let services = Services::start();
    let api = services.api("api");
    let workers = [services.worker("one"), services.worker("two")];
    let client = api.client();
    deploy(&client, &slow());
    let rebuilt_after = |before: usize| {
        let begin = std::time::Instant::now();
        loop {
            let said = [api.said(), workers[0].said(), workers[1].said()].concat();
            let count = said.matches("the queue was rebuilt").count();
            if count > before {
                return count;
            }
            assert!(begin.elapsed().as_secs() < 30, "nobody rebuilt the queue");
            std::thread::yield_now();
        }
    };
    // An empty Redis is one that lost everything.
    let at_first = rebuilt_after(0);
    let mut tasks = Vec::new();
    for n in 0..60 {
        tasks.push(accepted(&client, n, 0.05));
        if n % 20 == 10 {
            services.redis.cli(&["FLUSHALL"]).unwrap();
        }
    }
    all_right(&client, &tasks);
    // Not only announced anew by the workers' beats.
    rebuilt_after(at_first);
}

#[test]
fn redis_and_postgresql_start_anew_while_tasks_flow() {
    let mut services = Services::start();
    let api = services.api("api");
    let _workers = [services.worker("one"), services.worker("two")];
    let client = api.client();
    deploy(&client, &slow());
    let mut tasks: Vec<_> = (0..15).map(|n| accepted(&client, n, 0.1)).collect();
    services.redis.stop().unwrap();
    services.redis.start_again().unwrap();
    tasks.extend((15..30).map(|n| accepted(&client, n, 0.1)));
    services.postgres.stop().unwrap();
    services.postgres.start_again().unwrap();
    tasks.extend((30..45).map(|n| accepted(&client, n, 0.1)));
    all_right(&client, &tasks);
}

#[test]
fn while_the_object_store_is_away_what_needs_it_says_so_and_the_rest_goes_on() {
    let mut services = Services::start();
    let api = services.api("api");
    let _worker = services.worker("worker");
    let client = api.client();
    deploy(&client, &slow());
    let before = run(&client, "slow", &json!({ "n": 1, "s": 0 }));
    assert_eq!(before["result"], json!({ "twice": 2 }), "{before:#}");
    services.s3.stop().unwrap();
    let small = run(&client, "slow", &json!({ "n": 2, "s": 0 }));
    assert_eq!(small["result"], json!({ "twice": 4 }), "{small:#}");
    let refused = client.post_file("/files", "file", "a.txt", b"kept").expect(503);
    assert_eq!(refused.json()["code"], "unavailable", "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    let health = client.get("/health").expect(200).json();
    assert_eq!(health["checks"]["storage"], "down", "{health:#}");
    assert_eq!(health["checks"]["redis"], "ok", "{health:#}");
    services.s3.start_again().unwrap();
    let answer = client.post_file("/files", "file", "a.txt", b"kept");
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
}

#[test]
fn what_a_killed_worker_had_in_hand_is_taken_over() {
    let services = Services::start();
    let api = services.api("api");
    let client = api.client();
    let first = services.worker("first");
    deploy(&client, &slow());
    let tasks: Vec<_> = (0..2).map(|n| accepted(&client, n, 5.0)).collect();
    for task in &tasks {
        until(&client, task, "running");
    }
    first.kill().unwrap();
    let second = services.worker("second");
    all_right(&client, &tasks);
    let attempts: Vec<Value> = tasks
        .iter()
        .map(|task| client.get(&format!("/tasks/{task}")).expect(200).json()["attempt"].clone())
        .collect();
    assert_eq!(attempts, [json!(2), json!(2)]);
    assert!(second.terminate().unwrap().success());
}

#[test]
fn a_worker_that_stops_lets_runs_end_and_hands_the_rest_back() {
    let services = Services::start();
    let api = services.api("api");
    let client = api.client();
    let first = services.worker_with("first", &[("MECAPY_DRAIN_S", "2")]);
    deploy(&client, &slow());
    let short = accepted(&client, 0, 1.0);
    let long = accepted(&client, 1, 6.0);
    until(&client, &short, "running");
    until(&client, &long, "running");
    let waiting = accepted(&client, 2, 0.0);
    assert!(first.terminate().unwrap().success());
    let ended = until(&client, &short, "completed");
    assert_eq!(ended["attempt"], 1, "it had its time to end: {ended:#}");
    let _second = services.worker("second");
    all_right(&client, &[short, long.clone(), waiting]);
    // What was handed back lost no attempt.
    assert_eq!(client.get(&format!("/tasks/{long}")).expect(200).json()["attempt"], 1);
}
