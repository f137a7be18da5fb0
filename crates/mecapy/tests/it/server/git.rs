//! Deploying from a Git repository.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::git::{GitServer, Repository, TOKEN};
use ureq::http::Method;

use super::{Running, deploy, echo, run, server, server_with};

/// A server that may fetch from a Git server, and that one with the functions
/// `echo` and `twice` in `functions/` of `f.git`; its commit.
fn with_repository() -> (Running, GitServer, String) {
    let (git, repository) = (GitServer::start().unwrap(), Repository::new().unwrap());
    let twice =
        Archive::new("twice", "def calculate(inputs):\n    return {'x': inputs['x'] * 2}\n");
    echo().write_to(&repository.path().join("functions/echo")).unwrap();
    twice.write_to(&repository.path().join("functions/twice")).unwrap();
    repository.write("README.md", "# Functions\n").unwrap();
    let commit = repository.commit().unwrap();
    git.serve(&repository, "f.git").unwrap();
    let authority = git.authority().display().to_string();
    let settings =
        [("MECAPY_ALLOWED_NETWORKS", "127.0.0.1"), ("MECAPY_GIT_CA_FILE", authority.as_str())];
    (server_with(&settings), git, commit)
}

#[test]
fn a_folder_of_a_repository_is_the_same_deployment_as_its_zip() {
    let (running, git, commit) = with_repository();
    let zip = deploy(&running.client, &echo());
    let wanted = json!({ "git_url": git.url("f.git"), "ref": "main", "path": "functions/echo" });
    let same = running.client.post("/functions?wait=60", &wanted).expect(201).json();
    assert_eq!(same["version_id"], zip["version_id"]);
    assert_eq!(same["source"]["commit"], commit.as_str());
    let echo = running.client.get("/functions/echo").expect(200).json();
    assert_eq!(echo["source"], Value::Null, "the ZIP made it");

    let wanted = json!({ "git_url": git.url("f.git"), "path": "functions/twice/" });
    let new = running.client.post("/functions?wait=60", &wanted).expect(201).json();
    let source = json!({
        "git_url": git.url("f.git"), "ref": null, "commit": commit, "path": "functions/twice/",
    });
    assert_eq!(new["source"], source);
    let twice = running.client.get("/functions/twice").expect(200).json();
    assert_eq!(twice["source"], source);
    assert_eq!(run(&running.client, "twice", &json!({ "x": 4 }))["result"], json!({ "x": 8 }));
    let audit = running.client.get("/audit?action=function.deploy").expect(200).json();
    let row = audit["items"][0]["resource"].as_str().unwrap();
    assert!(row.contains(&git.url("f.git")) && row.contains(&commit), "{row}");
}

#[test]
fn a_form_asks_for_a_repository_too_and_a_key_fetches_once() {
    let (running, git, _) = with_repository();
    let url = git.url("f.git").replace(':', "%3A").replace('/', "%2F");
    let form = format!("git_url={url}&ref=&path=functions%2Fecho&git_token=");
    let send = || {
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Idempotency-Key", "once")];
        running.client.send(Method::POST, "/functions?wait=60", &headers, form.clone().into())
    };
    let first = send().expect(201).json();
    assert_eq!(first["name"], "echo");
    let asked = git.asked().len();
    assert_eq!(send().expect(201).json()["deployment_id"], first["deployment_id"]);
    assert_eq!(git.asked().len(), asked);
}

#[test]
fn a_token_is_shown_to_the_repositorys_server_and_kept_nowhere() {
    let (running, git, _) = with_repository();
    let wanted = |token: &str| json!({ "git_url": git.url("private/f.git"), "path": "functions/echo", "git_token": token });
    let wrong = format!("{TOKEN}-wrong");
    let refused = running.client.post("/functions", &wanted(&wrong)).expect(422);
    assert_eq!(refused.json()["code"], "git_not_found");
    assert!(!refused.text().contains(TOKEN));
    let deployed = running.client.post("/functions?wait=60", &wanted(TOKEN)).expect(201);
    assert!(!deployed.text().contains(TOKEN));
    assert!(!running.client.get("/audit").expect(200).text().contains(TOKEN));
    assert!(!running.said().contains(TOKEN));
    let mut files = 0;
    each_file(running.data(), &mut |content| {
        files += 1;
        assert!(!content.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()));
    });
    assert!(files > 5, "{files}");
}

fn each_file(folder: &Path, look: &mut impl FnMut(&[u8])) {
    for entry in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            each_file(&entry.path(), look);
        } else if let Ok(content) = std::fs::read(entry.path())
            && kind.is_file()
        {
            look(&content);
        }
    }
}

