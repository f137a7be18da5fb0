//! Runs that take more than they may have.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::archive::Archive;

use super::Fortress;
use super::arena::Arena;
use super::arsenal;

static ARENA: Arena = Arena::new(|| {
    let fortress = Fortress::new();
    let handler = include_str!("handlers/resources.py");
    let resources = arsenal("resources", handler);
    fortress.deploy(&resources);
    let brief = arsenal("brief", handler).set("runtime.timeout", json!(1));
    fortress.deploy(&brief);
    let small = arsenal("small", handler).set("runtime.memory_limit", json!(128));
    fortress.deploy(&small);
    let half = arsenal("half", handler).set("runtime.cpu_limit", json!(0.5));
    fortress.deploy(&half);
    fortress
});

fn result(attack: &str) -> Value {
    ARENA.enter().result("resources", &json!({ "attack": attack }))
}

/// What is said of a run that may have 128 MB.
fn out_of_memory(inputs: Value) {
    let fortress = ARENA.enter();
    let task = fortress.attack("small", &inputs);
    let error = &task["error"];
    assert_eq!(error["kind"], "out_of_memory", "{task:#}");
    assert_eq!(error["limit"].as_f64(), Some(134_217_728.0), "{task:#}");
    assert_eq!(error["unit"], "bytes");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("128 MB") && message.contains("runtime.memory_limit"), "{message}");
    // By the kernel's count, so that the limit was what stopped it.
    let peak = task["peak_memory"].as_u64().unwrap();
    assert!(peak <= 128 << 20, "{peak}");
}

/// What is said of a run that may take 1 s.
fn timeout(attack: &str) -> Value {
    let fortress = ARENA.enter();
    let task = fortress.attack("brief", &json!({ "attack": attack }));
    let error = &task["error"];
    assert_eq!(error["kind"], "timeout", "{task:#}");
    assert_eq!(error["limit"].as_f64(), Some(1.0));
    assert_eq!(error["unit"], "s");
    let measured = error["measured"].as_f64().unwrap();
    assert!((1.0..3.0).contains(&measured), "{measured} s");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("1 s") && message.contains("`timeout`"), "{message}");
    task
}

fn logs(fortress: &Fortress, task: &Value) -> String {
    let path = format!("/tasks/{}/logs", task["task_id"].as_str().unwrap());
    fortress.client.get(&path).expect(200).text()
}

// Processes and threads.

#[test]
fn a_fork_bomb_meets_its_limit() {
    let result = result("fork_bomb");
    assert_eq!(result["error"], 11, "EAGAIN");
    assert!(result["made"].as_u64().unwrap() <= 128, "{result}");
}

#[test]
fn a_thread_bomb_meets_its_limit() {
    let result = result("thread_bomb");
    assert_eq!(result["error"], "can't start new thread");
    assert!(result["made"].as_u64().unwrap() <= 128, "{result}");
}

#[test]
fn bombs_that_catch_nothing_are_told_the_limit() {
    let fortress = ARENA.enter();
    for attack in ["fork_bomb_uncaught", "thread_bomb_uncaught"] {
        let error = fortress.error("resources", &json!({ "attack": attack }), "user_error");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("128 processes and threads"), "{message}");
    }
}

#[test]
fn a_double_forked_daemon_ends_with_its_run() {
    assert_eq!(result("daemon"), json!({ "left": true }));
}

#[test]
fn a_child_left_with_stdout_open_ends_with_its_run() {
    let fortress = ARENA.enter();
    let inputs = json!({ "attack": "child_with_stdout" });
    let task = fortress.attack("resources", &inputs);
    assert_eq!(task["error"]["kind"], "invalid_output", "{task:#}");
    let log = logs(&fortress, &task);
    assert!(log.contains("parent ends"), "{log}");
    assert_eq!(logs(&fortress, &task), log, "nobody writes any more");
}

#[test]
fn a_thread_left_ends_with_its_run() {
    assert_eq!(result("thread_left"), json!({ "left": true }));
}

// Memory.

#[test]
fn a_memory_bomb_in_one_step_is_out_of_memory() {
    out_of_memory(json!({ "attack": "one_step" }));
    out_of_memory(json!({ "attack": "never_promised" }));
}

#[test]
fn a_slow_memory_bomb_is_out_of_memory() {
    out_of_memory(json!({ "attack": "slowly" }));
}

#[test]
fn files_in_memory_count_as_the_runs() {
    for folder in ["/tmp", "/dev/shm", "/outputs"] {
        out_of_memory(json!({ "attack": "in_files", "folder": folder }));
    }
    out_of_memory(json!({ "attack": "in_memfd" }));
    out_of_memory(json!({ "attack": "in_shared_mapping" }));
}

#[test]
fn memory_of_children_counts_as_the_runs() {
    let fortress = ARENA.enter();
    let archive = arsenal("family", include_str!("handlers/resources.py"))
        .set("runtime.memory_limit", json!(128))
        .set("runtime.timeout", json!(2));
    fortress.deploy(&archive);
    // Its parent waits for a child that was killed for its memory.
    let error = fortress.error("family", &json!({ "attack": "in_children" }), "out_of_memory");
    assert_eq!(error["limit"].as_f64(), Some(134_217_728.0));
}

#[test]
fn page_tables_and_mappings_count_as_the_runs() {
    out_of_memory(json!({ "attack": "in_page_tables" }));
    out_of_memory(json!({ "attack": "in_mappings" }));
}

#[test]
fn full_pipes_and_sockets_count_as_the_runs() {
    out_of_memory(json!({ "attack": "in_pipes" }));
    out_of_memory(json!({ "attack": "in_sockets" }));
}

// Time.

