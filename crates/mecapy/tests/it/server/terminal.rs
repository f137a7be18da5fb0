//! The command line on a terminal of its own, which `script` makes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use test_support::archive::Archive;
use uuid::Uuid;

use super::{deploy, server};
use crate::program::{Called, mecapy};

/// Calls the program on a terminal of so many columns; what the terminal got.
fn on_terminal(home: &Path, columns: u32, command: &str, variables: &[(&str, &str)]) -> Called {
    let program = env!("CARGO_BIN_EXE_mecapy");
    let line = format!("stty cols {columns} rows 50 && '{program}' {command}");
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .envs(variables.iter().copied())
        .current_dir(home)
        .output()
        .unwrap();
    Called {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

#[test]
fn a_terminal_gets_colours_bars_that_vanish_and_no_orders_from_a_calculation() {
    const HANDLER: &str = "\
import time
from mecapy_runtime import progress

def calculate(inputs):
    time.sleep(0.3)
    print('\\x1b]0;owned\\x07\\x1b[2Jsigma')
    progress(1, 2, 'half\\x1b[2J')
    time.sleep(1.5)
    if inputs.get('fail'):
        raise ValueError('no \\x1b[2Jgood')
    return {'stress': 1.5, 'note': 'a\\x1b[2Jb'}
";
    let running = server();
    deploy(&running.client, &Archive::new("slow", HANDLER));
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let data = running.data().to_str().unwrap().to_owned();
    let variables = [("MECAPY_DATA", data.as_str())];
    let seen = on_terminal(home, 100, "run slow", &variables);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(seen.out.contains("50 % (1/2) half"), "{seen:?}");
    assert!(seen.out.contains("sigma"), "{seen:?}");
    assert!(seen.out.contains("stress  1.5"), "{seen:?}");
    assert!(seen.out.contains("\u{1b}[2m"), "what matters less is faint: {seen:?}");
    // Whatever was drawn on the way is erased before the result.
    let before = seen.out.split("stress").next().unwrap();
    assert!(before.rfind("\u{1b}[2K") > before.rfind("50 %"), "{before:?}");
    assert!(!seen.out.contains("\u{1b}[2J") && !seen.out.contains("\u{1b}]0"), "{seen:?}");
    let failed = on_terminal(home, 100, "run slow fail=true", &variables);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.out.contains("no [2Jgood"), "{failed:?}");

    let id = running.client.get("/tasks?limit=1").json()["items"][0]["task_id"].clone();
    let logs = format!("tasks logs {}", id.as_str().unwrap());
    let shown = on_terminal(home, 100, &logs, &variables);
    assert_eq!(shown.out.trim(), "]0;owned[2Jsigma");
    let words: Vec<&str> = logs.split(' ').collect();
    let piped = mecapy(home, &words, &variables);
    assert_eq!(piped.out, "\u{1b}]0;owned\u{7}\u{1b}[2Jsigma\n", "programs get what was written");

    // On a terminal that can only append, and on a pipe, nothing is redrawn.
    let dumb = [("MECAPY_DATA", data.as_str()), ("TERM", "dumb")];
    let seen = on_terminal(home, 100, "run slow", &dumb);
    assert!(seen.out.contains("sigma") && !seen.out.contains('\u{1b}'), "{seen:?}");
    let seen = on_terminal(home, 100, "run slow", &[("MECAPY_DATA", &data), ("NO_COLOR", "1")]);
    assert!(!seen.out.contains("\u{1b}[2m"), "{seen:?}");
    let piped = mecapy(home, &["run", "slow"], &variables);
    assert!(!piped.out.contains('\u{1b}') && piped.err.is_empty(), "{piped:?}");
    let forced = mecapy(home, &["run", "slow"], &[("MECAPY_DATA", &data), ("CLICOLOR_FORCE", "1")]);
    assert!(forced.out.contains("\u{1b}[2m"), "{forced:?}");
}

#[test]
fn a_server_on_a_terminal_says_where_it_is_and_leaves_that_in_sight() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let uv = test_support::tools::uv().display().to_string();
    let program = env!("CARGO_BIN_EXE_mecapy");
    let line = format!("'{program}' up --port 0");
    let mut up = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh"), ("MECAPY_UV", &uv)])
        .envs([("MECAPY_DATA", data.as_str()), ("NO_COLOR", "1")])
        .env("HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut seen: Vec<String> = Vec::new();
    while seen.last().is_none_or(|line| !line.contains("Ctrl-C ends it")) {
        seen.push(lines.next().unwrap_or_else(|| panic!("it ended: {seen:?}")));
    }
    let called = mecapy(folder.path(), &["tasks"], &[("MECAPY_DATA", &data)]);
    assert_eq!(called.code, 0, "{called:?}");
    let mut terminal = up.stdin.take().unwrap();
    terminal.write_all(b"\x03").unwrap();
    terminal.flush().unwrap();
    seen.extend(lines);
    // The shell between them gets the key, too, so the code is its own.
    up.wait().unwrap();
    let seen = seen.join("\n");
    let url = seen.split("MecaPy is ready at ").nth(1).unwrap().lines().next().unwrap().trim();
    assert!(seen.contains(&format!("  the API, to read: {url}/docs")), "{seen}");
    assert!(seen.contains(&format!("  the administrator's token: {data}/admin.token")), "{seen}");
    assert!(!seen.contains("INFO"), "requests push the address out of sight: {seen}");
}

#[test]
fn a_narrow_terminal_keeps_ids_whole() {
    let running = server();
    let words = "a description that is somewhat longer than a narrow terminal is wide";
    let archive = super::echo().set("metadata.description", json!(words));
    deploy(&running.client, &archive);
    let folder = tempfile::tempdir().unwrap();
    let variables = [("MECAPY_DATA", running.data().to_str().unwrap())];
    let seen = on_terminal(folder.path(), 40, "functions", &variables);
    let lines: Vec<&str> = seen.out.lines().map(|line| line.trim_end_matches('\r')).collect();
    assert!(lines.len() > 2, "{seen:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
    let wide = on_terminal(folder.path(), 200, "functions", &variables);
    assert!(wide.out.contains(words), "{wide:?}");
}

#[test]
fn a_deletion_is_asked_for_on_a_terminal_and_only_there() {
    let running = server();
    let folder = tempfile::tempdir().unwrap();
    let data = running.data().to_str().unwrap().to_owned();
    let variables = [("MECAPY_DATA", data.as_str())];
    deploy(&running.client, &super::echo());
    let typed = |answer: &str, lang: &str| {
        let program = env!("CARGO_BIN_EXE_mecapy");
        let line = format!("'{program}' functions delete echo --lang {lang}");
        let mut asked = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh"), ("MECAPY_DATA", &data)])
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        asked.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let output = asked.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = typed("n\n", "en");
    assert!(said.contains("Delete echo with its 1 version(s)? y or n"), "{said}");
    assert!(code == 2 && said.contains("nothing was deleted"), "{said}");
    let (code, said) = typed("o\n", "fr");
    assert!(said.contains("Supprimer echo avec ses 1 version(s) ? o ou n"), "{said}");
    assert!(code == 0 && said.contains("echo supprimée"), "{said}");
    deploy(&running.client, &super::echo());
    let called = mecapy(folder.path(), &["functions", "delete", "echo"], &variables);
    assert_eq!(called.code, 0, "{called:?}");
    deploy(&running.client, &super::echo());
    assert_eq!(on_terminal(folder.path(), 100, "functions delete echo --yes", &variables).code, 0);
}

#[test]
fn what_is_sent_has_a_bar_that_vanishes() {
    let running = server();
    // Nothing that a ZIP could shorten.
    let noise: Vec<u8> = (0..250_000).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("sized");
    super::echo().file("noise.bin", noise.clone()).write_to(&source).unwrap();
    std::fs::write(folder.path().join("noise.bin"), noise).unwrap();
    let data = running.data().to_str().unwrap();
    let variables = [("MECAPY_DATA", data), ("LANG", "fr_FR.UTF-8")];
    for command in ["deploy sized", "run echo --file data=noise.bin"] {
        let seen = on_terminal(folder.path(), 100, command, &variables);
        assert_eq!(seen.code, 0, "{seen:?}");
        assert!(seen.out.contains("envoi [=") && seen.out.contains(" Mo  "), "{seen:?}");
        assert!(seen.out.rfind("\u{1b}[2K") > seen.out.rfind("envoi"), "{seen:?}");
        let piped = mecapy(folder.path(), &command.split(' ').collect::<Vec<_>>(), &variables);
        assert!(!piped.err.contains("envoi") && !piped.out.contains("envoi"), "{piped:?}");
    }
}

#[test]
fn the_locale_chooses_the_language_of_every_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let said = |variables: &[(&str, &str)]| mecapy(folder.path(), &["tasks"], variables).err;
    let url = ("MECAPY_API_URL", "http://127.0.0.1:1");
    for (variables, word) in [
        (vec![url, ("LANG", "fr_FR.UTF-8")], "erreur : "),
        (vec![url, ("LANG", "en_GB.UTF-8"), ("LC_MESSAGES", "fr_CA.UTF-8")], "erreur : "),
        (vec![url, ("LC_MESSAGES", "fr_CA.UTF-8"), ("LC_ALL", "C")], "error: "),
        (vec![url, ("LANG", "de_DE.UTF-8")], "error: "),
    ] {
        let said = said(&variables);
        assert!(said.starts_with(word), "{variables:?}: {said}");
    }
}
