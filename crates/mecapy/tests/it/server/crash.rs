//! `kill -9` at random moments loses no accepted task and completes none
//! twice.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, start, until};

/// Kills of the server.
const KILLS: u32 = 6;
/// Callers that submit all the time.
const CALLERS: u64 = 8;

#[test]
#[expect(clippy::print_stdout, reason = "the counts are shown with --nocapture")]
fn nothing_accepted_is_lost_and_nothing_completes_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let accepted: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let work = Archive::new(
        "work",
        "import time\n\ndef calculate(inputs):\n    time.sleep(0.01 * (inputs['n'] % 5))\n    return {'n': inputs['n']}\n",
    )
    .set("runtime.retry", json!({ "max_attempts": 10 }));
    let mut moment = 7_u64;
    for round in 0..KILLS {
        let server = start(&data, &[]);
        let client = server.client();
        if round == 0 {
            deploy(&client, &work);
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (client, stop, accepted) = (client.clone(), &stop, &accepted);
                scope.spawn(move || {
                    let mut n = u64::from(round) * 1_000_000 + caller * 100_000;
                    while !stop.load(Ordering::Relaxed) {
                        let body = json!({ "inputs": { "n": n } }).to_string().into_bytes();
                        let sent = client.try_send(
                            "POST".parse().unwrap(),
                            "/functions/work/execute",
                            &[("content-type", "application/json")],
                            body,
                        );
                        let Ok(answer) = sent else { return };
                        if answer.status == 202 {
                            let id = answer.json()["task_id"].as_str().unwrap().to_owned();
                            accepted.lock().unwrap().insert(id, n);
                        }
                        n += 1;
                    }
                });
            }
            moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            std::thread::sleep(Duration::from_millis(200 + moment % 700));
            server.kill().unwrap();
            stop.store(true, Ordering::Relaxed);
        });
    }
    let accepted = accepted.into_inner().unwrap();
    assert!(accepted.len() > 200, "too little was submitted to mean anything: {}", accepted.len());
    let server = start(&data, &[]);
    let client = server.client();
    let mut retried = 0;
    for (id, n) in &accepted {
        let task = until(&client, id, "completed");
        assert_eq!(task["result"], json!({ "n": n }), "{task:#}");
        retried += u32::from(task["attempt"].as_u64() != Some(1));
        let events = client.get(&format!("/tasks/{id}/events")).expect(200).text();
        let ends = events.matches("event: task.completed").count();
        assert_eq!(ends, 1, "{id} completed {ends} times:\n{events}");
    }
    println!(
        "{KILLS} kills, {} accepted, {} completed, {retried} after another attempt, 0 lost, 0 doubled",
        accepted.len(),
        accepted.len()
    );
}
