//! Versions: immutable, numbered, and refused with every fault at once.

use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, echo, run, server};

#[test]
fn the_same_content_twice_is_the_same_deployment() {
    let running = server();
    let first = deploy(&running.client, &echo());
    let again = deploy(&running.client, &echo());
    assert_eq!(first["version"], again["version"]);
    assert_eq!(first["function_id"], again["function_id"]);
    let versions = running.client.get("/functions/echo/versions").expect(200).json();
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn versions_count_up_and_old_ones_stay_runnable() {
    let running = server();
    for answer in 1..=3 {
        let handler = format!("def calculate(inputs):\n    return {{'answer': {answer}}}\n");
        deploy(&running.client, &Archive::new("counted", &handler));
    }
    assert_eq!(run(&running.client, "counted", &json!({}))["result"], json!({ "answer": 3 }));
    assert_eq!(run(&running.client, "counted@0.1.0", &json!({}))["result"], json!({ "answer": 1 }));
    assert_eq!(run(&running.client, "counted@0.1.1", &json!({}))["result"], json!({ "answer": 2 }));
}

#[test]
fn another_content_under_a_deployed_number_is_refused() {
    let running = server();
    deploy(&running.client, &echo().version("1.0.0"));
    let changed = Archive::new("echo", "def calculate(inputs):\n    return {}\n").version("1.0.0");
    let refused = running
        .client
        .post_file("/functions?wait=60", "archive", "a.zip", &changed.zip())
        .expect(422);
    let faults = refused.json()["faults"].clone();
    assert_eq!(faults[0]["code"], "version_taken", "{faults:#}");
    assert_eq!(faults[0]["key"], "versioning.version");
    assert!(faults[0]["line"].is_u64(), "{faults:#}");
    let message = faults[0]["message"].as_str().unwrap();
    assert!(message.ends_with("write 1.0.1, or leave the key out and the number is counted up"));
    let id = refused.json()["deployment_id"].as_str().unwrap().to_owned();
    let deployment = running.client.get(&format!("/deployments/{id}")).expect(200).json();
    let stages = deployment["stages"].as_array().unwrap();
    assert_eq!((stages.len(), &stages[0]["name"]), (1, &json!("archive")), "{deployment:#}");
}

#[test]
fn a_bad_archive_is_refused_with_every_fault() {
    let running = super::server_with(&[("MECAPY_STATIC_CHECK", "deny-list")]);
    let bad =
        Archive::new("bad", "import subprocess\n\ndef calculate(a, b):\n    return eval('1')\n")
            .set("runtime.timeout", json!("long"))
            .set("runtime.colour", json!("red"));
    let refused = running
        .client
        .post_file("/functions?wait=60", "archive", "a.zip", &bad.zip())
        .expect(422)
        .json();
    let faults = refused["faults"].as_array().unwrap();
    assert!(faults.len() >= 5, "{faults:#?}");
    assert!(faults.iter().all(|fault| fault["line"].is_u64() && fault["message"].is_string()));
    assert_eq!(running.client.get("/functions/bad").status, 404);
}

#[test]
fn a_deployment_cut_off_by_a_crash_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = super::start(&data, &[]);
    let archive = echo().requires(&["rainflow==3.2.0"]);
    let accepted = server
        .client()
        .post_file("/functions", "archive", "a.zip", &archive.zip())
        .expect(202)
        .json();
    server.kill().unwrap();
    let server = super::start(&data, &[]);
    let path = format!("/deployments/{}", accepted["deployment_id"].as_str().unwrap());
    let begin = std::time::Instant::now();
    loop {
        let deployment = server.client().get(&path).expect(200).json();
        if deployment["status"] == "deployed" {
            break;
        }
        assert_ne!(deployment["status"], "failed", "{deployment:#}");
        assert!(begin.elapsed().as_secs() < 60, "{deployment:#}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(run(&server.client(), "echo", &json!({ "a": 1 }))["status"], "completed");
}
