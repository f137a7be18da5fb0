//! The schema by command, and from the previous release.

use std::fs;
use std::path::Path;

use domain::clock::System;
use rusqlite::Connection;
use serde_json::Value;
use store::migrate::{SQLITE, Target};
use store::sqlite;

use super::start;
use crate::program::{Called, mecapy};

fn migrate(data: &Path, arguments: &[&str]) -> Called {
    let call = ["--data", data.to_str().unwrap(), "migrate"];
    mecapy(data, &[&call, arguments].concat(), &[])
}

/// A database of the first revision with a row in most tables, as an earlier
/// release left it.
fn of_the_first_release(data: &Path) {
    fs::create_dir_all(data).unwrap();
    let path = data.join("mecapy.db");
    let first = Target::Revision(SQLITE[0].revision.to_owned());
    sqlite::migrate(&path, &System, first).unwrap();
    Connection::open(&path).unwrap().execute_batch(include_str!("rows-of-0001.sql")).unwrap();
}

/// The first columns of each table are those of the first revision; later
/// ones only add.
fn rows(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut all = Vec::new();
    for table in ["companies", "users", "memberships", "functions", "versions", "tasks", "events"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<_> = (0..3).map(|at| row.get_ref(at).unwrap()).collect();
            all.push(format!("{table} {cells:?}"));
        }
    }
    all
}

#[test]
fn a_database_of_the_previous_release_comes_up_with_all_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    of_the_first_release(&data);
    let before = rows(&data.join("mecapy.db"));
    assert!(before.len() >= 8, "{before:#?}");
    let server = start(&data, &[]);
    server.terminate().unwrap();
    let after = rows(&data.join("mecapy.db"));
    let lost: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
    assert_eq!(sqlite::status(&data.join("mecapy.db")).unwrap().len(), SQLITE.len());
    // Whoever migrates keeps what was there before.
    if let Some(next) = SQLITE.get(1) {
        let copy = data.join(format!("mecapy.db.before-{}", next.revision));
        assert_eq!(rows(&copy), before);
        assert_eq!(sqlite::status(&copy).unwrap().len(), 1);
    }
}

#[test]
fn the_schema_goes_down_only_when_asked_twice_and_keeps_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    of_the_first_release(&data);
    let called = migrate(&data, &["up", "--json"]);
    assert_eq!(called.code, 0, "{}", called.out);
    let steps: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(steps["steps"].as_array().unwrap().len(), SQLITE.len() - 1);
    let last = SQLITE.last().unwrap().revision;
    let called = migrate(&data, &["down"]);
    assert_eq!(called.code, 2);
    assert!(called.err.contains(last) && called.err.contains("--yes"), "{}", called.err);
    assert_eq!(migrate(&data, &["to", last]).code, 0);
    let called = migrate(&data, &["down", "--yes"]);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(data.join(format!("mecapy.db.with-{last}")).is_file());
    let called = migrate(&data, &["status"]);
    assert!(called.out.contains("missing"), "{}", called.out);
    assert_eq!(migrate(&data, &[]).code, 0);
    let called = migrate(&data, &["status", "--json"]);
    let status: Value = serde_json::from_str(&called.out).unwrap();
    let revisions = status["revisions"].as_array().unwrap();
    assert!(revisions.iter().all(|revision| revision["applied"] == true), "{status:#}");
}

#[test]
fn nothing_is_migrated_under_a_running_server_or_without_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let called = migrate(&data, &["status"]);
    assert_eq!(called.code, 2);
    assert!(called.err.contains("`mecapy up`"), "{}", called.err);
    let server = start(&data, &[]);
    let called = migrate(&data, &["down", "--yes", "--lang", "fr"]);
    assert_eq!(called.code, 1);
    assert!(called.err.contains("arrêtez-le"), "{}", called.err);
    drop(server);
    let called = migrate(&data, &["to", "0042_answer"]);
    assert_eq!(called.code, 1);
    assert!(called.err.contains("0001_initial"), "{}", called.err);
}
