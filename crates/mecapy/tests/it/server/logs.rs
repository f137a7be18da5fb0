//! What a run writes and reports: live, kept to a limit, and never lost
//! without a word.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::Client;

use super::{deploy, run, server, server_with, submit};

fn log(client: &Client, task: &Value) -> Vec<u8> {
    let id = task["task_id"].as_str().unwrap();
    client.get(&format!("/tasks/{id}/logs")).expect(200).body
}

/// Everything that one who watches from the first moment is told: name and
/// data.
fn watched(client: &Client, task: &str) -> Vec<(String, Value)> {
    let text = client.get(&format!("/tasks/{task}/events")).expect(200).text();
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
    };
    text.split("\n\n")
        .filter_map(|event| {
            let data = serde_json::from_str(&field(event, "data: ")?).unwrap();
            Some((field(event, "event: ")?, data))
        })
        .collect()
}

const WRITER: &str = "\
import sys, time

def calculate(inputs):
    time.sleep(inputs.get('after', 0))
    for _ in range(inputs['times']):
        sys.stdout.buffer.write(inputs['hex'] and bytes.fromhex(inputs['hex']))
    sys.stdout.flush()
    print(inputs.get('last', ''), end='')
    return {}
";

#[test]
fn a_log_beyond_its_limit_says_how_much_was_cut_and_who_watches_hears_of_it() {
    let running = server_with(&[("MECAPY_LOG_BYTES_MAX", "1000")]);
    let client = &running.client;
    deploy(client, &Archive::new("writer", WRITER));
    // One line without an end, far longer than the limit and than any buffer.
    let inputs = json!({ "hex": "61", "times": 300_000 });
    let task = run(client, "writer", &inputs);
    assert_eq!(task["status"], "completed", "{task:#}");
    let notice = "\n[mecapy: a log holds 1000 bytes at most; 299000 more were cut]\n\
                  [mecapy : un journal contient au plus 1000 octets ; 299000 de plus ont été coupés]\n";
    let text = String::from_utf8(log(client, &task)).unwrap();
    assert_eq!(text, format!("{}{notice}", "a".repeat(1000)));
    let exactly = run(client, "writer", &json!({ "hex": "61", "times": 1000 }));
    assert_eq!(log(client, &exactly), [b'a'; 1000], "what fits is not spoken of");

    let inputs = json!({ "hex": "61", "times": 300_000, "after": 1 });
    let told = watched(client, &submit(client, "writer", &inputs));
    let text: String = told
        .iter()
        .filter(|(name, _)| name == "log")
        .map(|(_, data)| data.as_str().unwrap())
        .collect();
    assert!(
        text.contains("[mecapy: a log holds 1000 bytes at most; what follows is cut]"),
        "{text}"
    );
    assert!(text.ends_with(notice), "{text}");
    assert!(
        told.last().unwrap().0 == "task.completed",
        "the notice comes before the end: {told:?}"
    );
}

