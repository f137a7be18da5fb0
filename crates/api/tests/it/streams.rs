//! Streams of events over a socket: heartbeats, bounds, many at once, and
//! what happens to them when something ends.

use std::collections::VecDeque;
use std::time::Duration;

use api::{Settings, Streams};
use axum::body::{Body, BodyDataStream};
use axum::http::{Method, StatusCode};
use futures_util::StreamExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::app::{App, FREE, request, result};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One event as it stands in a stream.
#[derive(Debug, Default, PartialEq)]
struct Told {
    name: String,
    id: String,
    data: String,
    comment: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }
}

/// An open stream.
struct Watch {
    status: StatusCode,
    body: BodyDataStream,
    text: String,
    told: VecDeque<Told>,
}

impl Watch {
    /// `seen` is the last event's id, empty when none was seen.
    async fn open(app: &App, token: &str, path: &str, seen: &str) -> Self {
        let mut request = request(Method::GET, token, path);
        if !seen.is_empty() {
            request = request.header("last-event-id", seen);
        }
        let response =
            app.api.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, body) = (response.status(), response.into_body().into_data_stream());
        Self { status, body, text: String::new(), told: VecDeque::new() }
    }

    /// The next event; `None` once the stream has ended.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Some(told);
            }
            let more = tokio::time::timeout(PATIENCE, self.body.next()).await.unwrap()?;
            self.text += std::str::from_utf8(&more.unwrap()).unwrap();
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let mut told = Told::default();
                for line in event.lines() {
                    let (field, value) = line.split_once(':').unwrap();
                    let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
                    match field {
                        "event" => told.name = value,
                        "id" => told.id = value,
                        "data" => told.data = value,
                        _ => told.comment = value,
                    }
                }
                self.told.push_back(told);
                self.text = rest.to_owned();
            }
        }
    }

    async fn until(&mut self, name: &str) -> Told {
        loop {
            let told = self.next().await.unwrap_or_else(|| panic!("ended before {name}"));
            if told.name == name {
                return told;
            }
        }
    }

    async fn rest(mut self) -> Vec<Told> {
        let mut all = Vec::new();
        while let Some(told) = self.next().await {
            all.push(told);
        }
        all
    }
}

fn names(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.name.as_str()).filter(|name| *name != "queue").collect()
}

async fn with(streams: Streams) -> App {
    let app = App::with(Settings { streams, ..Settings::default() }).await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    app
}

async fn queue(app: &App, token: &str) -> String {
    let run = app.post(token, "/functions/bolt/execute", "{}").await.expect(202).json();
    run["task_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives() {
    let app = with(Streams { heartbeat: Duration::from_millis(5), ..Streams::default() }).await;
    let task = queue(&app, &app.admin).await;
    for path in [format!("/tasks/{task}/events"), "/queue/events".to_owned()] {
        let mut watch = Watch::open(&app, &app.admin, &path, "").await;
        for _ in 0..3 {
            while watch.next().await.unwrap().comment != "alive" {}
        }
    }
}

#[tokio::test]
async fn a_thousand_watchers_see_every_event_in_order() {
    let app = with(Streams { of_user: 1000, ..Streams::default() }).await;
    let task = queue(&app, &app.admin).await;
    let path = format!("/tasks/{task}/events");
    let mut watches = Vec::new();
    for _ in 0..1000 {
        let mut watch = Watch::open(&app, &app.admin, &path, "").await;
        watch.until("task.queued").await;
        watches.push(watch);
    }
    let refused = app.get(&app.admin, &path).await;
    let problem = refused.problem(429, "too_many_streams");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("1000 streams of events of yours are open"), "{detail}");
    assert!(detail.contains("MECAPY_STREAMS_PER_USER"), "{detail}");
    assert_eq!(refused.header("retry-after"), "5");
    let before = app.engine.event_reads();
    app.work(|_| result("{}")).await;
    for watch in watches {
        let told = watch.rest().await;
        assert_eq!(names(&told), ["task.running", "task.completed"]);
        let seqs: Vec<i64> = told.iter().filter_map(|told| told.id.parse().ok()).collect();
        assert!(seqs.is_sorted(), "{told:?}");
    }
    let reads = app.engine.event_reads() - before;
    assert!(reads <= 4, "{reads} reads for two events");
    // Those that ended have made room.
    app.get(&app.admin, &path).await.expect(200);
}

