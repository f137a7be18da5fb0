//! Every command and every way in which it fails without a server: the
//! message says what to do next, in both languages, and as JSON.

use std::net::TcpListener;
use std::path::Path;

use domain::Lang;
use mecapy::cli;
use serde_json::Value;

use crate::program::mecapy;

/// A call that fails.
#[derive(Clone, Debug)]
struct Case {
    words: Vec<String>,
    variables: Vec<(&'static str, String)>,
    code: i32,
}

impl Case {
    fn new(words: &[&str], code: i32) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { words, variables: Vec::new(), code }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }
}

/// A command without commands below it, and its arguments.
struct Leaf {
    path: Vec<String>,
    /// Words that fill its required arguments.
    required: Vec<String>,
    options_with_value: Vec<String>,
}

fn leaves() -> Vec<Leaf> {
    fn walk(command: &clap::Command, path: &[String], all: &mut Vec<Leaf>) {
        let mut below = command.get_subcommands().filter(|c| !c.is_hide_set()).peekable();
        if below.peek().is_none() {
            let arguments = || command.get_arguments().filter(|a| !a.is_hide_set());
            // `deploy` takes an archive unless it is told a repository.
            let is_needed = |a: &clap::Arg| a.is_required_set() || a.get_id() == "archive";
            let required = arguments().filter(|a| is_needed(a) && a.is_positional());
            let valued =
                arguments().filter(|a| a.get_long().is_some() && a.get_action().takes_values());
            all.push(Leaf {
                path: path.to_vec(),
                required: required.map(|a| fill(a.get_id().as_str()).to_owned()).collect(),
                options_with_value: valued
                    .map(|a| format!("--{}", a.get_long().unwrap()))
                    .collect(),
            });
        }
        for command in below {
            walk(command, &[path, &[command.get_name().to_owned()]].concat(), all);
        }
    }
    let mut all = Vec::new();
    let mut command = cli::command(Lang::En);
    command.build();
    walk(&command, &[], &mut all);
    all
}

/// A value that an argument takes.
fn fill(id: &str) -> &'static str {
    match id {
        "shell" => "bash",
        _ => "missing",
    }
}

/// What can be wrong with a command line, whatever the command.
fn wrong_lines(leaf: &Leaf) -> Vec<Case> {
    let path: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
    let mut cases = vec![Case::new(&[&path[..], &["--nonsense"]].concat(), 2)];
    if !leaf.required.is_empty() {
        cases.push(Case::new(&path, 2));
    }
    let full: Vec<&str> =
        path.iter().copied().chain(leaf.required.iter().map(String::as_str)).collect();
    for option in &leaf.options_with_value {
        cases.push(Case::new(&[&full[..], &[option]].concat(), 2));
    }
    cases.push(Case::new(&[&full[..], &["--lang", "de"]].concat(), 2));
    cases
}

/// What can be wrong around a command that reads settings.
fn wrong_settings(leaf: &Leaf) -> Vec<Case> {
    let words = [&leaf.path[..], &leaf.required[..]].concat();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    vec![
        Case::new(&words, 2).with("MECAPY_TOKN", "x"),
        Case::new(&words, 2).with("MECAPY_ZZZZZZZZ", "x"),
        Case::new(&words, 2).with("MECAPY_SLOTS", "many"),
        Case::new(&words, 2).with("DATABASE_URL", "mysql://u:hunter2@h/d"),
        Case::new(&[&words[..], &["--config", "nowhere.toml"]].concat(), 2),
        Case::new(&[&words[..], &["--config", "wrong.toml"]].concat(), 2),
        Case::new(&[&words[..], &["--api-url", "nowhere"]].concat(), 2),
    ]
}

/// What is particular to a command.
fn particular(closed: &str, taken: &str) -> Vec<Case> {
    let mut cases = vec![
        Case::new(&["up"], 1).with("PORT", taken).with("MECAPY_DATA", "own"),
        Case::new(&["up", "--data", "wrong.toml"], 1),
        Case::new(&["up"], 2).with("TOKEN_VERIFICATION_ENABLED", "false"),
        Case::new(&["up"], 2).with("SENTRY_DSN", "hunter2"),
        Case::new(&["init", "Not A Name"], 2),
        Case::new(&["init", "there"], 2),
        Case::new(&["test", "missing"], 2),
        Case::new(&["deploy", "missing"], 3),
        Case::new(&["deploy", "missing", "--git", "https://example.com/f.git"], 2),
        Case::new(&["deploy", "missing", "--ref", "main"], 2),
        Case::new(&["deploy", "--git", "https://example.com/f.git", "--git-token", "hunter2"], 2),
        Case::new(&["deploy", "--git", "https://example.com/f.git"], 3),
        Case::new(&["backup"], 1),
        Case::new(&["backup", "wrong.toml"], 2),
        Case::new(&["backup", "nowhere/x"], 1),
        Case::new(&["backup", "--verify", "missing"], 2),
        Case::new(&["backup", "--verify", "wrong.toml"], 1),
        Case::new(&["backup", "--passphrase-file", "missing"], 1),
        Case::new(&["backup", "--passphrase-file", "wrong.toml"], 1),
        Case::new(&["restore", "missing"], 2),
        Case::new(&["restore", "wrong.toml"], 1),
        Case::new(&["restore", "wrong.toml", "--data", "there"], 2),
        Case::new(&["migrate"], 2),
        Case::new(&["migrate", "status"], 2),
        Case::new(&["migrate", "down", "--yes"], 2),
        Case::new(&["man", "--into", "wrong.toml"], 1),
        Case::new(&["completions", "tcsh"], 2),
    ];
    for words in [
        &["run", "bolt"][..],
        &["tasks"],
        &["tasks", "list"],
        &["tasks", "show", "x"],
        &["tasks", "logs", "x"],
        &["tasks", "cancel", "x"],
        &["tasks", "result", "x"],
        &["tasks", "artifacts", "x"],
        &["functions"],
        &["functions", "list"],
        &["functions", "show", "bolt"],
        &["functions", "delete", "bolt"],
        &["bench", "bolt"],
    ] {
        cases.push(Case::new(words, 3));
        cases.push(Case::new(words, 3).with("MECAPY_API_URL", closed));
    }
    cases
}

