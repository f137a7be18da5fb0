//! No request reads or writes another company's data.

use axum::body::Body;
use axum::http::{Method, header};

use crate::app::{App, FREE, form, request, result};

#[tokio::test]
async fn what_belongs_to_another_company_answers_as_what_does_not_exist() {
    let app = App::new().await;
    let (company, acme) = app.company("acme").await;
    let (_, rival) = app.company("rival").await;
    let deployed = app.deploy(&acme, "secret-sauce", FREE).await.expect(201).json();
    let function = deployed["function_id"].as_str().unwrap();
    let deployment = deployed["deployment_id"].as_str().unwrap();
    let run = app.post(&acme, "/functions/secret-sauce/execute", "{}").await.expect(202).json();
    let task = run["task_id"].as_str().unwrap();
    let (media, body) = form("file", "a.csv", b"1;2");
    let upload = request(Method::POST, &acme, "/files").header(header::CONTENT_TYPE, media);
    let file = app.send(upload.body(Body::from(body)).unwrap()).await.expect(201).json();
    let file = file["ref"].as_str().unwrap();
    let nobody = "0198f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506";

    for (method, path, known, unknown) in [
        ("GET", "/functions/{}", function, nobody),
        ("GET", "/functions/{}", "secret-sauce", "secret-sauze"),
        ("GET", "/functions/{}", "acme:secret-sauce", "acme:secret-sauze"),
        ("GET", "/functions/{}/versions", "acme:secret-sauce@0.1.0", "acmo:secret-sauce@0.1.0"),
        ("GET", "/functions/{}/archive", function, nobody),
        ("POST", "/functions/{}/execute", function, nobody),
        ("POST", "/functions/{}/execute", "acme:secret-sauce", "acme:secret-sauze"),
        ("DELETE", "/functions/{}", function, nobody),
        ("GET", "/deployments/{}", deployment, nobody),
        ("GET", "/deployments/{}/events", deployment, nobody),
        ("GET", "/tasks/{}", task, nobody),
        ("GET", "/tasks/{}?wait=0.01", task, nobody),
        ("GET", "/tasks/{}/result", task, nobody),
        ("GET", "/tasks/{}/logs", task, nobody),
        ("GET", "/tasks/{}/events", task, nobody),
        ("GET", "/tasks/{}/artifacts", task, nobody),
        ("POST", "/tasks/{}/cancel", task, nobody),
        ("DELETE", "/tasks/{}", task, nobody),
        ("GET", "/files/{}", file, nobody),
        ("GET", "/companies/{}", company.as_str(), nobody),
        ("GET", "/companies/{}/quotas", company.as_str(), nobody),
        ("GET", "/companies/{}/members", company.as_str(), nobody),
    ] {
        let ask = async |id: &str| {
            let sent = request(method.parse().unwrap(), &rival, &path.replace("{}", id))
                .header("x-request-id", "same")
                .body(Body::empty());
            let answer = app.send(sent.unwrap()).await;
            answer.problem(404, "not_found");
            // The path alone may differ, as the callers chose it.
            (answer.text().replace(id, "ID"), format!("{:?}", answer.headers).replace(id, "ID"))
        };
        assert_eq!(ask(known).await, ask(unknown).await, "{method} {path}");
    }
    let seen = app.get(&rival, "/functions").await.expect(200);
    assert_eq!(seen.json()["items"].as_array().unwrap().len(), 0);
    let seen = app.get(&rival, &format!("/tasks?function={function}")).await.expect(200);
    assert_eq!(seen.json()["items"].as_array().unwrap().len(), 0);
    let queue = app.get(&rival, "/queue").await.expect(200).json();
    assert_eq!(queue["waiting"], 0, "{queue}");
    assert!(!queue.to_string().contains(&company));
    app.get(&acme, &format!("/tasks/{task}")).await.expect(200);
}

#[tokio::test]
async fn another_companys_file_is_no_input() {
    let app = App::new().await;
    let (_, acme) = app.company("acme").await;
    let (_, rival) = app.company("rival").await;
    let (media, body) = form("file", "a.csv", b"1;2");
    let upload = request(Method::POST, &acme, "/files").header(header::CONTENT_TYPE, media);
    let file = app.send(upload.body(Body::from(body)).unwrap()).await.expect(201).json();
    let schema =
        r#"{"type": "object", "properties": {"data": {"type": "string", "format": "file"}}}"#;
    app.deploy(&rival, "reader", schema).await.expect(201);
    let inputs = format!(r#"{{"inputs": {{"data": {}}}}}"#, file["ref"]);
    let problem =
        app.post(&rival, "/functions/reader/execute", inputs).await.problem(422, "invalid_inputs");
    assert_eq!(problem["faults"][0]["key"], "/data", "{problem}");
}

#[tokio::test]
async fn an_idempotency_key_of_another_company_is_another_key() {
    let app = App::new().await;
    let (_, acme) = app.company("acme").await;
    let (_, rival) = app.company("rival").await;
    for token in [&acme, &rival] {
        app.deploy(token, "bolt", FREE).await.expect(201);
    }
    let path = "/functions/bolt/execute";
    let first = app.post_once(&acme, "k", path, "{}").await.expect(202).json();
    let other = app.post_once(&rival, "k", path, "{}").await.expect(202).json();
    assert_ne!(first["task_id"], other["task_id"]);
    app.work(|_| result("{}")).await;
    app.work(|_| result("{}")).await;
}
