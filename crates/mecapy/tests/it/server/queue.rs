//! Many tasks at once: order, fairness and bounds.

use std::time::Instant;

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::Client;

use super::{deploy, echo, execute, run, server, server_with, submit, until};

/// A company of its own, with its admin's client.
fn company(client: &Client, name: &str) -> Client {
    let body = json!({ "name": name, "admin": format!("{name}-admin") });
    let made = client.post("/companies", &body).expect(201).json();
    client.with_token(made["admin_token"]["secret"].as_str())
}

#[test]
fn a_thousand_submissions_are_all_right_and_a_stranger_does_not_wait_for_them() {
    let running = server();
    deploy(&running.client, &echo());
    let other = company(&running.client, "other");
    deploy(&other, &echo());
    run(&other, "echo", &json!({}));
    let ids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20)
            .map(|thread| {
                let client = running.client.clone();
                scope.spawn(move || {
                    (0..50)
                        .map(|i| submit(&client, "echo", &json!({ "n": thread * 50 + i })))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    // Two slots' worth of the thousand may end before it, and not many more.
    let single = run(&other, "echo", &json!({ "n": "single" }));
    assert_eq!(single["status"], "completed");
    let mut later = 0;
    for (n, id) in ids.iter().enumerate() {
        let task = until(&running.client, id, "completed");
        assert_eq!(task["result"]["n"], json!(n));
        later += u32::from(task["completed_at"].as_str() > single["completed_at"].as_str());
    }
    assert!(later > 0, "the single run of another company ended after all thousand");
}

#[test]
fn a_full_queue_says_when_to_come_back() {
    let running = server_with(&[("MECAPY_SLOTS", "1")]);
    let slow = Archive::new("slow", "import time\n\ndef calculate(inputs):\n    time.sleep(600)\n");
    let other = company(&running.client, "bounded");
    deploy(&other, &slow);
    let quotas = json!({ "weight": 1, "max_queued": 2 });
    let companies = running.client.get("/companies").expect(200).json();
    let id = companies["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|company| company["name"] == "bounded")
        .and_then(|company| company["company_id"].as_str())
        .unwrap()
        .to_owned();
    let put = running.client.send(
        "PUT".parse().unwrap(),
        &format!("/companies/{id}/quotas"),
        &[("content-type", "application/json")],
        quotas.to_string().into_bytes(),
    );
    assert_eq!(put.status, 200, "{}", put.text());
    let first = submit(&other, "slow", &json!({}));
    until(&other, &first, "running");
    // Many at once have no more room than one after the other.
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking = || {
            let other = other.clone();
            scope.spawn(move || other.post("/functions/slow/execute", &json!({ "inputs": {} })))
        };
        let all: Vec<_> = (0..60).map(|_| asking()).collect();
        all.into_iter().map(|thread| thread.join().unwrap().status).collect()
    });
    let queued = answers.iter().filter(|status| **status == 202).count();
    assert!(queued == 2 && answers.iter().all(|s| [202, 429].contains(s)), "{answers:?}");
    let refused = other.post("/functions/slow/execute", &json!({ "inputs": {} }));
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn urgent_tasks_of_a_class_go_first() {
    let running = server_with(&[("MECAPY_SLOTS", "1")]);
    let slow = Archive::new(
        "slow",
        "import time\n\ndef calculate(inputs):\n    time.sleep(inputs['s'])\n    return {'at': time.time()}\n",
    );
    deploy(&running.client, &slow);
    let blocker = submit(&running.client, "slow", &json!({ "s": 2 }));
    until(&running.client, &blocker, "running");
    let at = |priority: u8| {
        let body = json!({ "inputs": { "s": 0 }, "priority": priority });
        let task = running.client.post("/functions/slow/execute", &body).expect(202).json();
        task["task_id"].as_str().unwrap().to_owned()
    };
    let (late, early) = (at(1), at(9));
    let queued = running.client.get(&format!("/tasks/{late}")).expect(200).json();
    assert_eq!(queued["queue_position"], 1, "{queued:#}");
    let ended =
        |id: &str| -> Value { until(&running.client, id, "completed")["result"]["at"].clone() };
    let (late, early) = (ended(&late).as_f64(), ended(&early).as_f64());
    assert!(early < late, "{early:?} {late:?}");
}

#[test]
fn a_stopped_server_hands_its_tasks_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = [("MECAPY_SLOTS", "1"), ("MECAPY_DRAIN_S", "1")];
    let server = super::start(&data, &settings);
    let client = server.client();
    let slow = Archive::new(
        "slow",
        "import time\n\ndef calculate(inputs):\n    time.sleep(inputs['s'])\n    return {'ok': True}\n",
    );
    deploy(&client, &slow);
    let long = submit(&client, "slow", &json!({ "s": 5 }));
    until(&client, &long, "running");
    let waiting = submit(&client, "slow", &json!({ "s": 0 }));
    let begin = Instant::now();
    assert!(server.terminate().unwrap().success());
    assert!(begin.elapsed().as_secs() < 30);
    let server = super::start(&data, &settings);
    for id in [&long, &waiting] {
        let task = until(&server.client(), id, "completed");
        assert_eq!(task["attempt"], 1, "a hand-back counts no attempt: {task:#}");
    }
}

#[test]
fn a_check_that_takes_long_stops_nobody_else() {
    let running = server();
    // Linear in the pattern's size times the text's, and both are large.
    let pattern = json!({ "type": "string", "pattern": "(a|b|ab|ba){3000}[cd]" });
    let schema = json!({ "type": "object", "properties": { "x": pattern } });
    let slow = Archive::new("slow-check", "def calculate(inputs):\n    return {}\n");
    deploy(&running.client, &slow.inputs_schema(schema));
    deploy(&running.client, &echo());
    let other = company(&running.client, "unbothered");
    deploy(&other, &echo());
    run(&other, "echo", &json!({}));
    // As much as is checked at all, which takes most of a second.
    let text = "ab".repeat(2000);
    let done = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                let refused = execute(&running.client, "slow-check", &json!({ "x": text }));
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                assert_eq!(refused.expect(422).json()["faults"][0]["code"], "input_violation");
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        let _ = running.client.get("/health/live").expect(200);
        run(&other, "echo", &json!({ "n": 1 }));
        let done = done.load(std::sync::atomic::Ordering::SeqCst);
        assert!(done < 10, "the others were only answered after the long checks");
    });
}
