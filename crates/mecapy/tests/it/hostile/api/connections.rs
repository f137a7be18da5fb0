//! Connections that take their time, and crowds of them.

use std::io::Read as _;
use std::time::{Duration, Instant};

use serde_json::json;
use test_support::archive::Archive;

use super::{Raw, echo, post, status};
use crate::hostile::Fortress;
use crate::server::{execute, until};

const SLOW: [(&str, &str); 2] = [("MECAPY_HEAD_TIMEOUT_S", "1"), ("MECAPY_BODY_PAUSE_S", "1")];

/// Drips bytes until the server has had enough; how long that took, and what
/// it said.
fn drip(fortress: &Fortress, head: &str, byte: &str) -> (Duration, String) {
    let mut raw = Raw::to(fortress);
    raw.write(head);
    let began = Instant::now();
    raw.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while began.elapsed() < Duration::from_secs(15) {
        raw.write(byte);
        match raw.stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => said.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    (began.elapsed(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_slow_loris_is_dropped_while_others_are_served() {
    let fortress = Fortress::with(&SLOW);
    let head = "POST /functions/honest/execute HTTP/1.1\r\n{T}Content-Type: application/json\r\n";
    let form = "POST /files HTTP/1.1\r\n{T}Content-Type: multipart/form-data; boundary=XX\r\n\
                Content-Length: 100000\r\n\r\n--XX\r\n";
    std::thread::scope(|scope| {
        let slow = [
            // The head, a header that never ends.
            scope.spawn(|| drip(&fortress, &format!("{head}X-Slow: "), "a")),
            // The body, a byte now and then: never a pause, and no speed.
            scope.spawn(|| drip(&fortress, &format!("{head}Content-Length: 90000\r\n\r\n"), " ")),
            scope.spawn(|| {
                drip(&fortress, &format!("{head}Transfer-Encoding: chunked\r\n\r\n"), "1\r\n \r\n")
            }),
            scope.spawn(|| drip(&fortress, &format!("{form}X: "), "a")),
            // Nothing at all.
            scope.spawn(|| drip(&fortress, "", "")),
        ];
        while !slow.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let began = Instant::now();
            let task = execute(&fortress.client, "honest", &json!({ "force": 245.0 })).json();
            assert_eq!(task["result"], json!({ "stress": 1.0 }), "{task:#}");
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        }
        for (number, slow) in slow.into_iter().enumerate() {
            let (took, said) = slow.join().unwrap();
            assert!(took < Duration::from_secs(8), "{number}: {took:?} {said}");
            if (1..=3).contains(&number) {
                assert_eq!(status(&said), 408, "{number}: {said}");
                assert!(said.contains("too_slow") && said.contains("nor stay under 1024 B/s"));
            }
        }
    });
    fortress.stands();
}

#[test]
fn a_caller_that_does_not_take_its_answer_is_given_up() {
    let mut fortress = Fortress::with(&SLOW);
    let handler = "def calculate(inputs):\n    return {'x': '0123456789' * 3_000_000}\n";
    fortress.deploy(&Archive::new("large", handler));
    let task = execute(&fortress.client, "large", &json!({})).expect(200).json();
    fortress.rebase();
    // More than the files that the census overlooks.
    let raws: Vec<Raw> = (0..20)
        .map(|_| {
            let mut raw = Raw::to(&fortress);
            raw.write(format!(
                "GET {} HTTP/1.1\r\n{{T}}\r\n",
                task["result_url"].as_str().unwrap()
            ));
            raw
        })
        .collect();
    fortress.stands();
    drop(raws);
}

#[test]
fn a_thousand_submissions_at_once_are_all_answered_right() {
    let fortress = Fortress::new();
    fortress.deploy(&echo("echo"));
    let ids: Vec<(usize, String)> = std::thread::scope(|scope| {
        let (fortress, mut open) = (&fortress, Vec::new());
        for number in 0..1000 {
            let submit = move || {
                let body = format!("{{\"inputs\": {{\"number\": {number}}}}}");
                let mut raw = Raw::to(fortress);
                raw.write(format!(
                    "POST /functions/echo/execute HTTP/1.1\r\n{{T}}Connection: close\r\n\
                     Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ));
                let said = raw.read();
                assert_eq!(status(&said), 202, "{said}");
                let body = said.split("\r\n\r\n").nth(1).unwrap();
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                (number, body["task_id"].as_str().unwrap().to_owned())
            };
            let small = std::thread::Builder::new().stack_size(256 << 10);
            open.push(small.spawn_scoped(scope, submit).unwrap());
        }
        open.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let distinct: std::collections::BTreeSet<_> = ids.iter().map(|(_, id)| id).collect();
    assert_eq!(distinct.len(), 1000);
    for (number, id) in &ids {
        let task = until(&fortress.client, id, "completed");
        assert_eq!(task["result"], json!({ "number": number }), "{task:#}");
    }
    fortress.stands();
}

#[test]
fn a_queue_has_its_bound_and_says_so() {
    let fortress = Fortress::with(&[("MECAPY_QUEUED_TASKS_MAX", "5"), ("MECAPY_SLOTS", "1")]);
    let handler =
        "import time\n\ndef calculate(inputs):\n    time.sleep(inputs['s'])\n    return {}\n";
    fortress.deploy(&Archive::new("slow", handler));
    let body = r#"{"inputs": {"s": 2}}"#;
    let answers: Vec<_> =
        (0..20).map(|_| post(&fortress, "/functions/slow/execute", body, "en")).collect();
    let full: Vec<_> = answers.iter().filter(|answer| answer.status != 202).collect();
    assert!(full.len() >= 10, "{}", full.len());
    for answer in full {
        let refused = super::problem(answer, 503, "unavailable");
        assert!(refused["detail"].as_str().unwrap().ends_with("and the queue takes no more."));
        let wait = answer.header("retry-after").and_then(|wait| wait.parse::<u32>().ok());
        assert!(wait.is_some_and(|wait| wait >= 1), "{wait:?}");
    }
    for answer in answers.iter().filter(|answer| answer.status == 202) {
        let path = answer.header("location").unwrap();
        let _ = post(&fortress, &format!("{path}/cancel"), "", "en");
    }
    fortress.stands();
}