#[test]
fn a_log_is_kept_byte_for_byte_and_told_as_text() {
    let running = server();
    let client = &running.client;
    deploy(client, &Archive::new("writer", WRITER));
    // NUL, a colour, half a character, a byte that is none, a carriage return.
    let odd = b"a\0b\x1b[31mred\x1b[0m\xe2\x82 \xff\r\n";
    let inputs = json!({ "hex": hex(odd), "times": 1, "last": "é€😀", "after": 1 });
    let id = submit(client, "writer", &inputs);
    let told = watched(client, &id);
    let text: String = told
        .iter()
        .filter(|(name, _)| name == "log")
        .map(|(_, data)| data.as_str().unwrap())
        .collect();
    let task = client.get(&format!("/tasks/{id}")).expect(200).json();
    assert_eq!(task["status"], "completed", "{task:#}");
    let kept = [odd.as_slice(), "é€😀".as_bytes()].concat();
    assert_eq!(log(client, &task), kept);
    assert_eq!(text, String::from_utf8_lossy(&kept));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_flood_of_progress_costs_little_and_its_last_word_is_told() {
    const HANDLER: &str = "\
import time
from mecapy_runtime import progress

def calculate(inputs):
    time.sleep(1)
    began = time.monotonic()
    for step in range(inputs['steps']):
        progress(step + 1, inputs['steps'], 'é' * 600)
    took = time.monotonic() - began
    time.sleep(0.5)
    return {'took': took}
";
    let running = server();
    let client = &running.client;
    deploy(client, &Archive::new("steps", HANDLER));
    let steps = 50_000;
    let began = Instant::now();
    let id = submit(client, "steps", &json!({ "steps": steps }));
    let told = watched(client, &id);
    let rounds = began.elapsed().as_millis() / 25 + 2;
    let progress: Vec<_> = told.iter().filter(|(name, _)| name == "progress").collect();
    assert!((1..=rounds).contains(&(progress.len() as u128)), "{} of {rounds}", progress.len());
    let last = &progress.last().unwrap().1;
    assert_eq!((last["step"].as_f64(), last["total"].as_f64()), (Some(5e4), Some(5e4)));
    assert_eq!(last["message"].as_str().unwrap().chars().count(), 500);
    assert!(!told.iter().any(|(name, _)| name == "reset"), "nobody fell behind");
    let task = client.get(&format!("/tasks/{id}")).expect(200).json();
    assert_eq!(task["progress"]["step"].as_f64(), Some(5e4), "{task:#}");
    let took = task["result"]["took"].as_f64().unwrap();
    assert!(took < 20.0, "{steps} reports held the run up for {took} s");
}

#[test]
fn half_characters_are_shown_wherever_a_person_reads() {
    const HANDLER: &str = "\
def calculate(inputs):
    where = inputs['where']
    if where == 'log':
        print('file \\udc80.csv')
        return {}
    if where == 'error':
        raise ValueError('file \\udc80.csv')
    if where == 'key':
        return {'\\ud800': object()}
    from mecapy_runtime import progress
    progress(1, None, 'file \\udc80.csv')
    return {}
";
    let running = server();
    let client = &running.client;
    deploy(client, &Archive::new("halves", HANDLER));
    let of = |place: &str| run(client, "halves", &json!({ "where": place }));
    let printed = of("log");
    assert_eq!(printed["status"], "completed", "{printed:#}");
    assert_eq!(log(client, &printed), b"file \\udc80.csv\n");
    let failed = of("error");
    assert_eq!(failed["error"]["kind"], "user_error", "{failed:#}");
    assert_eq!(failed["error"]["message"], "file \\udc80.csv");
    let traceback = failed["error"]["traceback"].as_str().unwrap();
    assert!(traceback.contains("ValueError: file \\udc80.csv"), "{traceback}");
    let key = of("key");
    assert_eq!(key["error"]["kind"], "invalid_output", "{key:#}");
    assert!(key["error"]["pointer"].as_str().unwrap().contains("\\ud800"), "{key:#}");
    assert_eq!(of("progress")["progress"]["message"], "file \\udc80.csv");

    let tests = Archive::new("tested", "def calculate(inputs):\n    return {}\n").file(
        "tests/test_half.py",
        "def test_half():\n    print('seen \\udc81')\n    assert 'a\\udc80' == 'b'\n",
    );
    let answer = client.post_file("/functions?wait=120", "archive", "a.zip", &tests.zip());
    let problem = answer.expect(422).json();
    let test = &problem["tests"]["unit_tests"][0];
    assert_eq!(test["outcome"], "failed", "{problem:#}");
    // What is printed under pytest goes through a file of its own.
    assert!(test["text"].as_str().unwrap().contains("seen ?"), "{test:#}");
    assert!(test["message"].as_str().unwrap().contains("a\\udc80"), "{test:#}");
}

#[test]
fn a_time_limit_that_nothing_could_keep_is_refused_with_the_least() {
    let running = server();
    let client = &running.client;
    deploy(client, &super::echo());
    for (sent, shown) in [("1e-320", "1e-320"), ("0.0009", "0.0009"), ("0", "0.0")] {
        let body = format!(r#"{{"inputs": {{}}, "timeout": {sent}}}"#);
        let refused = client.post_text("/functions/echo/execute?wait=5", &body).expect(422).json();
        let message = refused["faults"][0]["message"].as_str().unwrap();
        assert_eq!(message, format!("expected a timeout from 0.001 to 600 s, found {shown} s"));
    }
    let began = Instant::now();
    let body = r#"{"inputs": {}, "timeout": 0.001}"#;
    let task = client.post_text("/functions/echo/execute?wait=30", body).expect(200).json();
    assert!(["completed", "failed"].contains(&task["status"].as_str().unwrap()), "{task:#}");
    assert!(began.elapsed() < Duration::from_secs(20));
}