#[test]
fn a_busy_loop_in_c_that_holds_the_interpreter_is_ended() {
    timeout("holds_the_lock");
}

#[test]
fn a_catastrophic_pattern_is_ended() {
    timeout("catastrophic_pattern");
}

#[test]
fn a_run_that_sleeps_forever_is_ended() {
    let task = timeout("sleeps");
    assert!(task["cpu_time"].as_f64().unwrap() < 0.5, "{task:#}");
}

#[test]
fn ignored_and_blocked_signals_change_nothing() {
    timeout("ignores_signals");
}

#[test]
fn a_run_that_stops_itself_is_ended() {
    timeout("stops_itself");
}

#[test]
fn alarms_and_timers_are_the_runs_own() {
    timeout("alarms");
    assert_eq!(result("alarm_by_default"), json!({ "on": true }));
}

#[test]
fn a_run_that_ends_at_its_limit_has_one_of_two_ends() {
    let fortress = ARENA.enter();
    for seconds in [0.98, 0.99, 0.995, 1.0] {
        let inputs = json!({ "attack": "sleeps_until", "seconds": seconds });
        let task = fortress.attack("brief", &inputs);
        match task["status"].as_str() {
            Some("completed") => assert_eq!(task["result"], json!({ "slept": true })),
            _ => assert_eq!(task["error"]["kind"], "timeout", "{task:#}"),
        }
        assert_eq!(task["attempt"], 1);
    }
}

#[test]
fn half_a_core_is_half_a_core() {
    let fortress = ARENA.enter();
    for attack in ["burns", "burns_in_all"] {
        let inputs = json!({ "attack": attack, "seconds": 1.5 });
        let task = fortress.attack("half", &inputs);
        assert_eq!(task["result"], json!({ "burnt": true }), "{task:#}");
        let cores = task["cpu_time"].as_f64().unwrap() / task["execution_time"].as_f64().unwrap();
        // Others may have the machine, so that it gets less.
        assert!((0.1..0.7).contains(&cores), "{attack}: {cores} cores");
    }
}

#[test]
fn a_linear_system_is_solved_right_and_in_time_on_one_core() {
    let mut fortress = ARENA.enter();
    let handler = "import numpy as np, os
def calculate(inputs):
    a = np.random.default_rng(7).standard_normal((500, 500)) + 500 * np.eye(500)
    x = np.arange(500.0)
    error = float(abs(np.linalg.solve(a, a @ x) - x).max())
    return {'error': error, 'threads': len(os.listdir('/proc/self/task'))}
";
    let archive = Archive::new("solves", handler)
        .requires(&["numpy"])
        .set("runtime.memory_limit", json!(1024));
    // The installation may take longer than a request may wait.
    let zip = archive.zip();
    let sent = fortress.client.post_file("/functions", "archive", "a.zip", &zip).json();
    let path = format!("/deployments/{}", sent["deployment_id"].as_str().unwrap());
    let began = Instant::now();
    loop {
        let deployment = fortress.client.get(&path).expect(200).json();
        if deployment["status"] == "deployed" {
            break;
        }
        assert_ne!(deployment["status"], "failed", "{deployment:#}");
        assert!(began.elapsed() < Duration::from_secs(600), "{deployment:#}");
        std::thread::sleep(Duration::from_millis(200));
    }
    fortress.rebase();
    for _ in 0..3 {
        let task = fortress.attack("solves", &json!({}));
        assert_eq!(task["status"], "completed", "{task:#}");
        assert!(task["result"]["error"].as_f64().unwrap() < 1e-9, "{task:#}");
        // More than the quota has would wait for each other.
        assert_eq!(task["result"]["threads"], 1, "{task:#}");
    }
}

#[test]
fn no_run_takes_precedence() {
    let wanted = json!({
        "nice": "EPERM",
        "priority": "EACCES",
        "fifo": "EPERM",
        "batch": "EPERM",
        "affinity": null,
        "files": "not allowed to raise maximum limit",
        "core": "not allowed to raise maximum limit",
    });
    assert_eq!(result("takes_precedence"), wanted);
}

// What is written.

/// Most log text that is kept, and the lines that say so.
const MOST_LOG: usize = (1 << 20) + 200;

#[test]
fn a_flood_without_a_newline_is_cut_and_ended() {
    for attack in ["floods_stdout", "floods_stderr"] {
        let task = timeout(attack);
        let log = logs(&ARENA.enter(), &task);
        assert!(log.len() > 1 << 20 && log.len() < MOST_LOG, "{attack}: {} bytes", log.len());
        let mut last = log.lines().rev();
        let (french, english) = (last.next().unwrap(), last.next().unwrap());
        assert!(english.starts_with("[mecapy: a log holds 1048576 bytes at most; "), "{english}");
        assert!(french.ends_with(" de plus ont été coupés]"), "{french}");
    }
}

#[test]
fn a_flood_that_ends_costs_the_result_nothing() {
    let fortress = ARENA.enter();
    let task = fortress.attack("resources", &json!({ "attack": "floods_both_and_returns" }));
    assert_eq!(task["result"], json!({ "written": true }), "{task:#}");
    let log = logs(&fortress, &task);
    assert!(log.len() > 1 << 20 && log.len() < MOST_LOG, "{} bytes", log.len());
    assert!(log.contains(" more were cut]"));
}

#[test]
fn a_flood_of_progress_is_ended() {
    timeout("floods_progress");
}

#[test]
fn progress_that_is_no_number_is_told_to_who_reports_it() {
    let inputs = json!({ "attack": "odd_progress" });
    let error = ARENA.enter().error("resources", &inputs, "user_error");
    assert_eq!(error["exception"], "ValueError");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("progress takes finite numbers, got nan"), "{message}");
}
