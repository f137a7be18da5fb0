//! Over a socket: health, time-outs, the stop.

use std::time::Duration;

use api::{Api, Settings};
use axum::http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::{App, FREE};

struct Served {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn serve(api: Api) -> Served {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio_util::task::TaskTracker::new().spawn(async move {
        api.serve(listener, async { stopped.await.unwrap() }).await;
    });
    Served { address, stop, server }
}

async fn read_all(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the answer is as good as its end.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

fn ask(method: &Method, token: &str, path: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn health_tells_its_parts() {
    let app = App::new().await;
    let health = app.get("", "/health").await.expect(200).json();
    assert_eq!(health["status"], "ok", "{health}");
    for (part, state) in [
        ("api", "ok"),
        ("database", "ok"),
        ("redis", "unused"),
        ("storage", "ok"),
        ("keycloak", "unused"),
        ("workers", "unused"),
    ] {
        assert_eq!(health["checks"][part], state, "{part}");
    }
    assert!(health["timestamp"].is_string() && health["version"].is_string());
    app.get("", "/health/live").await.expect(200);
    app.get("", "/health/ready").await.expect(200);
    app.engine.close().await;
    let health = app.get("", "/health").await.expect(503).json();
    assert_eq!(health["status"], "degraded");
    app.get("", "/health/ready").await.expect(503);
    app.get("", "/health/live").await.expect(200);
    let refused = app.get(&app.admin, "/tasks").await;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a_stop_answers_those_who_wait_and_ends_streams() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let run = app.post(&app.admin, "/functions/bolt/execute", "{}").await.expect(202).json();
    let task = run["task_id"].as_str().unwrap();
    let served = serve(app.api.clone()).await;
    let mut answers = Vec::new();
    for (method, path) in [
        (Method::POST, "/functions/bolt/execute?wait=60".to_owned()),
        (Method::GET, format!("/tasks/{task}/events")),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(ask(&method, &app.admin, &path).as_bytes()).await.unwrap();
        // Both are known to be under way: one by its first event, the other
        // by its task.
        if method == Method::GET {
            let mut told = Vec::new();
            while !String::from_utf8_lossy(&told).contains("event: task.queued") {
                assert!(stream.read_buf(&mut told).await.unwrap() > 0, "the stream ended");
            }
        }
        answers.push(tokio_util::task::TaskTracker::new().spawn(read_all(stream)));
    }
    while app.get(&app.admin, "/tasks").await.json()["items"].as_array().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    served.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), served.server).await.unwrap().unwrap();
    let waited = answers.remove(0).await.unwrap();
    assert!(waited.starts_with("HTTP/1.1 202"), "{waited}");
    answers.remove(0).await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let settings = Settings { head_timeout: Duration::from_millis(200), ..Settings::default() };
    let app = App::with(settings).await;
    let served = serve(app.api.clone()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.unwrap();
    let cut = tokio::time::timeout(Duration::from_secs(10), read_all(stream)).await;
    assert!(!cut.unwrap().contains("200 OK"));
    drop(served.stop);
    served.server.abort();
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_and_cut_off() {
    let settings = Settings { body_pause: Duration::from_millis(200), ..Settings::default() };
    let app = App::with(settings).await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let served = serve(app.api.clone()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "POST /functions/bolt/execute HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        app.admin
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), read_all(stream)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("too_slow"), "{answer}");
    served.server.abort();
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing_and_the_server_well() {
    let app = App::new().await;
    let served = serve(app.api.clone()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "POST /functions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/zip\r\nContent-Length: 100000\r\n\r\nPK",
        app.admin
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(ask(&Method::GET, &app.admin, "/functions").as_bytes()).await.unwrap();
    let answer = read_all(stream).await;
    assert!(answer.contains("{\"items\":[],\"next_cursor\":null}"), "{answer}");
    served.server.abort();
}

/// The problem in an answer's text.
fn problem(answer: &str, status: &str) -> serde_json::Value {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/problem+json\r\n"), "{head}");
    assert!(head.contains("x-content-type-options: nosniff\r\n"), "{head}");
    let length = format!("content-length: {}\r\n", body.len());
    assert!(head.contains(&length), "{head}");
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn connections_beyond_the_bound_are_told_so_until_one_ends() {
    let app = App::with(Settings { connections: 2, ..Settings::default() }).await;
    let served = serve(app.api.clone()).await;
    let live = ask(&Method::GET, "", "/health/live");
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let kept = live.replace("Connection: close\r\n", "");
        stream.write_all(kept.as_bytes()).await.unwrap();
        let mut told = Vec::new();
        while !String::from_utf8_lossy(&told).contains("\r\n\r\n") {
            assert!(stream.read_buf(&mut told).await.unwrap() > 0, "the stream ended");
        }
        held.push(stream);
    }
    // More than are told why at once, and each of those that are gets all of it.
    for _ in 0..100 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(live.as_bytes()).await.unwrap();
        let answer = read_all(stream).await;
        let refused = problem(&answer, "503 Service Unavailable");
        assert_eq!(refused["code"], "unavailable");
        let detail = "The server has as many connections open as it takes. Try again in a moment.";
        assert_eq!(refused["detail"], detail);
        assert!(answer.contains("\r\nretry-after: 2\r\n"), "{answer}");
    }
    drop(held);
    loop {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(live.as_bytes()).await.unwrap();
        let answer = read_all(stream).await;
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        problem(&answer, "503 Service Unavailable");
    }
    served.server.abort();
}

#[tokio::test]
async fn what_is_no_request_is_told_what_one_is() {
    let app = App::new().await;
    let served = serve(app.api.clone()).await;
    let many = "X-A: b\r\n".repeat(101);
    for (sent, status, code) in [
        ("nonsense\r\n\r\n".to_owned(), "400 Bad Request", "malformed_request"),
        (
            format!("GET / HTTP/1.1\r\n{many}\r\n"),
            "431 Request Header Fields Too Large",
            "headers_too_large",
        ),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let told = problem(&read_all(stream).await, status);
        assert_eq!(told["code"], code, "{told}");
        assert_eq!(told["instance"], "");
    }
    // On a connection that has served a good request, too.
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let kept = ask(&Method::GET, "", "/health/live").replace("Connection: close\r\n", "");
    stream.write_all(kept.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    while !String::from_utf8_lossy(&told).ends_with('}') {
        assert!(stream.read_buf(&mut told).await.unwrap() > 0, "the stream ended");
    }
    stream.write_all(b"\0 garbage\r\n\r\n").await.unwrap();
    let told = problem(&read_all(stream).await, "400 Bad Request");
    assert_eq!(told["code"], "malformed_request");
    let long = format!("/tasks?text={}", "a".repeat(64_000));
    let refused = app.get(&app.admin, &long).await.problem(414, "uri_too_long");
    let detail = "A path with its query may have 64000 bytes. Ask for less at once.";
    assert_eq!(refused["detail"], detail);
    served.server.abort();
}
