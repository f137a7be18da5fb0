//! Bounds: what is too large, too deep or too much.

use axum::body::Body;
use axum::http::{Method, header};
use domain::limits::Limits;

use crate::app::{App, FREE, form, request};

#[tokio::test]
async fn bodies_beyond_their_limit_are_refused_with_the_limit() {
    let limits =
        Limits { archive_bytes: 2000, inputs_bytes: 1000, file_bytes: 500, ..Limits::default() };
    let app = App::with_limits(limits).await;
    let large = app.upload(&app.admin, "/functions", vec![0; 2001]).await;
    let problem = large.problem(413, "payload_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("2000"), "{problem}");
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = "/functions/bolt/execute";
    let inputs = format!(r#"{{"inputs": {{"a": "{}"}}}}"#, "x".repeat(1000));
    app.post(&app.admin, path, inputs).await.problem(413, "payload_too_large");
    let huge = format!(r#"{{"inputs": {{"a": "{}"}}}}"#, "x".repeat(100_000));
    app.post(&app.admin, path, huge).await.problem(413, "payload_too_large");
    let (media, body) = form("file", "a.csv", &[b'x'; 501]);
    let sent = request(Method::POST, &app.admin, "/files").header(header::CONTENT_TYPE, &media);
    app.send(sent.body(Body::from(body)).unwrap()).await.problem(413, "payload_too_large");
    let (media, body) = form("file", "a.csv", &vec![b'x'; 1 << 20]);
    let sent = request(Method::POST, &app.admin, "/files").header(header::CONTENT_TYPE, &media);
    app.send(sent.body(Body::from(body)).unwrap()).await.problem(413, "payload_too_large");
    let (media, body) = form("archive", "f.zip", &vec![b'x'; 1 << 20]);
    let sent = request(Method::POST, &app.admin, "/functions").header(header::CONTENT_TYPE, &media);
    app.send(sent.body(Body::from(body)).unwrap()).await.problem(413, "payload_too_large");
}

#[tokio::test]
async fn inputs_nested_a_million_deep_are_refused_without_harm() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    for open in ["[", "{\"a\":"] {
        let close = if open == "[" { "]" } else { "}" };
        let deep = format!(
            r#"{{"inputs": {{"a": {}1{}}}}}"#,
            open.repeat(1_000_000),
            close.repeat(1_000_000)
        );
        let answer = app.post(&app.admin, "/functions/bolt/execute", deep).await;
        let problem = answer.problem(422, "invalid_inputs");
        assert_eq!(problem["faults"][0]["code"], "input_too_deep", "{problem}");
    }
    let unclosed = format!(r#"{{"inputs": {}"#, "[".repeat(1_000_000));
    app.post(&app.admin, "/functions/bolt/execute", unclosed).await.problem(400, "malformed_json");
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    let app = App::with_limits(Limits { queued_tasks: 1, ..Limits::default() }).await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let path = "/functions/bolt/execute";
    app.post(&app.admin, path, "{}").await.expect(202);
    let full = app.post(&app.admin, path, "{}").await;
    full.problem(503, "unavailable");
    assert!(full.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a_company_beyond_its_quota_says_when_to_come_back() {
    let app = App::new().await;
    let (company, token) = app.company("acme").await;
    let quotas = request(Method::PUT, &app.admin, &format!("/companies/{company}/quotas"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"max_queued": 1}"#));
    assert_eq!(app.send(quotas.unwrap()).await.expect(200).json()["max_queued"], 1);
    app.deploy(&token, "bolt", FREE).await.expect(201);
    let path = "/functions/bolt/execute";
    app.post(&token, path, "{}").await.expect(202);
    let full = app.post(&token, path, "{}").await;
    full.problem(429, "queue_full");
    assert!(full.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_and_never_as_a_page() {
    let app = App::new().await;
    let content = b"<script>alert(1)</script>\0\xff";
    let (_, body) = form("file", "a.csv", content);
    let body = String::from_utf8_lossy(&body).replace("a.csv", "x%22\u{202e}; b=.html");
    let body = [
        body.split("\r\n\r\n").next().unwrap().replace("text/csv", "text/html").as_bytes(),
        b"\r\n\r\n",
        content,
        b"\r\n------mecapy-test--\r\n",
    ]
    .concat();
    let sent = request(Method::POST, &app.admin, "/files")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=----mecapy-test");
    let kept = app.send(sent.body(Body::from(body)).unwrap()).await.expect(201);
    assert_eq!(kept.json()["size"], content.len());
    let file = app.get(&app.admin, kept.header("location")).await.expect(200);
    assert_eq!(file.body, &content[..]);
    assert_eq!(file.header("content-type"), "application/octet-stream");
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    assert!(file.header("content-disposition").starts_with("attachment; filename=\""));
    let sent = request(Method::GET, &app.admin, kept.header("location"))
        .header(header::IF_NONE_MATCH, file.header("etag"))
        .body(Body::empty());
    assert_eq!(app.send(sent.unwrap()).await.expect(304).body, "");
}

#[tokio::test]
async fn a_quota_that_is_used_up_says_which_how_much_and_until_when() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    app.deploy(&admin, "bolt", FREE).await.expect(201);
    let set = async |quotas: &str| {
        let sent = request(Method::PUT, &app.admin, &format!("/companies/{company}/quotas"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(quotas.to_owned()));
        app.send(sent.unwrap()).await
    };
    let quotas =
        r#"{"max_tasks_per_day": 1, "max_storage_bytes": 3, "max_cpu_seconds_per_day": 60}"#;
    let kept = set(quotas).await.expect(200).json();
    assert_eq!(kept["max_tasks_per_day"], 1);
    assert_eq!(kept["max_cpu_seconds_per_day"], 60.0);
    let path = "/functions/bolt/execute";
    app.post(&admin, path, "{}").await.expect(202);
    let refused = app.post(&admin, path, "{}").await;
    let problem = refused.problem(429, "quota_reached");
    let quota = &problem["quota"];
    assert_eq!((&quota["name"], &quota["limit"]), (&"tasks_per_day".into(), &1.0.into()));
    assert!(quota["resets_at"].as_str().unwrap().ends_with("T00:00:00.000000Z"), "{quota}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("Your company has used 1 of its 1 tasks of today."), "{detail}");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=86_400).contains(&seconds), "{seconds}");
    let (media, body) = form("file", "a.csv", b"1;2;3");
    let sent = request(Method::POST, &admin, "/files").header(header::CONTENT_TYPE, &media);
    let refused = app.send(sent.body(Body::from(body)).unwrap()).await;
    let problem = refused.problem(413, "storage_full");
    assert_eq!((&problem["quota"]["limit"], &problem["quota"]["used"]), (&3.0.into(), &0.0.into()));
    let problem = set(r#"{"max_cpu_seconds_per_day": -1}"#).await.problem(422, "invalid_body");
    assert_eq!(problem["faults"][0]["key"], "/max_cpu_seconds_per_day");
    set("{}").await.expect(200);
    app.post(&admin, path, "{}").await.expect(202);
}

#[tokio::test]
async fn requests_beyond_the_rate_of_a_user_or_token_wait_and_are_told_what_is_left() {
    let rates = api::Rates { user: Some(5), token: Some(3), address: None };
    let app = App::with(api::Settings { rates, ..api::Settings::default() }).await;
    let first = app.get(&app.admin, "/tasks").await.expect(200);
    assert_eq!(first.header("ratelimit-policy"), "\"token\";q=3;w=60");
    assert_eq!(first.header("ratelimit"), "\"token\";r=2;t=20");
    let made = app.post(&app.admin, "/tokens", r#"{"name": "ci"}"#).await.expect(201).json();
    let other = made["secret"].as_str().unwrap();
    app.get(&app.admin, "/tasks").await.expect(200);
    let refused = app.get(&app.admin, "/tasks").await;
    let problem = refused.problem(429, "too_many_requests");
    let detail = "More than 3 requests of one token in a minute. Wait as long as Retry-After says.";
    assert_eq!(problem["detail"], detail);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&seconds), "{seconds}");
    // The refused one counts for the user, whose other token has one left.
    app.get(other, "/tasks").await.expect(200);
    let problem = app.get(other, "/tasks").await.problem(429, "too_many_requests");
    assert!(problem["detail"].as_str().unwrap().contains("of one user"), "{problem}");
    // Who is not known counts for nobody, and the health of the server is always told.
    app.get("", "/tasks").await.problem(401, "unauthenticated");
    assert_eq!(app.get("", "/health").await.expect(200).header("ratelimit"), "");
}
