//! Runs that write to the result pipe and the control socket themselves.

use serde_json::{Value, json};

use super::Fortress;
use super::arena::Arena;
use super::arsenal;
use crate::server::{submit, until};

static ARENA: Arena = Arena::new(|| {
    let fortress = Fortress::new();
    let handler = include_str!("handlers/escape.py");
    fortress.deploy(&arsenal("escape", handler));
    fortress.deploy(&arsenal("brief", handler).set("runtime.timeout", json!(1)));
    fortress
});

fn result(attack: &str) -> Value {
    ARENA.enter().result("escape", &json!({ "attack": attack }))
}

fn error(attack: &str, kind: &str) -> Value {
    ARENA.enter().error("escape", &json!({ "attack": attack }), kind)
}

fn assert_says(error: &Value, parts: &[&str]) {
    let message = error["message"].as_str().unwrap();
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn a_closed_result_pipe_is_no_result() {
    assert_says(&error("close_pipe", "invalid_output"), &["before it gave its result"]);
}

#[test]
fn a_reused_result_pipe_is_no_result() {
    assert_says(&error("reuse_pipe", "invalid_output"), &["exit code 0", "return a dict"]);
}

#[test]
fn a_flooded_result_pipe_is_no_result() {
    assert_says(&error("flood_pipe", "invalid_output"), &["file 4", "leave that file alone"]);
}

#[test]
fn half_a_frame_is_no_result() {
    assert_says(&error("half_a_frame", "invalid_output"), &["before it gave its result"]);
    let waiting = json!({ "attack": "half_a_frame_and_waiting" });
    ARENA.enter().error("brief", &waiting, "timeout");
    // The rest of a forged frame swallows the true one.
    error("half_a_frame_then_a_whole_one", "invalid_output");
}

#[test]
fn of_two_frames_the_first_counts() {
    assert_eq!(result("two_frames"), json!({ "first": 1 }));
}

#[test]
fn a_frame_with_a_wrong_length_is_no_result() {
    assert_says(&error("short_length", "invalid_output"), &["not one JSON value"]);
    assert_says(&error("long_length", "invalid_output"), &["before it gave its result"]);
    assert_says(&error("endless_head", "invalid_output"), &["file 4"]);
}

#[test]
fn a_gigabyte_is_refused_when_it_is_announced() {
    let error = error("gigabyte_announced", "output_too_large");
    assert_eq!(error["limit"].as_f64(), Some(134_217_728.0));
    assert_eq!(error["measured"].as_f64(), Some(1_073_741_824.0));
    assert_says(&error, &["134217728 bytes", "outputs folder"]);
}

#[test]
fn a_forged_result_is_one_json_value_that_readers_can_take() {
    assert_says(&error("no_json", "invalid_output"), &["not one JSON value"]);
    assert_says(&error("deep_json", "invalid_output"), &["100000 levels", "500 are allowed"]);
}

#[test]
fn a_run_can_t_blame_the_platform() {
    let fortress = ARENA.enter();
    let task = fortress.attack("escape", &json!({ "attack": "blames_the_platform" }));
    assert_eq!(task["error"]["kind"], "user_error", "{task:#}");
    assert_eq!(task["attempt"], 1, "it is not tried again at everybody's cost");
}

#[test]
fn a_child_of_a_run_may_answer_for_it_alone() {
    assert_eq!(result("by_a_child"), json!({ "by": "child" }));
}

#[test]
fn a_forged_result_reaches_no_other_run() {
    let fortress = ARENA.enter();
    let sleep = json!({ "attack": "sleep", "seconds": 0.5 });
    let beside: Vec<String> = (0..2).map(|_| submit(&fortress.client, "escape", &sleep)).collect();
    until(&fortress.client, &beside[0], "running");
    let forged = fortress.result("escape", &json!({ "attack": "forges_for_others" }));
    assert_eq!(forged, json!({ "own": true }));
    for task in beside {
        let task = until(&fortress.client, &task, "completed");
        assert_eq!(task["result"], json!({ "slept": true }));
    }
}

#[test]
fn nothing_more_can_be_read_from_the_control_socket() {
    assert_eq!(result("control_read_again"), json!({ "more": "EAGAIN" }));
}

#[test]
fn garbage_on_the_control_socket_is_bounded_and_ignored() {
    assert_eq!(result("control_garbage"), json!({ "stopped": "EAGAIN", "bounded": true }));
}

#[test]
fn a_control_socket_that_is_shut_harms_its_run_alone() {
    assert_eq!(result("control_shut"), json!({ "own": true }));
}

#[test]
fn no_file_can_be_sent_over_the_control_socket() {
    assert_eq!(result("control_files"), json!({ "stopped": "EPERM", "sent": 0 }));
}