#[test]
fn what_is_wrong_with_a_repository_is_told_at_its_field_in_both_languages() {
    let (running, git, _) = with_repository();
    let url = git.url("f.git");
    for (wanted, code, key, en, fr) in [
        (
            json!({ "git_url": "http://host/f.git" }),
            "git_url_refused",
            "/git_url",
            "expected the https address",
            "attendu : l'adresse https",
        ),
        (
            json!({ "git_url": "https://a:hunter2@host/f.git" }),
            "git_url_refused",
            "/git_url",
            "without user or password; found \"…@host/f.git\"",
            "sans utilisateur ni mot de passe",
        ),
        (
            json!({ "git_url": "https://169.254.169.254/f.git" }),
            "git_address_refused",
            "/git_url",
            "169.254.169.254 is not at an address of the public internet",
            "n'est pas à une adresse de l'internet public",
        ),
        (
            json!({ "git_url": git.url("none.git") }),
            "git_not_found",
            "/git_url",
            "has no such repository",
            "n'a pas ce dépôt",
        ),
        (
            json!({ "git_url": url, "ref": "mian" }),
            "git_ref_not_found",
            "/ref",
            "no branch, tag or commit \"mian\"",
            "ni branche, ni étiquette, ni commit",
        ),
        (
            json!({ "git_url": url, "path": "function" }),
            "git_folder_not_found",
            "/path",
            "no folder \"function\"",
            "n'a pas de dossier",
        ),
        (
            json!({ "git_url": url, "path": "../x" }),
            "invalid_body",
            "/path",
            "inside the repository",
            "d'un dossier du dépôt",
        ),
        (
            json!({ "git_url": url, "ref": 1 }),
            "invalid_body",
            "/ref",
            "expected a text",
            "attendu : un texte",
        ),
        (
            json!({ "git_url": url, "git_token": ["hunter2"] }),
            "invalid_body",
            "/git_token",
            "expected a text; what came is not shown",
            "attendu : un texte ; ce qui a été reçu n'est pas montré",
        ),
        (
            json!({ "ref": "main" }),
            "invalid_body",
            "/git_url",
            "`git_url` is missing",
            "`git_url` manque",
        ),
    ] {
        for (lang, says) in [("en", en), ("fr", fr)] {
            let headers = [("Content-Type", "application/json"), ("Accept-Language", lang)];
            let body = wanted.to_string().into_bytes();
            let refused = running.client.send(Method::POST, "/functions", &headers, body);
            let problem = refused.expect(422).json();
            assert_eq!(problem["code"], code, "{problem:#}");
            let fault = &problem["faults"][0];
            assert_eq!(fault["key"], key, "{problem:#}");
            assert!(fault["message"].as_str().unwrap().contains(says), "{problem:#}");
            assert!(!problem.to_string().contains("hunter2"));
        }
    }
    assert_eq!(running.client.get("/functions").expect(200).json()["items"], json!([]));
}

#[test]
fn nothing_of_this_machine_is_fetched_from_unless_the_operator_allows_it() {
    let (running, git) = (server(), GitServer::start().unwrap());
    let refused = running.client.post("/functions", &json!({ "git_url": git.url("f.git") }));
    assert_eq!(refused.expect(422).json()["code"], "git_address_refused");
    assert!(git.asked().is_empty());
}

#[test]
fn a_fetch_ends_with_its_server_however_that_ends() {
    let silent = json!([{ "path": "/f.git/info/refs", "more": "MQ==", "pause_s": 0.5 }]);
    let git = GitServer::with_rules(&silent).unwrap();
    let authority = git.authority().display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let settings =
        [("MECAPY_ALLOWED_NETWORKS", "127.0.0.1"), ("MECAPY_GIT_CA_FILE", authority.as_str())];
    let server = super::start(&folder.path().join("data"), &settings);
    let (client, url) = (server.client(), git.url("f.git"));
    let body = json!({ "git_url": url }).to_string().into_bytes();
    let headers = [("Content-Type", "application/json")];
    let asking = std::thread::spawn(move || {
        client.try_send(Method::POST, "/functions", &headers, body).is_err()
    });
    while git.asked().is_empty() {
        std::thread::yield_now();
    }
    let parent = server.pid().to_string();
    let child = fetching(&parent).expect("it fetches");
    server.kill().unwrap();
    assert!(asking.join().unwrap());
    let begun = std::time::Instant::now();
    while child.join("exe").exists() {
        assert!(begun.elapsed().as_secs() < 20, "it goes on");
        std::thread::yield_now();
    }
}

/// The process that fetches for this one.
fn fetching(parent: &str) -> Option<std::path::PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.map(|entry| entry.path()).find(|process| {
        let words = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        words.ends_with(b"git-fetch\0")
            && status.lines().any(|line| line.split_once(":\t") == Some(("PPid", parent)))
    })
}

#[test]
fn the_command_line_deploys_from_a_repository_with_a_token_from_standard_input() {
    let (running, git, _) = with_repository();
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mecapy"))
        .args(["deploy", "--git", &git.url("private/f.git"), "--ref", "main"])
        .args(["--path", "functions/twice", "--git-token", "-"])
        .env_clear()
        .env("HOME", home.path())
        .env("MECAPY_DATA", running.data())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{TOKEN}").unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("twice 0.1.0 deployed in"), "{said}");
}
