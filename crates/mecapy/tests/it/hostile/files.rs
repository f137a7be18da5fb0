//! Files that a run leaves, names or wants, and that nobody may take.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::archive::Archive;

use super::{Fortress, arsenal};
use crate::server::{execute, submit, until};

/// What nobody who never gets out of the sandbox can know.
const SECRET: &str = "of the host alone";

fn weapons() -> Archive {
    arsenal("files", include_str!("handlers/files.py"))
        // More than the 512 MB of files that a run may have.
        .set("runtime.memory_limit", json!(700))
        .inputs_schema(json!({
            "type": "object",
            "properties": { "given": { "type": "string", "format": "file" } },
        }))
        .set(
            "io.outputs_schema",
            json!({
                "type": "object",
                "properties": { "report": { "type": "string", "format": "file" } },
            }),
        )
}

fn under_attack() -> Fortress {
    under_attack_with(&[])
}

fn under_attack_with(variables: &[(&str, &str)]) -> Fortress {
    let fortress = Fortress::with(variables);
    fortress.deploy(&weapons());
    fortress
}

/// The message of an attack whose output is refused, and that kept no file.
fn refused(fortress: &Fortress, inputs: &Value) -> String {
    let task = fortress.attack("files", inputs);
    assert_eq!(task["status"], "failed", "{task:#}");
    assert_eq!(task["error"]["kind"], "invalid_output", "{task:#}");
    assert_eq!(artifacts(fortress, &task), Vec::<Value>::new(), "{task:#}");
    task["error"]["message"].as_str().unwrap().to_owned()
}

fn artifacts(fortress: &Fortress, task: &Value) -> Vec<Value> {
    let path = format!("/tasks/{}/artifacts", task["task_id"].as_str().unwrap());
    let page = fortress.client.get(&path).expect(200).json();
    page["items"].as_array().unwrap().clone()
}

fn content(fortress: &Fortress, artifact: &Value) -> Vec<u8> {
    let reference = artifact["artifact_id"].as_str().unwrap();
    fortress.client.get(&format!("/files/{reference}")).expect(200).body.to_vec()
}

/// A file of the host that everybody there could read.
fn secret(fortress: &Fortress) -> String {
    let place = fortress.folder().join("passwd");
    std::fs::write(&place, SECRET).unwrap();
    place.to_str().unwrap().to_owned()
}

#[test]
fn a_symbolic_link_is_no_output() {
    let fortress = under_attack();
    let secret = secret(&fortress);
    for target in [&secret, "/etc/passwd", "../../etc/passwd", "/proc/self/environ"] {
        let said = refused(&fortress, &json!({ "attack": "symlink", "target": target }));
        assert!(said.contains("\"report\"") && said.contains("a symbolic link"), "{said}");
        assert!(said.contains("copy the file instead"), "{said}");
    }
    // Nor one on the way.
    let above = fortress.folder().to_str().unwrap();
    let said = refused(&fortress, &json!({ "attack": "folder_link", "target": above }));
    assert!(said.contains("\"linked\""), "{said}");
}

