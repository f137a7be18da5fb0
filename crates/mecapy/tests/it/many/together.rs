//! Two that answer and two that work, as if they were one.

use serde_json::json;
use test_support::archive::Archive;

use super::Services;
use crate::program::mecapy;
use crate::server::{deploy, echo, run, submit, until};

#[test]
fn what_one_accepts_another_runs_and_a_third_answers() {
    let services = Services::start();
    let first = services.api("first");
    let second = services.api("second");
    let _worker = services.worker("worker");
    let (here, there) = (services.client(&first, &first), services.client(&second, &first));
    deploy(&here, &echo());
    // Whoever is asked knows the new function, and where its result went.
    let ended = run(&there, "echo", &json!({ "force": 1e-12, "label": "Été" }));
    assert_eq!(ended["result"], json!({ "force": 1e-12, "label": "Été" }), "{ended:#}");
    let task = ended["task_id"].as_str().unwrap();
    assert_eq!(here.get(&format!("/tasks/{task}")).expect(200).json()["status"], "completed");
    // Results beyond the row, and files, lie where all find them.
    let long = "x".repeat(400_000);
    let ended = run(&here, "echo", &json!({ "long": long }));
    let url = ended["result_url"].as_str().unwrap();
    assert_eq!(there.get(url).expect(200).json(), json!({ "long": long }));
    let tasks: Vec<_> = (0..40).map(|n| submit(&here, "echo", &json!({ "n": n }))).collect();
    for (n, task) in tasks.iter().enumerate() {
        assert_eq!(until(&there, task, "completed")["result"], json!({ "n": n }));
    }
    let workers = there.get("/workers").expect(200).json();
    assert_eq!(workers["items"].as_array().map(Vec::len), Some(1), "{workers:#}");
    for server in [first, second] {
        assert!(server.terminate().unwrap().success());
    }
}

#[test]
fn a_run_is_watched_and_cancelled_from_where_it_does_not_run() {
    let services = Services::start();
    let api = services.api("api");
    let _worker = services.worker("worker");
    let client = api.client();
    let handler = "import mecapy_runtime, time\n\ndef calculate(inputs):\n    \
                   print('begun', flush=True)\n    mecapy_runtime.progress(3, 10, 'third')\n    \
                   time.sleep(600)\n";
    deploy(&client, &Archive::new("long", handler));
    let task = submit(&client, "long", &json!({}));
    let begin = std::time::Instant::now();
    let shown = loop {
        let shown = until(&client, &task, "running");
        let log = client.get(&format!("/tasks/{task}/logs")).text();
        if shown["progress"]["step"] == 3.0 && log.contains("begun") {
            break shown;
        }
        assert!(begin.elapsed().as_secs() < 30, "{shown:#}\n{log}");
    };
    assert_eq!(shown["progress"]["message"], "third");
    let cancelled = client.post(&format!("/tasks/{task}/cancel"), &json!({}));
    assert!(matches!(cancelled.status, 200 | 202), "{}", cancelled.text());
    until(&client, &task, "cancelled");
}

#[test]
fn what_is_missing_for_a_role_is_named_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["api", "worker"] {
        for (lang, expected) in [("en", "as well. Set what is missing"), ("fr", "attendu en plus")]
        {
            let data = folder.path().join("data");
            let arguments = ["--data", data.to_str().unwrap(), "--lang", lang, command];
            let called = mecapy(folder.path(), &arguments, &[("REDIS_URL", "redis://127.0.0.1:1")]);
            assert_eq!(called.code, 2, "{}", called.err);
            for part in ["DATABASE_URL=postgresql://…, S3_BUCKET", "mecapy up", expected] {
                assert!(called.err.contains(part), "{}", called.err);
            }
        }
    }
}
