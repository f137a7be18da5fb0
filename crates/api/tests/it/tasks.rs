//! Tasks: their bodies, pages, events, ends.

use domain::Text;
use domain::task::{ErrorKind, TaskError};
use engine::End;
use serde_json::Value;

use crate::app::{App, FREE, result};

async fn submit(app: &App, body: &str) -> String {
    let path = "/functions/bolt/execute";
    let run = app.post(&app.admin, path, body.to_owned()).await.expect(202);
    let path = run.header("location").to_owned();
    assert_eq!(path, format!("/tasks/{}", run.json()["task_id"].as_str().unwrap()));
    path
}

#[tokio::test]
async fn a_task_tells_everything_that_is_promised() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = submit(&app, r#"{"inputs": {}, "priority": 9}"#).await;
    let queued = app.get(&app.admin, &path).await.expect(200).json();
    assert_eq!(queued["status"], "queued");
    assert_eq!(queued["queue_position"], 0);
    assert_eq!(queued["priority"], 9);
    app.work(|_| result(r#"{"stress": 100}"#)).await;
    let task = app.get(&app.admin, &path).await.expect(200).json();
    for key in [
        "task_id",
        "name",
        "user_id",
        "function",
        "version",
        "status",
        "priority",
        "queue_class",
        "queue_position",
        "progress",
        "result",
        "result_url",
        "non_finite",
        "error",
        "warnings",
        "attempt",
        "created_at",
        "started_at",
        "completed_at",
        "queue_time",
        "startup_time",
        "execution_time",
        "cpu_time",
        "peak_memory",
        "warm",
        "worker",
    ] {
        assert!(task.get(key).is_some(), "{key} is missing in {task:#}");
    }
    assert_eq!(task["status"], "completed");
    assert_eq!(task["function"], "bolt");
    assert_eq!(task["version"], "0.1.0");
    assert_eq!(task["attempt"], 1);
    assert_eq!(task["result"]["stress"], 100);
    assert!(task["queue_position"].is_null() && task["error"].is_null());
}

#[tokio::test]
async fn a_waiting_caller_gets_the_end_and_an_impatient_one_the_acceptance() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = "/functions/bolt/execute?wait=30";
    let (answer, ()) = tokio::join!(app.post(&app.admin, path, "{}"), async {
        let mut work = app.engine.work_signal();
        app.engine.wait_for_work(&mut work).await.unwrap();
        app.work(|_| result(r#"{"ok": true}"#)).await;
    });
    assert_eq!(answer.expect(200).json()["result"]["ok"], true);
    let path = "/functions/bolt/execute?wait=0.01";
    let answer = app.post(&app.admin, path, "{}").await.expect(202);
    assert_eq!(answer.json()["status"], "queued");
    assert_eq!(answer.json()["queue_position"], 0);
}

#[tokio::test]
async fn a_failed_task_is_no_problem_document_and_speaks_the_callers_language() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = submit(&app, "{}").await;
    let error = TaskError {
        traceback: Some("handler.py, line 3".to_owned()),
        exception: Some("ZeroDivisionError".to_owned()),
        ..TaskError::new(ErrorKind::UserError, Text::new("division by zero", "division par zéro"))
    };
    app.work(|_| End::Failed(error)).await;
    let task = app.get(&app.admin, &path).await.expect(200).json();
    assert_eq!(task["status"], "failed");
    assert_eq!(task["error"]["kind"], "user_error");
    assert_eq!(task["error"]["message"], "division by zero");
    let french = crate::app::request(axum::http::Method::GET, &app.admin, &path)
        .header("accept-language", "fr-FR")
        .body(axum::body::Body::empty());
    let task = app.send(french.unwrap()).await.expect(200).json();
    assert_eq!(task["error"]["message"], "division par zéro");
    let result = app.get(&app.admin, &format!("{path}/result")).await;
    result.problem(409, "wrong_state");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(submit(&app, "{}").await.replace("/tasks/", ""));
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/tasks?limit=3&status=queued&function=bolt".to_owned();
    loop {
        let page = app.get(&app.admin, &path).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|task| task["task_id"].as_str().unwrap().to_owned()));
        let Value::String(cursor) = &page["next_cursor"] else { break };
        assert_eq!(items.len(), 3);
        path = format!("/tasks?limit=3&status=queued&function=bolt&cursor={cursor}");
    }
    assert_eq!(seen, made);
    let none = app.get(&app.admin, "/tasks?function=unknown").await.expect(200).json();
    assert_eq!(none["items"].as_array().unwrap().len(), 0);
    app.get(&app.admin, "/tasks?status=done").await.problem(422, "invalid_parameter");
    app.get(&app.admin, "/tasks?cursor=1").await.problem(422, "invalid_cursor");
    app.get(&app.admin, "/tasks?limit=0").await.problem(422, "invalid_parameter");
}

#[tokio::test]
async fn a_waiting_task_is_cancelled_and_a_task_that_ended_is_deleted() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = submit(&app, "{}").await;
    app.delete(&app.admin, &path).await.problem(409, "wrong_state");
    let cancelled = app.post(&app.admin, &format!("{path}/cancel"), "").await.expect(200).json();
    assert_eq!(cancelled["status"], "cancelled");
    app.post(&app.admin, &format!("{path}/cancel"), "").await.problem(409, "wrong_state");
    app.delete(&app.admin, &path).await.expect(204);
    app.get(&app.admin, &path).await.problem(404, "not_found");
}

#[tokio::test]
async fn events_come_in_order_and_go_on_after_the_last_one_seen() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = submit(&app, "{}").await;
    app.work(|_| result("{}")).await;
    let stream = app.get(&app.admin, &format!("{path}/events")).await.expect(200);
    assert_eq!(stream.header("content-type"), "text/event-stream");
    let field = |name: &str, text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.strip_prefix(name)).map(str::to_owned).collect()
    };
    let names = field("event: ", stream.text());
    assert_eq!(names, ["task.queued", "task.running", "task.completed"], "{}", stream.text());
    let ids = field("id: ", stream.text());
    let request =
        crate::app::request(axum::http::Method::GET, &app.admin, &format!("{path}/events"))
            .header("last-event-id", &ids[0])
            .body(axum::body::Body::empty());
    let rest = app.send(request.unwrap()).await.expect(200);
    assert_eq!(field("id: ", rest.text()), ids[1..]);
    let request =
        crate::app::request(axum::http::Method::GET, &app.admin, &format!("{path}/events"))
            .header("last-event-id", "soon")
            .body(axum::body::Body::empty());
    app.send(request.unwrap()).await.problem(400, "invalid_header");
}

#[tokio::test]
async fn a_stream_taken_up_after_the_last_event_ends() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = submit(&app, "{}").await;
    app.work(|_| result("{}")).await;
    let told = app.get(&app.admin, &format!("{path}/events")).await.expect(200);
    let last =
        told.text().lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
    let request =
        crate::app::request(axum::http::Method::GET, &app.admin, &format!("{path}/events"))
            .header("last-event-id", last)
            .body(axum::body::Body::empty());
    let waited = app.send(request.unwrap());
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), waited).await;
    assert_eq!(ended.unwrap().expect(204).text(), "");
}

#[tokio::test]
async fn logs_are_plain_text() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = submit(&app, "{}").await;
    let logs = app.get(&app.admin, &format!("{path}/logs")).await.expect(200);
    assert_eq!(logs.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(logs.header("x-content-type-options"), "nosniff");
}