#[test]
fn a_refused_output_is_explained_in_french_too() {
    let fortress = under_attack();
    let french = [("accept-language", "fr")];
    let explained = |inputs: Value| {
        let id = fortress.attack("files", &inputs)["task_id"].as_str().unwrap().to_owned();
        let answer = fortress.client.send(
            "GET".parse().unwrap(),
            &format!("/tasks/{id}"),
            &french,
            Vec::<u8>::new(),
        );
        answer.expect(200).json()["error"]["message"].as_str().unwrap().to_owned()
    };
    for (inputs, said) in [
        (json!({ "attack": "symlink", "target": "/" }), "est un lien symbolique"),
        (json!({ "attack": "hard_link" }), "est un lien physique"),
        (json!({ "attack": "odd_name", "name": "fffe" }), "choisissez-en un autre"),
        (json!({ "attack": "deep_folders", "below": "/outputs" }), "32 niveaux de dossiers"),
    ] {
        let message = explained(inputs);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_hard_link_is_no_output() {
    let fortress = under_attack();
    let said = refused(&fortress, &json!({ "attack": "hard_link" }));
    assert!(said.contains("a hard link"), "{said}");
    let target = secret(&fortress);
    let inputs = json!({ "attack": "hard_link_to_the_host", "target": target });
    let result = fortress.result("files", &inputs);
    for (place, answer) in result["answer"].as_object().unwrap() {
        assert!(matches!(answer.as_str(), Some("EXDEV" | "ENOENT" | "EPERM")), "{place}: {answer}");
    }
}

#[test]
fn a_fifo_a_device_or_a_socket_cant_be_made() {
    let fortress = under_attack();
    let answer = &fortress.result("files", &json!({ "attack": "node" }))["answer"];
    for (way, error) in answer["made"].as_object().unwrap() {
        let why = error.as_str().unwrap_or_default();
        assert!(why == "EPERM" || why == "EACCES", "{way}: {error}");
    }
    assert_eq!(answer["left"], json!([]));
}

#[test]
fn a_folder_where_a_file_is_promised_is_told() {
    let fortress = under_attack();
    let task = fortress.attack("files", &json!({ "attack": "directory" }));
    missing(&fortress, &task, "/outputs/report");
}

#[test]
fn an_output_path_that_leads_elsewhere_names_nothing() {
    let fortress = under_attack();
    let host = secret(&fortress);
    for path in [
        host.as_str(),
        "/etc/passwd",
        "../../etc/passwd",
        "/outputs/../../etc/passwd",
        "/proc/1/environ",
        "/code/handler.py",
        "/outputs/none",
    ] {
        let task = fortress.attack("files", &json!({ "attack": "named", "path": path }));
        missing(&fortress, &task, path);
    }
}

/// A result whose file is none: a warning says so, and nothing is kept of it.
fn missing(fortress: &Fortress, task: &Value, path: &str) {
    assert_eq!(task["status"], "completed", "{task:#}");
    assert_eq!(task["result"]["report"], path, "{task:#}");
    let warning = &task["warnings"][0];
    assert_eq!(
        (&warning["code"], &warning["key"]),
        (&json!("output_file_missing"), &json!("/report"))
    );
    for artifact in artifacts(fortress, task) {
        assert_eq!(artifact["name"], "other");
        assert_eq!(content(fortress, &artifact), b"x");
    }
    assert_eq!(fortress.client.get(&format!("/files{path}")).status, 404);
}

#[test]
fn a_sparse_file_of_a_terabyte_is_too_large() {
    let fortress = under_attack();
    let began = Instant::now();
    let error = fortress.error("files", &json!({ "attack": "sparse" }), "output_too_large");
    assert_eq!(error["measured"], (1u64 << 40) as f64);
    assert_eq!(error["limit"], (256u64 << 20) as f64);
    assert!(began.elapsed() < Duration::from_secs(10), "nobody read it: {:?}", began.elapsed());
}

#[test]
fn too_many_or_too_large_outputs_are_refused_with_their_limit() {
    let fortress = under_attack_with(&[
        ("MECAPY_ARTIFACT_COUNT_MAX", "10"),
        ("MECAPY_ARTIFACT_BYTES_MAX", "10000"),
    ]);
    let error =
        fortress.error("files", &json!({ "attack": "too_many", "count": 11 }), "output_too_large");
    assert_eq!((&error["limit"], &error["unit"]), (&json!(10.0), &json!("files")));
    let error = fortress.error(
        "files",
        &json!({ "attack": "too_large", "bytes": 10_001 }),
        "output_too_large",
    );
    assert_eq!((&error["limit"], &error["measured"]), (&json!(10_000.0), &json!(10_001.0)));
    // The limits themselves are within them.
    let task = fortress.attack("files", &json!({ "attack": "too_many", "count": 10 }));
    assert_eq!(artifacts(&fortress, &task).len(), 10, "{task:#}");
    let task = fortress.attack("files", &json!({ "attack": "too_large", "bytes": 10_000 }));
    assert_eq!(artifacts(&fortress, &task)[0]["size"], 10_000, "{task:#}");
}

#[test]
fn a_full_tmp_is_the_runs_own() {
    let fortress = under_attack();
    let result = fortress.result("files", &json!({ "attack": "fill_tmp" }));
    let written = result["answer"].as_u64().unwrap();
    assert!((500..=512).contains(&written), "{written} MiB in all three folders together");
}

#[test]
fn a_flood_of_inodes_meets_its_limit() {
    let fortress = under_attack();
    let result = fortress.result("files", &json!({ "attack": "inode_flood" }));
    assert_eq!(result["answer"]["error"], "ENOSPC", "{result}");
    assert!(result["answer"]["made"].as_u64().unwrap() < 100_000, "{result}");
}

#[test]
fn ten_thousand_folders_in_each_other_are_gone_at_once() {
    let fortress = under_attack();
    let began = Instant::now();
    let said = refused(&fortress, &json!({ "attack": "deep_folders", "below": "/outputs" }));
    assert!(said.contains("deeper than 32"), "{said}");
    assert!(said.len() < 300, "not every level is told: {said}");
    fortress.result("files", &json!({ "attack": "deep_folders", "below": "/tmp" }));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_name_that_reads_otherwise_than_it_is_is_refused() {
    let fortress = under_attack();
    let turned = "\u{202e}fdp.exe";
    for name in [&b"\xff\xfe"[..], b"two\nlines", b"\x1b[2J", turned.as_bytes(), b"a\x7f"] {
        let inputs = json!({ "attack": "odd_name", "name": hex(name) });
        let said = refused(&fortress, &inputs);
        assert!(said.contains("choose another"), "{said}");
        assert!(!said.contains(|c: char| c.is_control() || c == '\u{202e}'), "{said:?}");
    }
}

#[test]
fn a_strange_but_honest_name_is_kept_as_it_is() {
    let fortress = under_attack();
    let long = "é".repeat(127) + "x";
    for name in
        [long.as_str(), "...", "..x", "x..", " ", "-rf", "a\\..\\b", "a\"b;c", "%2e%2e%2f", "~"]
    {
        let task = fortress
            .attack("files", &json!({ "attack": "odd_name", "name": hex(name.as_bytes()) }));
        let kept = artifacts(&fortress, &task);
        assert_eq!(kept[0]["name"], name, "{task:#}");
        assert_eq!(content(&fortress, &kept[0]), b"");
    }
}

fn hex(name: &[u8]) -> String {
    name.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn nothing_of_the_sandboxes_tree_can_be_written_or_changed() {
    let fortress = under_attack();
    let result = fortress.result("files", &json!({ "attack": "write_everywhere" }));
    assert_eq!(result["answer"], json!([]));
}

#[test]
fn no_file_of_the_code_the_runner_the_packages_or_the_inputs_can_be_changed() {
    let fortress = under_attack();
    let given = fortress.client.post_file("/files", "file", "table.txt", b"1 2 3").json();
    let inputs = json!({ "attack": "write_files", "given": given["ref"] });
    assert_eq!(fortress.result("files", &inputs)["answer"], json!([]));
    let again = json!({ "attack": "read_input", "given": given["ref"] });
    assert_eq!(fortress.result("files", &again)["answer"]["content"], "1 2 3");
}

#[test]
fn every_mount_but_the_runs_own_is_read_only() {
    let fortress = under_attack();
    let given = fortress.client.post_file("/files", "file", "table.txt", b"1 2 3").json();
    let inputs = json!({ "attack": "mounts", "given": given["ref"] });
    let mounts = fortress.result("files", &inputs)["answer"].clone();
    let mut places = Vec::new();
    for mount in mounts.as_array().unwrap() {
        let place = mount[0].as_str().unwrap();
        let has = |option: &str| mount[1].as_array().unwrap().contains(&json!(option));
        let own = place == "/scratch" || place == "/proc";
        assert_eq!(has("ro"), !own, "{mount}");
        assert!(has("nosuid"), "{mount}");
        // The root holds the five harmless devices.
        assert!(has("nodev") || place == "/", "{mount}");
        assert!(has("noexec") || !own, "{mount}");
        places.push(place);
    }
    for place in ["/", "/code", "/inputs", "/packages/0", "/proc", "/scratch"] {
        assert!(places.contains(&place), "{place}: {places:?}");
    }
}

#[test]
fn nothing_can_be_mounted_anew() {
    let fortress = under_attack();
    let result = fortress.result("files", &json!({ "attack": "remount" }));
    for (way, answer) in result["answer"].as_object().unwrap() {
        assert_eq!(answer, "EPERM", "{way}");
    }
}

#[test]
fn two_runs_at_once_find_nothing_of_each_other() {
    let fortress = under_attack();
    let other = json!({ "attack": "keep_secret", "secret": "s3cr3t", "seconds": 1.5 });
    let other = submit(&fortress.client, "files", &other);
    until(&fortress.client, &other, "running");
    let inputs = json!({ "attack": "search", "secret": "s3cr3t" });
    let found = execute(&fortress.client, "files", &inputs).expect(200).json();
    assert_eq!(found["result"]["answer"], json!({ "found": [], "processes": ["1"] }), "{found:#}");
    let kept = until(&fortress.client, &other, "completed");
    assert_eq!(kept["result"]["answer"], json!(["s3cr3t"]), "{kept:#}");
    // Nor afterwards.
    let found = fortress.result("files", &inputs);
    assert_eq!(found["answer"]["found"], json!([]));
}

#[test]
fn a_file_that_changes_after_the_return_is_read_as_it_was_last() {
    let fortress = under_attack();
    for _ in 0..5 {
        let task = fortress.attack("files", &json!({ "attack": "restless" }));
        let kept = artifacts(&fortress, &task);
        if task["status"] == "failed" {
            // The process was ended while the link stood there.
            assert_eq!(task["error"]["kind"], "invalid_output", "{task:#}");
            assert_eq!(kept, Vec::<Value>::new());
        }
        for artifact in kept {
            let text = String::from_utf8(content(&fortress, &artifact)).unwrap();
            assert_eq!(artifact["size"], text.len(), "{artifact}");
            assert!(!text.contains("sandbox:"), "{text}");
            assert!(text.chars().all(|c| "honestx".contains(c)), "{artifact}");
        }
    }
}

#[test]
fn the_name_of_an_input_file_leads_nowhere_else() {
    let fortress = under_attack();
    for name in [
        "../x",
        "../../../etc/passwd",
        "..",
        ".",
        "/etc/passwd",
        "..\\..\\x",
        "....//x",
        "a/../../b",
    ] {
        let given = fortress.client.post_file("/files", "file", name, b"honest").json();
        let inputs = json!({ "attack": "read_input", "given": given["ref"] });
        let seen = &fortress.result("files", &inputs)["answer"];
        assert_eq!(seen["content"], "honest", "{name}: {seen}");
        let path = seen["path"].as_str().unwrap();
        assert!(path.starts_with("/inputs/0/") && !path.contains(".."), "{name}: {path}");
        assert_eq!(seen["all"], json!([path]), "{name}");
    }
}
