//! Problems: their form, their languages, their places.

use axum::body::Body;
use axum::http::{Method, header};

use crate::app::{App, FREE, request};

#[tokio::test]
async fn a_problem_has_the_form_of_rfc_9457_in_both_languages() {
    let app = App::new().await;
    let mut bodies = Vec::new();
    for lang in ["en", "fr"] {
        let sent = request(Method::GET, &app.admin, "/api/tasks?statsu=queued&limit=999")
            .header(header::ACCEPT_LANGUAGE, lang)
            .header("x-request-id", "trace-1")
            .body(Body::empty());
        let answer = app.send(sent.unwrap()).await;
        assert_eq!(answer.header("content-language"), lang);
        assert_eq!(answer.header("x-request-id"), "trace-1");
        bodies.push(answer.problem(422, "invalid_parameter"));
    }
    insta::assert_snapshot!("parameters", serde_json::to_string_pretty(&bodies).unwrap());
}

#[tokio::test]
async fn a_body_names_every_fault_with_its_place() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let mut bodies = Vec::new();
    for (lang, body) in [
        ("en", "{\n \"inptus\": {},\n \"priority\": 12\n}"),
        ("fr", "{\n \"inputs\": {,}\n}"),
        ("fr", "[]"),
    ] {
        let sent = request(Method::POST, &app.admin, "/functions/bolt/execute")
            .header(header::ACCEPT_LANGUAGE, lang)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-request-id", "trace-1")
            .body(Body::from(body));
        bodies.push(app.send(sent.unwrap()).await.json());
    }
    insta::assert_snapshot!("bodies", serde_json::to_string_pretty(&bodies).unwrap());
}

#[tokio::test]
async fn inputs_that_violate_the_schema_point_at_the_place() {
    let app = App::new().await;
    let schema = r#"{"type": "object", "properties": {"force": {"type": "number"}}, "required": ["section"]}"#;
    app.deploy(&app.admin, "bolt", schema).await.expect(201);
    let body = r#"{"inputs": {"force": "much"}}"#;
    let answer = app.post(&app.admin, "/functions/bolt/execute", body).await;
    let problem = answer.problem(422, "invalid_inputs");
    let faults = problem["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{problem:#}");
    assert!(faults.iter().any(|fault| fault["key"] == "/force"), "{problem:#}");
}

#[tokio::test]
async fn what_is_no_utf8_or_no_json_type_is_told_apart() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = "/functions/bolt/execute";
    let broken = b"{\"inputs\": {\"a\": \"\xff\"}}".to_vec();
    app.post(&app.admin, path, broken).await.problem(400, "malformed_json");
    let lone = r#"{"inputs": {"a": "\ud800"}}"#;
    let answer = app.post(&app.admin, path, lone).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    let sent = request(Method::POST, &app.admin, path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("a=1"));
    app.send(sent.unwrap()).await.problem(415, "unsupported_media_type");
    for body in ["{\"priority\": 10}", "{\"priority\": \"5\"}", "{\"priority\": 1.5}"] {
        let problem = app.post(&app.admin, path, body).await.problem(422, "invalid_body");
        assert_eq!(problem["faults"][0]["key"], "/priority");
    }
    for timeout in ["0", "-1", "1e9"] {
        let body = format!("{{\"timeout\": {timeout}}}");
        let problem = app.post(&app.admin, path, body).await.problem(422, "invalid_inputs");
        assert_eq!(problem["faults"][0]["key"], "/timeout");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let app = App::new().await;
    app.get(&app.admin, "/fonctions").await.problem(404, "unknown_route");
    app.get(&app.admin, "/api/fonctions").await.problem(404, "unknown_route");
    app.get(&app.admin, "/tasks/not-an-id").await.problem(404, "not_found");
    let sent = request(Method::PATCH, &app.admin, "/tasks").body(Body::empty()).unwrap();
    let answer = app.send(sent).await;
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD,POST");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_an_id() {
    let app = App::new().await;
    for path in ["/", "/docs", "/openapi.json", "/health", "/tasks", "/nowhere"] {
        let answer = app.get("", path).await;
        for (name, value) in [
            ("strict-transport-security", "max-age=63072000; includeSubDomains; preload"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("x-dns-prefetch-control", "off"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(!answer.header("content-security-policy").is_empty(), "{path}");
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test]
async fn a_request_id_that_could_harm_a_log_is_replaced() {
    let app = App::new().await;
    for id in ["a b", "\"x\"", "é"] {
        let sent = request(Method::GET, "", "/health/live")
            .header("x-request-id", axum::http::HeaderValue::from_bytes(id.as_bytes()).unwrap())
            .body(Body::empty());
        assert_eq!(app.send(sent.unwrap()).await.header("x-request-id").len(), 36);
    }
}

#[tokio::test]
async fn only_named_origins_may_call_from_a_browser() {
    let settings = api::Settings {
        cors_origins: vec!["https://app.example.com".to_owned()],
        ..api::Settings::default()
    };
    let app = App::with(settings).await;
    for (origin, allowed) in
        [("https://app.example.com", true), ("https://evil.example.com", false)]
    {
        let preflight = request(Method::OPTIONS, "", "/tasks")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
            .body(Body::empty());
        let answer = app.send(preflight.unwrap()).await;
        assert_eq!(answer.header("access-control-allow-origin") == origin, allowed);
    }
    for origin in ["*", "app.example.com", "https://a.example.com/path"] {
        let settings =
            api::Settings { cors_origins: vec![origin.to_owned()], ..Default::default() };
        assert!(api::Api::new(app.engine.clone(), settings).is_err(), "{origin}");
    }
}
