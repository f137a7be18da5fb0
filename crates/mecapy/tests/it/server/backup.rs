//! Backups of a server that runs, and servers that go on from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use serde_json::{Value, json};
use test_support::archive::Archive;

use super::{deploy, echo, run, start, submit, until};
use crate::program::{Called, mecapy};

fn call(data: &Path, arguments: &[&str]) -> Called {
    let home = data.parent().unwrap();
    mecapy(home, &[arguments, &["--data", data.to_str().unwrap()]].concat(), &[])
}

fn backup(data: &Path, file: &Path) {
    let called = call(data, &["backup", file.to_str().unwrap()]);
    assert_eq!(called.code, 0, "{}{}", called.out, called.err);
}

fn restore(data: &Path, file: &Path) {
    let called = mecapy(
        file.parent().unwrap(),
        &["restore", file.to_str().unwrap(), "--data", data.to_str().unwrap()],
        &[],
    );
    assert_eq!(called.code, 0, "{}{}", called.out, called.err);
}

/// Every row of every table, and every object with its bytes.
fn everything(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let connection = Connection::open(data.join("mecapy.db")).unwrap();
    let mut tables =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for table in tables.map(Result::unwrap) {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut at = 0;
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<_> = (0..columns).map(|c| row.get_ref(c).unwrap()).collect();
            all.insert(format!("{table}/{at:06}"), format!("{cells:?}").into_bytes());
            at += 1;
        }
    }
    let mut folders = vec![data.join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(data).unwrap().display().to_string();
            if path.is_file() {
                all.insert(name, fs::read(&path).unwrap());
            } else if name != "blobs/writing" {
                folders.push(path);
            }
        }
    }
    all
}

/// Leaves something in every kind of table and every kind of object.
fn busy(data: &Path) {
    let server = start(data, &[]);
    let client = server.client();
    deploy(&client, &echo());
    let writes = Archive::new(
        "writes",
        "import os\n\ndef calculate(inputs):\n    print('said')\n    \
         open(os.environ['MECAPY_OUTPUTS'] + '/a.csv', 'w').write('1;2')\n    \
         return {'large': 'x' * inputs['n']}\n",
    );
    deploy(&client, &writes);
    run(&client, "writes", &json!({ "n": 10 }));
    // Beyond what rows hold.
    run(&client, "writes", &json!({ "n": 400_000 }));
    run(&client, "echo", &json!({ "much": "y".repeat(200_000) }));
    run(&client, "writes", &json!({ "wrong": 1 }));
    let gone = run(&client, "echo", &json!({}));
    let answer = client.delete(&format!("/tasks/{}", gone["task_id"].as_str().unwrap()));
    assert_eq!(answer.status, 204, "{}", answer.text());
    let uploaded = client.post_file("/files", "file", "points.csv", b"1;2;3");
    assert_eq!(uploaded.status, 201);
    assert_eq!(client.post("/companies", &json!({ "name": "other" })).status, 201);
    server.kill().unwrap();
}