/// Words by which a message says what to do next.
const NEXT: [&[&str]; 2] = [
    &["`", "--", "expected", "did you mean", "see ", "check ", "name ", "choose ", "remove "],
    &["`", "--", "attendu", "vouliez-vous", "voir ", "vérifiez ", "donnez ", "choisissez "],
];

fn folder(home: &Path) {
    std::fs::write(home.join("wrong.toml"), "slots = [\n").unwrap();
    std::fs::create_dir(home.join("there")).unwrap();
    std::fs::write(home.join("there/mecapy.yaml"), "x").unwrap();
}

#[test]
fn every_failure_of_every_command_says_what_to_do_next() {
    let home = tempfile::tempdir().unwrap();
    folder(home.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port().to_string();
    // A port that was free a moment ago, and nobody listens on.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{free}");
    let leaves = leaves();
    assert!(leaves.len() >= 18, "{}", leaves.len());
    let mut cases = particular(&closed, &taken);
    for leaf in &leaves {
        cases.extend(wrong_lines(leaf));
        if !["completions", "man"].contains(&leaf.path[0].as_str()) {
            cases.extend(wrong_settings(leaf));
        }
    }
    let mut faults = Vec::new();
    for case in &cases {
        faults
            .extend(told(home.path(), case).into_iter().map(|fault| format!("{case:?}: {fault}")));
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

/// What is wrong with how a call fails.
fn told(home: &Path, case: &Case) -> Vec<String> {
    let variables: Vec<(&str, &str)> =
        case.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let call = |more: &[&str], locale: &str| {
        let words: Vec<&str> =
            case.words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        mecapy(home, &words, &[&variables[..], &[("LANG", locale)]].concat())
    };
    let mut faults = Vec::new();
    let mut messages = Vec::new();
    for (at, (locale, begin)) in
        [("en_GB.UTF-8", "error: "), ("fr_FR.UTF-8", "erreur : ")].into_iter().enumerate()
    {
        let called = call(&[], locale);
        let message = called.err.to_lowercase();
        if called.code != case.code {
            faults.push(format!("ended with {} ({})", called.code, called.err));
        }
        if !message.contains(begin) {
            faults.push(format!("no {begin:?} in {message:?}"));
        }
        if !NEXT[at].iter().any(|word| message.contains(word)) {
            faults.push(format!("nothing to do next in {message:?}"));
        }
        for never in ["hunter2", "panicked", "\u{1b}["] {
            if message.contains(never) {
                faults.push(format!("{never:?} in {message:?}"));
            }
        }
        messages.push(message);
    }
    if messages[0].trim_start_matches("error: ") == messages[1].trim_start_matches("erreur : ") {
        faults.push(format!("not translated: {:?}", messages[1]));
    }
    // The option's missing value would take the next word for it.
    let value_missing = case.words.last().is_some_and(|word| word.starts_with("--"));
    if !value_missing {
        let called = call(&["--json"], "en_GB.UTF-8");
        let detail =
            serde_json::from_str::<Value>(&called.out).map(|value| value["detail"].clone());
        if !detail.as_ref().is_ok_and(Value::is_string) {
            faults.push(format!("no detail as JSON: {}{}", called.out, called.err));
        }
    }
    faults
}

#[test]
fn nothing_is_coloured_and_no_bar_is_drawn_where_nobody_watches() {
    let home = tempfile::tempdir().unwrap();
    for words in [&["doctor", "--json"][..], &["--help"], &["tasks"], &["init", "bolt"]] {
        let called = mecapy(home.path(), words, &[]);
        assert!(!(called.out + &called.err).contains('\u{1b}'), "{words:?}");
    }
}

#[test]
fn completions_know_every_command_in_each_shell() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        // Wrong settings must not break a shell's start.
        let called = mecapy(home.path(), &["completions", shell], &[("MECAPY_TOKN", "x")]);
        assert_eq!(called.code, 0, "{}", called.err);
        for leaf in leaves() {
            assert!(called.out.contains(&leaf.path[0]), "{shell}: {:?}", leaf.path);
        }
        assert!(called.out.contains("passphrase-file"), "{shell}");
    }
    let script = mecapy(home.path(), &["completions", "bash"], &[]).out;
    let file = home.path().join("completions");
    std::fs::write(&file, script).unwrap();
    let complete = "source ./completions; COMP_WORDS=(mecapy rest); COMP_CWORD=1; \
                    _mecapy mecapy rest mecapy; echo \"${COMPREPLY[@]}\"";
    let done = std::process::Command::new("bash")
        .args(["-c", complete])
        .current_dir(home.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "restore");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let home = tempfile::tempdir().unwrap();
    let page = mecapy(home.path(), &["man"], &[]).out;
    assert!(page.contains(".TH mecapy 1") && page.contains(".SH NAME"), "{page}");
    let called = mecapy(home.path(), &["man", "--into", "pages"], &[]);
    assert_eq!(called.code, 0, "{}", called.err);
    for leaf in leaves() {
        let file = home.path().join(format!("pages/mecapy-{}.1", leaf.path.join("-")));
        let page = std::fs::read_to_string(&file).unwrap();
        assert!(page.contains(&format!("mecapy\\-{}", leaf.path.join("\\-"))), "{page}");
    }
}
