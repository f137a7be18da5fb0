//! Every way in which a run can fail, in the words of the task.

use serde_json::{Value, json};
use test_support::archive::Archive;

use super::{Running, deploy, echo, run, server};

/// Deploys a handler, runs it, and checks that the next calculation on the
/// same worker is right.
fn failure(running: &Running, name: &str, handler: &str, limits: &[(&str, Value)]) -> Value {
    let archive = limits
        .iter()
        .fold(Archive::new(name, handler), |archive, (key, value)| archive.set(key, value.clone()));
    deploy(&running.client, &archive);
    let task = run(&running.client, name, &json!({}));
    assert_eq!(task["status"], "failed", "{task:#}");
    assert_eq!(run(&running.client, "echo", &json!({ "a": 1 }))["result"], json!({ "a": 1 }));
    task["error"].clone()
}

#[test]
fn every_failure_has_its_kind_and_its_sentence() {
    let running = server();
    deploy(&running.client, &echo());

    let error = failure(
        &running,
        "raises",
        "def half(x):\n    return x / 0\n\ndef calculate(inputs):\n    return half(1)\n",
        &[],
    );
    assert_eq!(error["kind"], "user_error");
    assert_eq!(error["exception"], "ZeroDivisionError");
    assert_eq!(error["message"], "division by zero");
    let traceback = error["traceback"].as_str().unwrap();
    assert!(traceback.contains("handler.py\", line 2, in half"), "{traceback}");
    assert!(!traceback.contains("mecapy_runner"), "{traceback}");

    let error = failure(
        &running,
        "sleeps",
        "import time\n\ndef calculate(inputs):\n    time.sleep(60)\n",
        &[("runtime.timeout", json!(1))],
    );
    assert_eq!(error["kind"], "timeout");
    assert_eq!(error["limit"], 1.0);
    assert!(error["measured"].as_f64().unwrap() >= 1.0);

    let error = failure(
        &running,
        "hoards",
        "def calculate(inputs):\n    return len(bytearray(600 * 1024 * 1024))\n",
        &[("runtime.memory_limit", json!(128))],
    );
    assert_eq!(error["kind"], "out_of_memory", "{error:#}");

    let error = failure(
        &running,
        "crashes",
        "import ctypes\n\ndef calculate(inputs):\n    ctypes.string_at(0)\n",
        &[],
    );
    assert_eq!(error["kind"], "killed", "{error:#}");

    let error =
        failure(&running, "odd", "def calculate(inputs):\n    return {'a': [1, {2, 3}]}\n", &[]);
    assert_eq!(error["pointer"], "/a/1", "{error:#}");

    let error =
        failure(&running, "exits", "import os\n\ndef calculate(inputs):\n    os._exit(0)\n", &[]);
    assert!(
        matches!(error["kind"].as_str(), Some("killed" | "user_error" | "invalid_output")),
        "{error:#}"
    );
}

#[test]
fn messages_are_in_the_callers_language() {
    let running = server();
    let archive =
        Archive::new("sleeps", "import time\n\ndef calculate(inputs):\n    time.sleep(60)\n")
            .set("runtime.timeout", json!(1));
    deploy(&running.client, &archive);
    let task = run(&running.client, "sleeps", &json!({}));
    let path = format!("/tasks/{}", task["task_id"].as_str().unwrap());
    let french = running
        .client
        .send("GET".parse().unwrap(), &path, &[("accept-language", "fr")], Vec::new())
        .expect(200)
        .json();
    let message = french["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("l'exécution a dépassé"), "{message}");
}

#[test]
fn a_users_error_is_tried_again_when_the_function_asks_for_it() {
    let running = server();
    let archive = Archive::new("flaky", "def calculate(inputs):\n    raise ValueError('no')\n")
        .set("runtime.retry", json!({ "max_attempts": 3, "backoff": 0, "on_user_error": true }));
    deploy(&running.client, &archive);
    let task = run(&running.client, "flaky", &json!({}));
    assert_eq!(task["status"], "failed");
    assert_eq!(task["attempt"], 3);
}
