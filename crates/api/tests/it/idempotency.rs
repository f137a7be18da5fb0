//! The same request sent twice is done once.

use axum::body::Body;
use axum::http::{Method, header};

use crate::app::{App, FREE, form, request, result};

#[tokio::test]
async fn a_task_sent_twice_is_one_task() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = "/functions/bolt/execute";
    let body = r#"{"inputs": {"a": 1}}"#;
    let first = app.post_once(&app.admin, "key", path, body).await.expect(202);
    let again = app.post_once(&app.admin, "key", &format!("/api{path}"), body).await.expect(202);
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(again.header("idempotent-replayed"), "true");
    app.work(|_| result("{}")).await;
    let waited = app.post_once(&app.admin, "key", &format!("{path}?wait=5"), body).await;
    assert_eq!(waited.expect(200).json()["task_id"], first.json()["task_id"]);
    let tasks = app.get(&app.admin, "/tasks").await.expect(200).json();
    assert_eq!(tasks["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_sent_with_another_request_is_refused() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = "/functions/bolt/execute";
    app.post_once(&app.admin, "key", path, "{}").await.expect(202);
    let other = app.post_once(&app.admin, "key", path, r#"{"priority": 1}"#).await;
    other.problem(422, "idempotency_key_reused");
    let other = app.post_once(&app.admin, "key", "/tokens", r#"{"name": "x"}"#).await;
    other.problem(422, "idempotency_key_reused");
    let long = "k".repeat(256);
    app.post_once(&app.admin, &long, path, "{}").await.problem(400, "invalid_header");
}

#[tokio::test]
async fn a_request_that_was_refused_leaves_its_key_free() {
    let app = App::new().await;
    let path = "/functions/bolt/execute";
    app.post_once(&app.admin, "key", path, "{}").await.problem(404, "not_found");
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    app.post_once(&app.admin, "key", path, "{}").await.expect(202);
}

#[tokio::test]
async fn a_secret_is_not_shown_again() {
    let app = App::new().await;
    let body = r#"{"name": "ci"}"#;
    let first = app.post_once(&app.admin, "key", "/tokens", body).await.expect(201).json();
    let again = app.post_once(&app.admin, "key", "/tokens", body).await.expect(201).json();
    assert!(first["secret"].is_string());
    assert!(again["secret"].is_null());
    assert_eq!(first["token"], again["token"]);
}

#[tokio::test]
async fn an_upload_sent_twice_is_one_file() {
    let app = App::new().await;
    let upload = async |content: &[u8]| {
        let (media, body) = form("file", "a.csv", content);
        let sent = request(Method::POST, &app.admin, "/files")
            .header(header::CONTENT_TYPE, media)
            .header("idempotency-key", "key")
            .body(Body::from(body));
        app.send(sent.unwrap()).await
    };
    let first = upload(b"1;2").await.expect(201).json();
    let again = upload(b"1;2").await.expect(201).json();
    assert_eq!(first["ref"], again["ref"]);
    upload(b"1;3").await.problem(422, "idempotency_key_reused");
}
