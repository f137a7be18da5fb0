//! Functions and their deployments.

use axum::body::Body;
use axum::http::{Method, header};

use crate::app::{App, FREE, archive, form, request};

#[tokio::test]
async fn an_archive_becomes_a_function_that_describes_itself() {
    let app = App::new().await;
    let deployed = app.deploy(&app.admin, "bolt-stress", FREE).await.expect(201);
    let body = deployed.json();
    assert_eq!(body["status"], "deployed");
    assert_eq!(body["name"], "bolt-stress");
    assert_eq!(body["version"], "0.1.0");
    assert!(body["docker_image"].is_null());
    let stages = app.get(&app.admin, deployed.header("location")).await.expect(200).json();
    assert!(stages["stages"].as_array().unwrap().len() > 2, "{stages:#}");
    assert!(stages["stages"][0]["duration"].is_number());
    let id = body["function_id"].as_str().unwrap();
    for name in [id, "bolt-stress", "bolt-stress@0.1.0", "main:bolt-stress@0.1.0"] {
        let shown = app.get(&app.admin, &format!("/functions/{name}")).await.expect(200).json();
        assert_eq!(shown["function_id"], id);
        assert_eq!(shown["inputs_schema"]["type"], "object");
        assert_eq!(shown["runtime"]["timeout"], 300);
    }
    let versions = app.get(&app.admin, "/functions/bolt-stress/versions").await.expect(200).json();
    assert_eq!(versions["items"][0]["version"], "0.1.0");
    let zip = app.get(&app.admin, "/functions/bolt-stress/archive").await.expect(200);
    assert_eq!(zip.body, archive("bolt-stress", FREE));
    assert_eq!(zip.header("content-type"), "application/zip");
    app.get(&app.admin, "/functions/bolt-stress@9.9.9").await.problem(404, "not_found");
    app.get(&app.admin, "/functions/Bolt").await.problem(422, "invalid_parameter");
}

#[tokio::test]
async fn an_archive_comes_as_a_form_or_as_the_body() {
    let app = App::new().await;
    let (media, body) = form("archive", "f.zip", &archive("bolt", FREE));
    let sent = request(Method::POST, &app.admin, "/api/functions?wait=60")
        .header(header::CONTENT_TYPE, &media)
        .body(Body::from(body));
    let first = app.send(sent.unwrap()).await.expect(201).json();
    let again = app.deploy(&app.admin, "bolt", FREE).await.expect(201).json();
    assert_eq!(first["version_id"], again["version_id"]);
    let (media, body) = form("file", "f.zip", &archive("bolt", FREE));
    let sent = request(Method::POST, &app.admin, "/functions")
        .header(header::CONTENT_TYPE, &media)
        .body(Body::from(body));
    app.send(sent.unwrap()).await.problem(422, "invalid_body");
    let accepted = app.upload(&app.admin, "/functions", archive("bolt", FREE)).await.expect(202);
    assert!(accepted.header("location").starts_with("/deployments/"));
    assert_eq!(accepted.json()["status"], "running");
}

#[tokio::test]
async fn a_refused_archive_names_every_fault_in_the_callers_language() {
    let app = App::new().await;
    let broken = package::zip(&[
        ("mecapy.yaml", "version: \"1.0\"\nmetadata:\n  name: Bad_Name\n  colour: red\n"),
        ("handler.py", "import socket\n"),
    ]);
    let sent = request(Method::POST, &app.admin, "/functions?wait=60")
        .header(header::CONTENT_TYPE, "application/zip")
        .header("accept-language", "fr")
        .body(Body::from(broken.unwrap()));
    let problem = app.send(sent.unwrap()).await.problem(422, "deployment_failed");
    let faults = problem["faults"].as_array().unwrap();
    assert!(faults.len() >= 4, "{problem:#}");
    let place = faults.iter().find(|fault| fault["key"] == "metadata.colour").unwrap();
    assert_eq!((&place["file"], &place["line"]), (&"mecapy.yaml".into(), &4.into()), "{place}");
    let id = problem["deployment_id"].as_str().unwrap();
    let deployment = app.get(&app.admin, &format!("/deployments/{id}")).await.expect(200).json();
    assert_eq!(deployment["status"], "failed");
    let events = app.get(&app.admin, &format!("/deployments/{id}/events")).await.expect(200);
    assert!(events.text().contains("event: deployment.failed"), "{}", events.text());
}

#[tokio::test]
async fn what_comes_later_is_refused_by_name() {
    let app = App::new().await;
    let mistyped = app.post(&app.admin, "/functions", r#"{"giturl": "x"}"#).await;
    let problem = mistyped.problem(422, "invalid_body");
    assert!(problem["faults"][0]["message"].as_str().unwrap().contains("git_url"));
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let body = r#"{"inputs": {}, "webhook": "https://example.com/hook"}"#;
    let problem = app.post(&app.admin, "/functions/bolt/execute", body).await;
    assert_eq!(problem.problem(422, "not_offered")["faults"][0]["key"], "/webhook");
    let body = r#"{"inputs": {}, "color": "red"}"#;
    let problem = app.post(&app.admin, "/functions/bolt/execute", body).await;
    assert_eq!(
        problem.problem(422, "invalid_body")["faults"][0]["message"],
        "unknown field `color`; expected `inputs`, `priority`, `timeout`",
        "nothing is named that would be refused"
    );
    let tasks = app.get(&app.admin, "/tasks").await.expect(200).json();
    assert_eq!(tasks["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn functions_are_found_by_text_tag_and_category() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt-stress", FREE).await.expect(201);
    app.deploy(&app.admin, "beam", FREE).await.expect(201);
    for (query, found) in
        [("", 2), ("?text=BOLT", 1), ("?tag=demo", 2), ("?tag=dem", 0), ("?category=steel", 0)]
    {
        let page = app.get(&app.admin, &format!("/functions{query}")).await.expect(200).json();
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{query}");
    }
    app.delete(&app.admin, "/functions/beam@0.1.0").await.problem(422, "invalid_parameter");
    app.delete(&app.admin, "/functions/beam").await.expect(204);
    app.get(&app.admin, "/functions/beam").await.problem(404, "not_found");
    app.deploy(&app.admin, "beam", FREE).await.expect(201);
}
