//! A calculation from the archive to its result.

use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, echo, execute, run, server, submit, until};

#[test]
fn a_deployed_function_answers_with_all_that_was_measured() {
    let running = server();
    let bolt = Archive::new(
        "stress",
        "def calculate(inputs):\n    return {'stress': inputs['force'] / inputs['section']}\n",
    );
    let deployed = deploy(&running.client, &bolt);
    assert_eq!(deployed["status"], "deployed");
    assert_eq!(deployed["version"], "0.1.0");
    let task = run(&running.client, "stress", &json!({ "force": 1000, "section": 10 }));
    assert_eq!(task["status"], "completed");
    assert_eq!(task["result"], json!({ "stress": 100.0 }));
    assert_eq!(task["attempt"], 1);
    assert_eq!(task["warm"], true);
    for key in ["queue_time", "startup_time", "execution_time", "cpu_time"] {
        assert!(task[key].as_f64().is_some_and(|seconds| seconds >= 0.0), "{key}: {task:#}");
    }
}

#[test]
fn every_run_is_a_fresh_process() {
    let running = server();
    let counter = Archive::new(
        "counter",
        "import random\nseen = []\n\ndef calculate(inputs):\n    seen.append(1)\n    return {'calls': len(seen), 'random': random.random()}\n",
    );
    deploy(&running.client, &counter);
    let answers: Vec<_> =
        (0..5).map(|_| run(&running.client, "counter", &json!({}))["result"].clone()).collect();
    assert!(answers.iter().all(|answer| answer["calls"] == 1), "{answers:?}");
    let mut draws: Vec<_> = answers.iter().map(|answer| answer["random"].to_string()).collect();
    draws.sort();
    draws.dedup();
    assert_eq!(draws.len(), 5, "two runs drew the same number");
}

#[test]
fn log_and_progress_can_be_read_afterwards() {
    let running = server();
    let talking = Archive::new(
        "talking",
        "import mecapy_runtime\n\ndef calculate(inputs):\n    print('halfway there')\n    mecapy_runtime.progress(1, 2, 'half')\n    return {}\n",
    );
    deploy(&running.client, &talking);
    let task = run(&running.client, "talking", &json!({}));
    assert_eq!(task["progress"], json!({ "step": 1.0, "total": 2.0, "message": "half" }));
    let id = task["task_id"].as_str().unwrap();
    let log = running.client.get(&format!("/tasks/{id}/logs")).expect(200).text();
    assert_eq!(log, "halfway there\n");
    let events = running.client.get(&format!("/tasks/{id}/events")).expect(200).text();
    let names: Vec<_> = events.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names.first(), Some(&"task.queued"), "{events}");
    assert_eq!(names.last(), Some(&"task.completed"), "{events}");
}

#[test]
fn the_same_key_runs_once() {
    let running = server();
    deploy(&running.client, &echo());
    let send = |force: u32| {
        let body = json!({ "inputs": { "force": force } }).to_string().into_bytes();
        let headers = [("idempotency-key", "k1"), ("content-type", "application/json")];
        running.client.send("POST".parse().unwrap(), "/functions/echo/execute", &headers, body)
    };
    let first = send(1).expect(202).json();
    let second = send(1).expect(202).json();
    assert_eq!(first["task_id"], second["task_id"]);
    assert_eq!(send(2).expect(422).json()["code"], "idempotency_key_reused");
}

#[test]
fn a_cached_function_answers_the_same_inputs_without_a_run() {
    let running = server();
    let counting = Archive::new(
        "cached",
        "import random\n\ndef calculate(inputs):\n    return {'draw': random.random()}\n",
    )
    .set("runtime.cache", json!(true));
    deploy(&running.client, &counting);
    let first = run(&running.client, "cached", &json!({ "a": 1 }));
    let again = run(&running.client, "cached", &json!({ "a": 1 }));
    let other = run(&running.client, "cached", &json!({ "a": 2 }));
    assert_eq!(first["result"], again["result"]);
    assert_ne!(first["task_id"], again["task_id"]);
    assert_ne!(first["result"], other["result"]);
}

#[test]
fn a_large_result_is_read_from_its_own_address() {
    let running = server();
    deploy(
        &running.client,
        &Archive::new(
            "large",
            "def calculate(inputs):\n    return {'x': ['0123456789'] * 100_000}\n",
        ),
    );
    let task = run(&running.client, "large", &json!({}));
    assert!(task["result"].is_null());
    let result = running.client.get(task["result_url"].as_str().unwrap()).expect(200);
    assert_eq!(result.json()["x"].as_array().map(Vec::len), Some(100_000));
}

#[test]
fn a_waiting_and_a_running_task_are_cancelled() {
    let running = super::server_with(&[("MECAPY_SLOTS", "1")]);
    let slow = Archive::new("slow", "import time\n\ndef calculate(inputs):\n    time.sleep(600)\n");
    deploy(&running.client, &slow);
    let first = submit(&running.client, "slow", &json!({}));
    until(&running.client, &first, "running");
    let second = submit(&running.client, "slow", &json!({}));
    for id in [&second, &first] {
        let answer = running.client.post(&format!("/tasks/{id}/cancel"), &json!({}));
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text());
        until(&running.client, id, "cancelled");
    }
    deploy(&running.client, &echo());
    assert_eq!(
        execute(&running.client, "echo", &json!({ "a": 1 })).expect(200).json()["result"]["a"],
        1
    );
}

#[test]
fn the_longest_unused_template_makes_room() {
    let running = super::server_with(&[("MECAPY_TEMPLATE_MEMORY_MB", "1")]);
    deploy(&running.client, &echo());
    run(&running.client, "echo", &json!({}));
    let other = Archive::new("other", "import rainflow\n\ndef calculate(inputs):\n    return {}\n")
        .requires(&["rainflow==3.2.0"]);
    deploy(&running.client, &other);
    run(&running.client, "other", &json!({}));
    let workers = running.client.get("/workers").expect(200).json();
    let templates = workers["items"][0]["templates"].as_array().unwrap();
    assert_eq!(templates.len(), 1, "both fit one megabyte: {workers:#}");
    assert_eq!(templates[0]["shared"], false);
    // What made room comes back when it is called.
    assert_eq!(run(&running.client, "echo", &json!({ "a": 1 }))["result"]["a"], 1);
}