#[test]
fn a_backup_restores_every_row_of_every_table_and_every_object() {
    let folder = tempfile::tempdir().unwrap();
    let (data, again) = (folder.path().join("data"), folder.path().join("again"));
    busy(&data);
    let file = folder.path().join("all.tar.zst");
    backup(&data, &file);
    let verified = call(&data, &["backup", "--json", "--verify", file.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    let told: Value = serde_json::from_str(&verified.out).unwrap();
    restore(&again, &file);
    let (before, after) = (everything(&data), everything(&again));
    let blobs = before.keys().filter(|name| name.starts_with("blobs/")).count();
    assert_eq!(told["objects"].to_string(), blobs.to_string());
    let rows = before.len() - blobs;
    assert!(rows > 40 && blobs >= 8, "{rows} rows, {blobs} objects");
    for (name, content) in &before {
        assert!(after.get(name) == Some(content), "{name} differs");
    }
    assert_eq!(before.len(), after.len());
}

#[test]
fn a_backup_under_load_holds_every_task_that_was_accepted_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, again) = (folder.path().join("data"), folder.path().join("again"));
    let file = folder.path().join("all.tar.zst");
    let server = start(&data, &[("MECAPY_SLOTS", "1")]);
    let client = server.client();
    deploy(&client, &echo());
    let accepted: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let stop = AtomicBool::new(false);
    let before = std::thread::scope(|scope| {
        for caller in 0..4_u64 {
            let (client, accepted, stop) = (client.clone(), &accepted, &stop);
            scope.spawn(move || {
                for n in caller * 1_000_000.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let id = submit(&client, "echo", &json!({ "n": n }));
                    accepted.lock().unwrap().insert(id, n);
                }
            });
        }
        while accepted.lock().unwrap().len() < 300 {
            std::thread::yield_now();
        }
        let before = accepted.lock().unwrap().clone();
        backup(&data, &file);
        stop.store(true, Ordering::Relaxed);
        before
    });
    assert!(accepted.lock().unwrap().len() > before.len(), "nothing was accepted meanwhile");
    drop(server);
    restore(&again, &file);
    let server = start(&again, &[]);
    let client = server.client();
    for (id, n) in &before {
        let task = until(&client, id, "completed");
        assert_eq!(task["result"], json!({ "n": n }), "{task:#}");
    }
}

#[test]
fn what_waited_or_ran_during_a_backup_runs_on_the_restored_server() {
    let folder = tempfile::tempdir().unwrap();
    let (data, again) = (folder.path().join("data"), folder.path().join("again"));
    let file = folder.path().join("all.tar.zst");
    let server = start(&data, &[("MECAPY_SLOTS", "1")]);
    let client = server.client();
    let waits = Archive::new(
        "waits",
        "import time\n\ndef calculate(inputs):\n    time.sleep(inputs['s'])\n    return inputs\n",
    );
    deploy(&client, &waits);
    let running = submit(&client, "waits", &json!({ "s": 60 }));
    until(&client, &running, "running");
    let queued: Vec<_> = (0..3).map(|_| submit(&client, "waits", &json!({ "s": 0 }))).collect();
    backup(&data, &file);
    server.kill().unwrap();
    restore(&again, &file);
    let server = start(&again, &[("MECAPY_SLOTS", "2")]);
    let client = server.client();
    for task in &queued {
        until(&client, task, "completed");
    }
    let task = until(&client, &running, "running");
    assert_eq!(task["attempt"].to_string(), "2");
    server.kill().unwrap();
}

#[test]
fn a_restoration_overwrites_nothing_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (data, again) = (folder.path().join("data"), folder.path().join("again"));
    let server = start(&data, &[]);
    let file = folder.path().join("all.tar.zst");
    backup(&data, &file);
    let shown = file.to_str().unwrap();
    let called = call(&data, &["restore", shown]);
    assert_eq!(called.code, 2);
    assert!(called.err.contains("is not empty") && called.err.contains("--data"), "{}", called.err);
    let called = call(&data, &["backup", shown]);
    assert_eq!(called.code, 2);
    assert!(called.err.contains("Name another file"), "{}", called.err);
    drop(server);
    // Cut off: nothing is left that would stand in the way of the next one.
    let bytes = fs::read(&file).unwrap();
    let cut = folder.path().join("cut");
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let called = call(&again, &["restore", cut.to_str().unwrap(), "--lang", "fr"]);
    assert_eq!(called.code, 1);
    assert!(called.err.contains("prenez-en une autre"), "{}", called.err);
    restore(&again, &file);
    drop(start(&again, &[]));
}

#[test]
fn an_encrypted_backup_goes_through_a_pipe_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let (data, again) = (folder.path().join("data"), folder.path().join("again"));
    drop(start(&data, &[]));
    let words = folder.path().join("words");
    fs::write(&words, "correct horse battery staple\n").unwrap();
    let program = env!("CARGO_BIN_EXE_mecapy");
    let script = format!(
        "{program} backup - --passphrase-file words --data data > sealed &&
         {program} restore - --passphrase-file words --data again < sealed"
    );
    let done = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(fs::read(folder.path().join("sealed")).unwrap().starts_with(b"age-encryption.org/v1"));
    assert_eq!(everything(&data), everything(&again));
}
