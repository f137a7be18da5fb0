//! Accounts by the command line, on a real server.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Running, server};

const PASSWORD: &str = "correct horse battery";

/// Calls the program as somebody with a home of their own; answers exit code,
/// standard output and standard error.
fn call(home: &Path, running: &Running, arguments: &[&str], typed: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mecapy"))
        .args(arguments)
        .args(["--api-url", running.server.url()])
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who asks nothing may have ended before it is told anything.
    let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn somebody_is_invited_logs_in_works_and_logs_out() {
    let running = server();
    let (admins, evas) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let admin = |arguments: &[&str], typed: &str| {
        let (code, out, err) = call(admins.path(), &running, arguments, typed);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    };
    // The administrator keeps the token of the data folder, and sets a
    // password for browsers.
    admin(&["login", "--token", "-"], running.server.token());
    let set = admin(&["user", "password"], &format!("{PASSWORD}\n{PASSWORD}\n"));
    assert_eq!(set, "Password set for admin\n");
    let link = admin(&["user", "invite", "eva", "--role", "member"], "");
    let secret = link.trim().rsplit('/').next().unwrap();
    assert!(link.starts_with(&format!("{}/app/invitation/", running.server.url())), "{link}");
    let accept = json!({ "invitation": secret, "password": PASSWORD });
    let _ = running.client.with_token(None).post("/auth/accept", &accept).expect(200);

    let eva = |arguments: &[&str], typed: &str| call(evas.path(), &running, arguments, typed);
    let (code, _, err) = eva(&["tasks"], "");
    assert_eq!(code, 4, "{err}");
    let remedy = format!("Log in to {} with `mecapy login`", running.server.url());
    assert!(err.contains(&remedy), "{err}");
    let (code, _, err) = eva(&["login", "--name", "eva"], "wrong horse battery\n");
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("no user with this name and this password"), "{err}");
    let (code, out, err) = eva(&["login", "--name", "eva"], &format!("{PASSWORD}\n"));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, format!("Logged in to {} (eva, main, member)\n", running.server.url()));
    let file = evas.path().join(".config/mecapy/credentials.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(!kept.contains(PASSWORD), "{kept}");
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let token = kept["servers"][running.server.url()]["token"].as_str().unwrap().to_owned();
    assert_eq!(eva(&["tasks"], "").0, 0);

    let (code, secret, _) = eva(&["token", "create", "ci", "--scopes", "read", "--days", "1"], "");
    assert_eq!((code, secret.starts_with("mecapy_")), (0, true));
    let narrowed = running.client.with_token(Some(secret.trim()));
    let _ = narrowed.get("/tasks").expect(200);
    let _ = narrowed.post("/tokens", &json!({ "name": "more" })).expect(403);
    let (_, listed, _) = eva(&["token"], "");
    assert!(listed.contains("ci") && listed.contains("read"), "{listed}");
    let (_, listed, _) = eva(&["token", "list", "--json"], "");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let id = listed["items"][0]["token_id"].as_str().unwrap();
    assert_eq!(eva(&["token", "revoke", id], "").0, 0);
    let _ = narrowed.get("/tasks").expect(401);

    let (code, _, err) = eva(&["user", "invite", "bob"], "");
    assert_eq!(code, 4, "{err}");
    let (code, out, _) = eva(&["logout"], "");
    assert_eq!((code, out), (0, format!("Logged out of {}\n", running.server.url())));
    let _ = running.client.with_token(Some(&token)).get("/tasks").expect(401);
    let (code, _, err) = eva(&["logout"], "");
    assert_eq!(code, 2);
    assert!(err.contains("Log in with `mecapy login`"), "{err}");

    assert!(admin(&["user"], "").contains("eva"));
    assert_eq!(admin(&["user", "role", "eva", "company_admin"], ""), "eva company_admin\n");
    assert_eq!(admin(&["user", "remove", "eva"], ""), "eva removed\n");
    let (code, _, err) = call(admins.path(), &running, &["user", "remove", "eva"], "");
    assert_eq!(code, 2);
    assert!(err.contains("`mecapy user invite eva` lets somebody in"), "{err}");
    assert!(admin(&["company", "create", "acme"], "").starts_with("mecapy_"));
    assert!(admin(&["company"], "").contains("acme"));
    let said = running.said();
    assert!(!said.contains(PASSWORD) && !said.contains(&token), "{said}");
}

#[test]
fn two_passwords_that_differ_change_nothing() {
    let running = server();
    let home = tempfile::tempdir().unwrap();
    let typed = format!("{PASSWORD}\n{PASSWORD}x\n");
    call(home.path(), &running, &["login", "--token", "-"], running.server.token());
    let (code, _, err) = call(home.path(), &running, &["user", "password"], &typed);
    assert_eq!(code, 2);
    assert!(err.contains("the two new passwords differ; nothing was changed"), "{err}");
    let account = running.client.get("/auth/me").expect(200).json();
    assert_eq!(account["has_password"], false);
    let (code, _, err) = call(home.path(), &running, &["user", "password", "--lang", "fr"], "");
    assert_eq!(code, 2);
    assert!(err.contains("une ligne était attendue sur l’entrée standard"), "{err}");
}