#[tokio::test]
async fn a_company_has_its_own_bound_on_streams() {
    let app = with(Streams { of_company: 2, ..Streams::default() }).await;
    let (_, other) = app.company("other").await;
    let first = Watch::open(&app, &app.admin, "/queue/events", "").await;
    let _second = Watch::open(&app, &app.admin, "/queue/events", "").await;
    let refused = app.get(&app.admin, "/queue/events").await.problem(429, "too_many_streams");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("of your company"), "{detail}");
    assert_eq!(Watch::open(&app, &other, "/queue/events", "").await.status, 200);
    drop(first);
    assert_eq!(Watch::open(&app, &app.admin, "/queue/events", "").await.status, 200);
}

#[tokio::test]
async fn the_queue_is_watched_by_its_company_alone_and_taken_up_where_it_was_left() {
    let app = with(Streams::default()).await;
    let (_, other) = app.company("other").await;
    let mut watch = Watch::open(&app, &app.admin, "/queue/events", "").await;
    let mut theirs = Watch::open(&app, &other, "/queue/events", "").await;
    let first = watch.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.json()["waiting"].as_u64()), ("queue", Some(0)));
    let task = queue(&app, &app.admin).await;
    let queued = watch.until("task.queued").await;
    assert_eq!(queued.json()["resource"], task.as_str());
    let line = watch.until("queue").await.json();
    assert_eq!((&line["waiting"], &line["next"][0]["task_id"]), (&1.into(), &task.as_str().into()));
    drop(watch);
    app.work(|_| result("{}")).await;
    let mut again = Watch::open(&app, &app.admin, "/queue/events", &queued.id).await;
    let mut told = Vec::new();
    while told.last().is_none_or(|told: &Told| told.name != "task.completed") {
        told.push(again.next().await.unwrap());
    }
    assert_eq!(names(&told), ["task.running", "task.completed"]);
    for seen in ["999999999", "9223372036854775807"] {
        let mut beyond = Watch::open(&app, &app.admin, "/queue/events", seen).await;
        let reset = beyond.next().await.unwrap();
        assert_eq!((reset.name.as_str(), reset.data.as_str()), ("reset", "{}"));
        assert!(reset.id.parse::<i64>().unwrap() >= queued.id.parse().unwrap());
    }
    let only = theirs.next().await.unwrap();
    assert_eq!(only.json(), serde_json::json!({ "waiting": 0, "running": 0, "next": [] }));
    let task = theirs.body.next();
    assert!(tokio::select! { biased; _ = task => false, () = async {} => true }, "not theirs");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_does() {
    let app = with(Streams { heartbeat: Duration::from_millis(5), ..Streams::default() }).await;
    let token =
        app.post(&app.admin, "/tokens", r#"{"name": "dashboard"}"#).await.expect(201).json();
    let secret = token["secret"].as_str().unwrap();
    let mut watch = Watch::open(&app, secret, "/queue/events", "").await;
    watch.until("queue").await;
    let mut kept = Watch::open(&app, &app.admin, "/queue/events", "").await;
    let id = token["token"]["token_id"].as_str().unwrap();
    app.delete(&app.admin, &format!("/tokens/{id}")).await.expect(204);
    let rest = watch.rest().await;
    assert!(rest.iter().all(|told| told.comment == "alive"), "{rest:?}");
    kept.until("queue").await;
    while kept.next().await.unwrap().comment != "alive" {}
}

#[tokio::test]
async fn an_ended_task_that_was_seen_whole_is_not_watched_again() {
    let app = with(Streams::default()).await;
    let task = queue(&app, &app.admin).await;
    app.work(|_| result("{}")).await;
    let path = format!("/tasks/{task}/events");
    let told = Watch::open(&app, &app.admin, &path, "").await.rest().await;
    assert_eq!(names(&told), ["task.queued", "task.running", "task.completed"]);
    let last = &told.last().unwrap().id;
    assert_eq!(Watch::open(&app, &app.admin, &path, last).await.status, StatusCode::NO_CONTENT);
    let told = Watch::open(&app, &app.admin, &path, "999999").await.rest().await;
    assert_eq!(names(&told), ["reset", "task.queued", "task.running", "task.completed"]);
    for wrong in ["yesterday", "", "-1", "1.0"] {
        let refused = request(Method::GET, &app.admin, &path).header("last-event-id", wrong);
        let refused = app.send(refused.body(Body::empty()).unwrap()).await;
        refused.problem(400, "invalid_header");
    }
}
