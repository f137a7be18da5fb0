//! Bytes that must reach the other side as they were sent.

use crate::app::{App, FREE, result};

/// Numbers that lose something on any detour through a float or a map.
const NUMBERS: &str = "{ \"b\" : 1.000,\n  \"a\":[0.1, -0.0, 5e-324, 1.7976931348623157e308,\t\
     123456789012345678901234567890, 1E2, 9007199254740993, 0.30000000000000004],\n\
     \"\\u00e9\": \"\\u00e9\\ud83d\\ude00 é\" }";

#[tokio::test]
async fn inputs_reach_the_run_and_results_reach_the_caller_byte_for_byte() {
    let app = App::new().await;
    app.deploy(&app.admin, "echo", FREE).await.expect(201);
    let body = format!("{{ \"priority\" : 7 ,\"inputs\" :{NUMBERS}}}");
    let run = app.post(&app.admin, "/functions/echo/execute", body).await.expect(202).json();
    let path = format!("/tasks/{}", run["task_id"].as_str().unwrap());
    app.work(|inputs| {
        assert_eq!(std::str::from_utf8(inputs).unwrap(), NUMBERS);
        result(inputs.to_vec())
    })
    .await;
    let task = app.get(&app.admin, &path).await.expect(200);
    assert!(task.text().contains(&format!("\"result\":{NUMBERS},")), "{}", task.text());
    let alone = app.get(&app.admin, &format!("{path}/result")).await.expect(200);
    assert_eq!(alone.text(), NUMBERS);
    assert_eq!(alone.header("content-type"), "application/json");
    assert_eq!(alone.header("content-length"), NUMBERS.len().to_string());
    assert!(!alone.header("etag").is_empty());
}

#[tokio::test]
async fn a_large_result_stands_apart_with_the_same_bytes() {
    let app = App::new().await;
    app.deploy(&app.admin, "large", FREE).await.expect(201);
    let run = app.post(&app.admin, "/functions/large/execute", "{}").await.expect(202).json();
    let path = format!("/tasks/{}", run["task_id"].as_str().unwrap());
    let large = format!("{{\"values\": [{}1.50]}}", "1.50, ".repeat(100_000));
    app.work(|_| result(large.clone())).await;
    let task = app.get(&app.admin, &path).await.expect(200).json();
    assert_eq!(task["status"], "completed");
    assert!(task["result"].is_null());
    let url = task["result_url"].as_str().unwrap();
    let alone = app.get(&app.admin, url).await.expect(200);
    assert_eq!(alone.body, large.as_bytes());
    assert_eq!(alone.header("content-length"), large.len().to_string());
}

#[tokio::test]
async fn missing_inputs_are_an_empty_object() {
    let app = App::new().await;
    app.deploy(&app.admin, "echo", FREE).await.expect(201);
    for body in ["{}", "", r#"{"priority": null}"#] {
        app.post(&app.admin, "/functions/echo/execute", body).await.expect(202);
        app.work(|inputs| {
            assert_eq!(inputs, b"{}");
            result("{}")
        })
        .await;
    }
}

#[tokio::test]
async fn ten_megabytes_of_inputs_arrive_whole() {
    let app = App::new().await;
    app.deploy(&app.admin, "echo", FREE).await.expect(201);
    let inputs = format!("{{\"text\":\"{}\"}}", "é".repeat(5 << 20));
    let body = format!("{{\"inputs\":{inputs}}}");
    app.post(&app.admin, "/functions/echo/execute", body).await.expect(202);
    app.work(|got| {
        assert!(got == inputs.as_bytes());
        result("{}")
    })
    .await;
}
