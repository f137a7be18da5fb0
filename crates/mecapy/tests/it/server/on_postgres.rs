//! The whole server with its database on PostgreSQL.

use std::path::Path;

use serde_json::{Value, json};
use store::migrate::POSTGRES;
use test_support::postgres::Postgres;

use super::{deploy, echo, run, start, submit, until};
use crate::program::{Called, mecapy};

fn call(data: &Path, url: &str, arguments: &[&str]) -> Called {
    let folder = ["--data", data.to_str().unwrap()];
    mecapy(data.parent().unwrap(), &[&folder, arguments].concat(), &[("DATABASE_URL", url)])
}

#[test]
fn it_deploys_runs_and_loses_nothing_to_a_kill() {
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = [("DATABASE_URL", &*url), ("DB_POOL_SIZE", "3")];
    let server = start(&data, &settings);
    let client = server.client();
    deploy(&client, &echo());
    let ended = run(&client, "echo", &json!({ "force": 1e-12, "label": "Été" }));
    assert_eq!(ended["result"], json!({ "force": 1e-12, "label": "Été" }), "{ended:#}");
    let accepted: Vec<_> = (0..40).map(|n| submit(&client, "echo", &json!({ "n": n }))).collect();
    server.kill().unwrap();
    let server = start(&data, &settings);
    let client = server.client();
    for (n, task) in accepted.iter().enumerate() {
        assert_eq!(until(&client, task, "completed")["result"], json!({ "n": n }));
        let events = client.get(&format!("/tasks/{task}/events")).expect(200).text();
        assert_eq!(events.matches("event: task.completed").count(), 1, "{events}");
    }
    assert!(!data.join("mecapy.db").exists());
    assert!(server.terminate().unwrap().success());
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mecapy'";
    assert_eq!(postgres.psql(left).unwrap().trim(), "0", "connections outlived their server");
}

#[test]
fn its_schema_goes_up_and_down_by_command() {
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let status = || {
        let called = call(&data, &url, &["migrate", "status", "--json"]);
        assert_eq!(called.code, 0, "{}", called.err);
        let shown: Value = serde_json::from_str(&called.out).unwrap();
        let revisions = shown["revisions"].as_array().unwrap().clone();
        revisions.iter().filter(|revision| revision["applied"] == true).count()
    };
    assert_eq!(status(), 0);
    assert_eq!(call(&data, &url, &["migrate"]).code, 0);
    assert_eq!(status(), POSTGRES.len());
    let refused = call(&data, &url, &["migrate", "down"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    assert_eq!(call(&data, &url, &["migrate", "down", "--yes"]).code, 0);
    assert_eq!(status(), POSTGRES.len() - 1);
}

#[test]
fn what_does_not_work_on_it_says_what_does() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let url = "postgresql://me:hunter2@127.0.0.1:1/mecapy";
    std::fs::write(folder.path().join("a.backup"), "").unwrap();
    for arguments in [&["backup"][..], &["restore", "a.backup"]] {
        for (lang, expected) in [("en", "neither backs up nor"), ("fr", "ne sauvegarde ni")] {
            let called = call(&data, url, &[&["--lang", lang], arguments].concat());
            assert_eq!(called.code, 2, "{}", called.err);
            for part in ["pg_dump", "pg_restore", expected] {
                assert!(called.err.contains(part), "{}", called.err);
            }
        }
    }
    let away = call(&data, url, &["up"]);
    assert_ne!(away.code, 0);
    let expected = "the database mecapy (PostgreSQL, 127.0.0.1:1) can't be opened";
    assert!(away.err.contains(expected), "{}", away.err);
    assert!(away.err.contains("PostgreSQL can't be reached"), "{}", away.err);
    assert!(!away.err.contains("hunter2") && !away.out.contains("hunter2"));
}
