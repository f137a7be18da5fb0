//! Streams of events over real sockets: to who reads slowly, and across a
//! restart of the server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, server_with, start, submit, until};

/// One event, as it was sent.
#[derive(Debug, Default)]
struct Told {
    id: Option<u64>,
    name: String,
    data: String,
}

/// The events of a stream's whole text; comments are left out.
fn events(text: &str) -> Vec<Told> {
    let mut all = Vec::new();
    for block in text.split("\n\n").filter(|block| block.contains("event:")) {
        let mut told = Told::default();
        for line in block.lines() {
            let (field, value) = line.split_once(": ").unwrap_or((line, ""));
            match field {
                "id" => told.id = Some(value.parse().unwrap()),
                "event" => value.clone_into(&mut told.name),
                "data" => value.clone_into(&mut told.data),
                _ => {}
            }
        }
        all.push(told);
    }
    all
}

/// The events that the database keeps, in order.
fn of_task(told: &[Told]) -> impl Iterator<Item = &Told> {
    told.iter().filter(|told| told.name.starts_with("task."))
}

fn kept(told: &[Told]) -> Vec<&str> {
    of_task(told).map(|told| told.name.as_str()).collect()
}

/// Asks for `path` on a socket that takes little at once, and reads nothing.
fn ask(url: &str, token: &str, path: &str, seen: Option<u64>) -> TcpStream {
    let address: std::net::SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    // Before it is connected, as it sets the window.
    sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
    connect(&socket, &address).unwrap();
    let mut stream = TcpStream::from(socket);
    let seen = seen.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    // Version 1.0: the body comes without the lengths of its pieces.
    let head = format!(
        "GET {path} HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{seen}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

const TALKER: &str = "\
import sys, time

def calculate(inputs):
    time.sleep(0.5)
    line = '.' * 99_999 + '\\n'
    for _ in range(inputs['lines']):
        sys.stdout.write(line)
        sys.stdout.flush()
        time.sleep(0.005)
    return {}
";

#[test]
fn who_reads_slowly_holds_up_nobody_is_told_what_was_missed_and_gets_every_kept_event() {
    let running = server_with(&[("MECAPY_LOG_BYTES_MAX", "100000000")]);
    let client = &running.client;
    deploy(client, &Archive::new("talker", TALKER));
    let task = submit(client, "talker", &json!({ "lines": 400 }));
    let path = format!("/tasks/{task}/events");
    let mut slow = ask(running.url(), running.token(), &path, None);
    let mut first = [0; 1];
    slow.read_exact(&mut first).unwrap();
    // Another watcher is told everything while the first one reads nothing.
    let quick = events(&client.get(&path).expect(200).text());
    assert_eq!(kept(&quick), ["task.queued", "task.running", "task.completed"]);
    assert!(quick.iter().all(|told| told.name != "reset"), "who keeps up misses nothing");
    let log: usize = quick
        .iter()
        .filter(|told| told.name == "log")
        .map(|told| serde_json::from_str::<String>(&told.data).unwrap().len())
        .sum();
    assert_eq!(log, 400 * 100_000);
    until(client, &task, "completed");

    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    let told = events(&text);
    assert_eq!(kept(&told), ["task.queued", "task.running", "task.completed"]);
    assert!(told.iter().any(|told| told.name == "reset"), "the gap in the log is told");
    assert!(text.len() < 20_000_000, "nothing is heaped up for who doesn't read: {}", text.len());
    assert_eq!(client.get(&format!("/tasks/{task}/logs")).expect(200).body.len(), 400 * 100_000);
}

#[test]
fn a_stream_is_taken_up_where_it_was_left_after_the_server_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = start(&data, &[]);
    let client = server.client();
    let sleeper = Archive::new(
        "sleeper",
        "import time\n\ndef calculate(inputs):\n    time.sleep(inputs['s'])\n    return {}\n",
    )
    .set("runtime.retry", json!({ "max_attempts": 3 }));
    deploy(&client, &sleeper);
    let task = submit(&client, "sleeper", &json!({ "s": 2 }));
    let (path, token) = (format!("/tasks/{task}/events"), server.token().to_owned());
    let mut stream = ask(server.url(), &token, &path, None);
    let mut text = String::new();
    while !text.contains("event: task.running") || !text.ends_with("\n\n") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the stream ended: {text}");
        text += std::str::from_utf8(&piece[..read]).unwrap();
    }
    server.kill().unwrap();
    let before = events(&text);
    assert_eq!(kept(&before), ["task.queued", "task.running"], "{text}");
    let last = of_task(&before).filter_map(|told| told.id).max();

    let server = start(&data, &[]);
    let mut text = String::new();
    ask(server.url(), &token, &path, last).read_to_string(&mut text).unwrap();
    let after = events(&text);
    let ids: Vec<u64> =
        of_task(&before).chain(of_task(&after)).filter_map(|told| told.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "none twice, in order: {ids:?}");
    // The first attempt ended with the server, the second one with the result.
    let all = [kept(&before), kept(&after)].concat();
    let whole = events(&server.client().get(&path).expect(200).text());
    assert_eq!(all, kept(&whole), "none is missing");
    assert_eq!(all.last(), Some(&"task.completed"));
    assert!(all.iter().filter(|name| **name == "task.running").count() == 2, "{all:?}");

    // Everything was seen: there is nothing to come back for.
    let mut text = String::new();
    let last = ids.last().copied();
    ask(server.url(), &token, &path, last).read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.0 204"), "{text}");
}
