//! What a server tells those who watch it: metrics, log lines, traces, errors.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use test_support::archive::Archive;

use super::{deploy, echo, run, says, server, server_with};

/// Somebody who takes what is posted: path, headers in lower case, body.
struct Collector {
    url: String,
    posts: Receiver<(String, String, Vec<u8>)>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, posts) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    loop {
                        let mut head = String::new();
                        while !head.ends_with("\r\n\r\n") {
                            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                                return;
                            }
                        }
                        let head = head.to_ascii_lowercase();
                        let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
                        let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
                        reader.read_exact(&mut body).unwrap();
                        let path = head.split(' ').nth(1).unwrap().to_owned();
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                        reader.get_mut().write_all(answer).unwrap();
                        if sender.send((path, head, body)).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, posts }
    }

    fn next(&self) -> (String, String, Vec<u8>) {
        self.posts.recv_timeout(Duration::from_secs(20)).expect("something is posted")
    }
}

/// Names of all measurements, those of a histogram without their endings.
fn names(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The value of a measurement with these labels.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().unwrap()
}

#[test]
fn the_metrics_tell_stages_starts_queues_errors_and_resources() {
    let running = server();
    let client = &running.client;
    deploy(client, &echo());
    deploy(client, &Archive::new("wrong", "def calculate(inputs):\n    return 1 / 0\n"));
    for _ in 0..5 {
        run(client, "echo", &json!({ "secret": "hunter2" }));
    }
    run(client, "wrong", &json!({}));
    assert_eq!(client.get("/tasks/0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506").status, 404);
    let metrics = client.with_token(None).get("/metrics").expect(200).text();
    for stage in ["accept", "queue", "startup", "run", "store"] {
        let count = value(&metrics, &format!("mecapy_stage_seconds_count{{stage=\"{stage}\"}}"));
        assert!(count >= 6.0, "{stage}: {count}");
    }
    let starts = |how: &str| value(&metrics, &format!("mecapy_starts_total{{start=\"{how}\"}}"));
    assert_eq!(starts("warm") + starts("cold"), 6.0);
    let ended =
        |state: &str| value(&metrics, &format!("mecapy_tasks_ended_total{{state=\"{state}\"}}"));
    assert_eq!((ended("completed"), ended("failed"), ended("cancelled")), (5.0, 1.0, 0.0));
    assert_eq!(value(&metrics, "mecapy_failures_total{kind=\"user_error\"}"), 1.0);
    assert_eq!(value(&metrics, "mecapy_problems_total{code=\"not_found\"}"), 1.0);
    assert_eq!(value(&metrics, "mecapy_queue_waiting{class=\"default\"}"), 0.0);
    assert_eq!(value(&metrics, "mecapy_workers{state=\"ready\"}"), 1.0);
    assert_eq!(value(&metrics, "mecapy_part_up{part=\"database\"}"), 1.0);
    assert!(value(&metrics, "mecapy_run_cpu_seconds_sum") > 0.0);
    assert!(value(&metrics, "mecapy_templates_memory_bytes") > 1e6);
    assert!(value(&metrics, "process_resident_memory_bytes") > 1e6);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(value(&metrics, &format!("mecapy_build_info{{version=\"{version}\"}}")), 1.0);
    // Strangers may read it: nothing of a company's is in it.
    for word in ["main", "echo", "wrong", "hunter2"] {
        assert!(!metrics.contains(&format!("\"{word}\"")), "{word}");
    }
    // Few and fixed label values: other tasks make no other lines.
    let lines = metrics.lines().count();
    deploy(client, &Archive::new("other", "def calculate(inputs):\n    return inputs\n"));
    run(client, "other", &json!({}));
    assert_eq!(client.get("/tasks/0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f507").status, 404);
    let again = client.get("/metrics").expect(200).text();
    // The route of the metrics themselves is new in it.
    let scraped = again.lines().filter(|line| line.contains("endpoint=\"/metrics\"")).count();
    assert_eq!(again.lines().count() - scraped, lines);
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_what_there_is() {
    let running = server();
    deploy(&running.client, &echo());
    run(&running.client, "echo", &json!({}));
    assert_eq!(running.client.get("/nowhere").status, 404);
    let stranger = json!({ "name": "admin", "password": "not the password" });
    assert_eq!(running.client.with_token(None).post("/auth/login", &stranger).status, 401);
    let there = names(&running.client.get("/metrics").expect(200).text());
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");
    for file in ["grafana/mecapy.json", "prometheus/mecapy.rules.yml"] {
        let text = std::fs::read_to_string(format!("{deploy}/{file}")).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let asked: BTreeSet<&str> = words
            .filter(|word| word.starts_with("mecapy_") || word.starts_with("process_"))
            .map(|word| {
                let histogram =
                    ["_bucket", "_sum", "_count"].iter().find_map(|e| word.strip_suffix(e));
                histogram.unwrap_or(word)
            })
            .collect();
        assert!(asked.len() >= 8, "{file} asks for {asked:?}");
        for name in asked {
            assert!(there.contains(name), "{file} asks for {name}, there are {there:#?}");
        }
    }
    let dashboard = std::fs::read(format!("{deploy}/grafana/mecapy.json")).unwrap();
    let dashboard: Value = serde_json::from_slice(&dashboard).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() >= 10);
}

