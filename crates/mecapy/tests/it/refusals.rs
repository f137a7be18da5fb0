//! What is said, in which language, and with which exit code, where something
//! can't be done.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::program::mecapy;

#[test]
fn a_wrong_setting_is_a_usage_error_in_the_language_of_the_locale() {
    let home = tempfile::tempdir().unwrap();
    let called = mecapy(home.path(), &["tasks"], &[("MECAPY_TOKN", "x"), ("LANG", "fr_FR.UTF-8")]);
    assert_eq!(called.code, 2);
    assert_eq!(
        called.err,
        "erreur : la variable d’environnement MECAPY_TOKN n’est pas un réglage ; vouliez-vous dire MECAPY_TOKEN ?\n"
    );
    assert_eq!(called.out, "");
}

#[test]
fn without_a_server_clients_say_how_to_start_one() {
    let home = tempfile::tempdir().unwrap();
    let called = mecapy(home.path(), &["run", "bolt-stress", "force=1"], &[]);
    assert_eq!(called.code, 3);
    assert!(called.err.starts_with("error: no server runs on this machine"), "{}", called.err);
    assert!(called.err.contains("`mecapy up`"));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let home = tempfile::tempdir().unwrap();
    // A port that was free a moment ago, and nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let called = mecapy(home.path(), &["tasks", "--lang", "fr"], &[("MECAPY_API_URL", &url)]);
    assert_eq!(called.code, 3);
    assert!(called.err.starts_with(&format!("erreur : le serveur à {url} est injoignable : ")));
}

#[test]
fn with_json_a_failure_is_one_json_value_on_standard_output() {
    let home = tempfile::tempdir().unwrap();
    let called = mecapy(home.path(), &["tasks", "--json"], &[]);
    assert_eq!((called.code, called.err.as_str()), (3, ""));
    let value: serde_json::Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(value["code"], "command_failed");
    assert_eq!(value["exit_code"].to_string(), "3");
    let called = mecapy(home.path(), &["--json", "tasks", "list", "--lmit", "3"], &[]);
    let value: serde_json::Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(called.code, 2);
    assert!(value["detail"].as_str().unwrap().contains("did you mean `--limit`?"));
}

#[test]
fn a_start_without_token_verification_is_refused_outside_development() {
    let home = tempfile::tempdir().unwrap();
    let called = mecapy(home.path(), &["up"], &[("TOKEN_VERIFICATION_ENABLED", "false")]);
    assert_eq!(called.code, 2);
    assert!(called.err.contains("expected ENVIRONMENT=development beside it"), "{}", called.err);
}

#[test]
fn the_token_of_a_refused_start_is_never_shown() {
    let home = tempfile::tempdir().unwrap();
    let variables =
        [("MECAPY_TOKEN", "mp_hunter2"), ("MECAPY_INDEX_URL", "ftp://u:hunter2@x"), ("PORT", "x")];
    let called = mecapy(home.path(), &["up"], &variables);
    assert_eq!(called.code, 2);
    assert!(!called.err.contains("hunter2"), "{}", called.err);
}

#[test]
fn a_token_on_the_command_line_is_refused_and_not_shown() {
    let home = tempfile::tempdir().unwrap();
    for (lang, said) in [
        (
            "en",
            "error: --token: expected `-`, and the token on standard input: everybody on this machine can read a command line\n",
        ),
        (
            "fr",
            "erreur : --token : attendu : `-`, et le jeton sur l’entrée standard : chacun sur cette machine peut lire une ligne de commande\n",
        ),
    ] {
        let called = mecapy(home.path(), &["login", "--token", "hunter2", "--lang", lang], &[]);
        assert_eq!((called.code, called.err.as_str()), (2, said));
    }
}

#[test]
fn a_folder_without_a_function_says_how_to_begin() {
    let home = tempfile::tempdir().unwrap();
    for command in ["test", "deploy"] {
        let called = mecapy(home.path(), &[command], &[]);
        assert_eq!(called.code, 2);
        assert_eq!(
            called.err,
            "error: expected a folder with mecapy.yaml and handler.py, found . without them; `mecapy init NAME` makes one\n"
        );
    }
}

#[test]
fn another_users_data_folder_is_said_to_be_unreadable() {
    use std::os::unix::process::CommandExt as _;

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("mecapy");
    std::fs::copy(env!("CARGO_BIN_EXE_mecapy"), &program).unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let only_its_owner = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&data, only_its_owner).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = std::process::Command::new(&program)
        .args(["tasks", "--data"])
        .arg(&data)
        .env_clear()
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("can't be read (Permission denied"), "{said}");
    assert!(said.contains("log in with `mecapy login --api-url URL`"), "{said}");
}