#[test]
fn a_request_id_goes_from_the_caller_to_the_log_and_the_run() {
    let running = server_with(&[("LOG_LEVEL", "debug")]);
    let client = &running.client;
    let tells = Archive::new(
        "tells",
        "import os\n\ndef calculate(inputs):\n    return {'id': os.environ['MECAPY_REQUEST_ID']}\n",
    );
    deploy(client, &tells);
    let headers = [("content-type", "application/json"), ("x-request-id", "order-42")];
    let path = "/functions/tells/execute?wait=60";
    let answer = client.send("POST".parse().unwrap(), path, &headers, b"{}".to_vec()).expect(200);
    assert_eq!(answer.header("x-request-id"), Some("order-42"));
    assert_eq!(answer.json()["result"], json!({ "id": "order-42" }));
    says(&running.server, "attempt ended");
    let said = says(&running.server, "\"/functions/{id}/execute\"");
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_it: Vec<_> = lines.filter(|line| line["request_id"] == "order-42").collect();
    let ended = |line: &&Value| line["message"] == "attempt ended";
    let line = of_it.iter().find(|line| ended(line)).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(line["metadata"]["task.id"], answer.json()["task_id"]);
    assert!(of_it.iter().any(|line| line["message"] == "answered a request"), "{of_it:#?}");
}

#[test]
fn traces_go_from_the_request_to_the_sandbox_by_otlp() {
    let collector = Collector::start();
    let running = server_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hunter2"),
    ]);
    let client = &running.client;
    deploy(client, &echo());
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("content-type", "application/json"), ("traceparent", caller)];
    let path = "/functions/echo/execute?wait=60";
    let body = br#"{"inputs": {"word": "payload"}}"#.to_vec();
    assert_eq!(client.send("POST".parse().unwrap(), path, &headers, body).status, 200);
    let mut spans: Vec<Value> = Vec::new();
    while spans.len() < 6 {
        let (path, head, body) = collector.next();
        assert_eq!(path, "/v1/traces");
        assert!(head.contains("content-type: application/json") && head.contains("x-key: hunter2"));
        let text = String::from_utf8(body).unwrap();
        assert!(!text.contains("payload"), "{text}");
        let document: Value = serde_json::from_str(&text).unwrap();
        let resource = &document["resourceSpans"][0];
        let service = json!({ "key": "service.name", "value": { "stringValue": "mecapy" } });
        assert_eq!(resource["resource"]["attributes"][0], service);
        let all = resource["scopeSpans"][0]["spans"].as_array().unwrap();
        let of_it = |span: &&Value| span["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736";
        spans.extend(all.iter().filter(of_it).cloned());
    }
    let named = |name: &str| {
        let found = spans.iter().find(|span| span["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
    };
    let request = named("POST /functions/{id}/execute");
    assert_eq!(request["parentSpanId"], "00f067aa0ba902b7");
    let nanos = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    for name in ["accept", "queue", "startup", "run", "store"] {
        let span = named(name);
        assert_eq!(span["parentSpanId"], request["spanId"], "{name}");
        assert!(nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano"), "{span:#}");
    }
    let warm = |attribute: &&Value| attribute["key"] == "peak_memory_bytes";
    assert!(named("run")["attributes"].as_array().unwrap().iter().any(|a| warm(&a)));
}

#[test]
fn errors_go_to_sentry_without_what_they_are_about() {
    let collector = Collector::start();
    let dsn = collector.url.replace("http://", "http://publickey@") + "/42";
    let running = server_with(&[("SENTRY_DSN", &dsn), ("LOG_LEVEL", "error")]);
    let client = &running.client;
    deploy(client, &echo());
    run(client, "echo", &json!({}));
    // The database's own tables go: whatever asks next breaks.
    let database = running.data().join("mecapy.db");
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.execute_batch("ALTER TABLE tasks RENAME TO gone").unwrap();
    let body = json!({ "inputs": { "word": "payload" } });
    assert_eq!(client.post("/functions/echo/execute", &body).status, 503);
    let (path, head, body) = collector.next();
    assert_eq!(path, "/api/42/envelope/");
    assert!(head.contains("sentry_key=publickey"), "{head}");
    let text = String::from_utf8(body).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [envelope, item, event] = &lines[..] else { panic!("{text}") };
    assert_eq!(envelope["event_id"], event["event_id"]);
    assert_eq!((&item["type"], &event["level"]), (&json!("event"), &json!("error")));
    assert!(!event["message"]["formatted"].as_str().unwrap().is_empty());
    let token = std::fs::read_to_string(running.data().join("admin.token")).unwrap();
    for secret in ["payload", token.trim(), "tasks", "SQL"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    connection.execute_batch("ALTER TABLE gone RENAME TO tasks").unwrap();
}

#[test]
fn addresses_that_cant_be_used_are_refused_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("SENTRY_DSN", "https://sentry.example.com/hunter2"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ] {
        let called = crate::program::mecapy(home.path(), &["up"], &[(name, value)]);
        assert_eq!(called.code, 2, "{}", called.err);
        assert!(called.err.contains(name) && !called.err.contains("hunter2"), "{}", called.err);
    }
}
