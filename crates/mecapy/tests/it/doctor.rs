//! `mecapy doctor` on this machine: for root, for a user, and where something
//! is missing.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::Called;

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// A folder with the program and `uv`, which everybody may read, a home, and a
/// folder of temporary files.
struct Place {
    folder: tempfile::TempDir,
    owner: Option<u32>,
}

impl Place {
    fn for_root() -> Self {
        Self::owned_by(None)
    }

    /// The checkout may lie where only its owner can read.
    fn for_nobody() -> Self {
        Self::owned_by(Some(NOBODY))
    }

    fn owned_by(owner: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_mecapy"), folder.path().join("mecapy")).unwrap();
        fs::copy(test_support::tools::uv(), folder.path().join("uv")).unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            chown(folder.path().join(name), owner, owner).unwrap();
        }
        Self { folder, owner }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("MECAPY_UV", self.path("uv"))
            .current_dir(self.path("home"));
        if let Some(id) = self.owner {
            command.uid(id).gid(id);
        }
        command
    }

    fn mecapy(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Called {
        let mut command = self.command(&self.path("mecapy"));
        called(command.args(arguments).envs(variables.iter().copied()))
    }

    /// The JSON of a call, with how it ended.
    fn report(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, Value) {
        let called = self.mecapy(&[&["doctor", "--json"], arguments].concat(), variables);
        assert_eq!(called.err, "", "{}", called.out);
        (called.code, serde_json::from_str(&called.out).unwrap())
    }

    fn is_untouched(&self) -> bool {
        let empty = |name| fs::read_dir(self.path(name)).unwrap().next().is_none();
        empty("home") && empty("tmp")
    }
}

fn called(command: &mut Command) -> Called {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Called {
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
        code: status.code().unwrap(),
    }
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

fn failed(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["status"] == "failed");
    failed.map(|check| check["name"].as_str().unwrap()).collect()
}

#[test]
fn for_root_every_check_is_good_and_nothing_is_left_behind() {
    let place = Place::for_root();
    let called = place.mecapy(&["doctor"], &[]);
    assert_eq!((called.code, called.err.as_str()), (0, ""), "{}", called.out);
    let lines: Vec<&str> = called.out.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(lines.len(), 12, "ten checks, an empty line, the summary: {}", called.out);
    assert!(lines.iter().all(|line| !line.starts_with('✗')), "{}", called.out);
    assert!(lines[9].starts_with("✓ calculation   94080 N / 245 mm² = 384.0 MPa in "));
    assert!(lines[11].starts_with("Calculations can run on this machine"));
    assert!(!called.out.contains('\u{1b}'), "colours are for terminals only");
    assert!(place.is_untouched());
}

#[test]
fn programs_get_one_object_with_ten_checks_and_a_summary() {
    let (code, report) = Place::for_root().report(&[], &[]);
    assert_eq!((code, failed(&report)), (0, Vec::new()));
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["checks", "summary"]);
    for check in report["checks"].as_array().unwrap() {
        let keys: Vec<&String> = check.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["name", "status", "found", "details", "missing", "remedy"]);
        assert_eq!(check["status"] == "ok", check["missing"].is_null(), "{check}");
        assert_eq!(check["status"] == "ok", check["remedy"].is_null(), "{check}");
    }
    assert_eq!(report["checks"].as_array().unwrap().len(), 10);
    assert_eq!(report["summary"]["can_run"], true);
}

#[test]
fn a_user_without_rights_is_told_what_is_missing_and_how_to_mend_it() {
    let place = Place::for_nobody();
    let (code, report) = place.report(&[], &[]);
    assert_eq!(code, 1, "{report}");
    for name in ["cgroups", "uid_maps", "calculation"] {
        assert_eq!(check(&report, name)["status"], "failed", "{report}");
        assert!(!check(&report, name)["remedy"].as_str().unwrap().is_empty());
    }
    let remedy = check(&report, "uid_maps")["remedy"].as_str().unwrap();
    assert!(remedy.contains("sudo usermod --add-subuids "), "{remedy}");
    assert!(check(&report, "cgroups")["remedy"].as_str().unwrap().contains("as root"));
    assert_eq!(report["summary"]["can_run"], false);
    assert!(place.is_untouched());
}

#[test]
fn lines_for_people_hold_the_remedy_in_their_language() {
    let place = Place::for_nobody();
    let called = place.mecapy(&["doctor"], &[("LANG", "fr_FR.UTF-8")]);
    assert_eq!((called.code, called.err.as_str()), (1, ""), "{}", called.out);
    assert!(called.out.contains("\n✗ plages d’uid     "), "{}", called.out);
    assert!(called.out.contains(
        "\n    → lancez MecaPy en root, ou donnez-lui-en :\n        sudo usermod --add-subuids "
    ));
    let last = called.out.lines().last().unwrap();
    assert!(last.starts_with("Les calculs ne peuvent pas s’exécuter sur cette machine : "));
}

#[test]
fn a_server_that_can_not_start_its_sandbox_points_to_doctor() {
    let place = Place::for_nobody();
    for (lang, said) in [
        ("en", "`mecapy doctor` checks this machine and says how to mend it\n"),
        ("fr", "`mecapy doctor` contrôle cette machine et dit comment y remédier\n"),
    ] {
        let called = place.mecapy(&["up", "--port", "0", "--lang", lang], &[]);
        assert_eq!(called.code, 1, "{called:?}");
        assert!(called.err.ends_with(said), "{called:?}");
    }
}

#[test]
fn without_uv_only_its_line_fails() {
    let place = Place::for_root();
    let (code, report) = place.report(&[], &[("MECAPY_UV", "/nowhere/uv")]);
    assert_eq!((code, failed(&report)), (1, vec!["uv"]));
    let uv = check(&report, "uv");
    assert_eq!(uv["missing"], "MECAPY_UV names /nowhere/uv, and no program is there");
    assert!(uv["remedy"].as_str().unwrap().contains("install"));
    assert_eq!(check(&report, "calculation")["status"], "ok");
}

#[test]
fn a_uv_that_is_none_and_an_interpreter_that_is_not_there_are_told() {
    let place = Place::for_root();
    let no_uv = place.path("no-uv");
    fs::write(&no_uv, "#!/bin/sh\necho something else\n").unwrap();
    fs::set_permissions(&no_uv, fs::Permissions::from_mode(0o755)).unwrap();
    let variables =
        [("MECAPY_UV", no_uv.to_str().unwrap()), ("MECAPY_PYTHONS", "/nowhere/python3.12")];
    let (code, report) = place.report(&["--lang", "fr"], &variables);
    assert_eq!((code, failed(&report)), (1, vec!["uv"]));
    assert!(check(&report, "uv")["missing"].as_str().unwrap().contains("ne peut pas servir de uv"));
    let pythons = check(&report, "interpreters");
    assert_eq!(pythons["status"], "warning");
    assert!(
        pythons["missing"].as_str().unwrap().starts_with("/nowhere/python3.12 n’est pas utilisé")
    );
}

#[test]
fn a_full_disk_is_a_fault_and_nothing_is_written_on_it() {
    let place = Place::for_root();
    // A mount namespace of its own: the small disk ends with the call.
    let script = "mount -t tmpfs -o size=1M none \"$HOME\" && { ../mecapy doctor --json --data \"$HOME/data\"; \
                  code=$?; ls -A \"$HOME\" >&2; exit $code; }";
    let mut command = place.command(Path::new("unshare"));
    let path = std::env::var_os("PATH").unwrap();
    command.env("PATH", path).args(["--mount", "sh", "-c", script]);
    let called = called(&mut command);
    assert_eq!((called.code, called.err.as_str()), (1, ""), "{called:?}");
    let report: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(failed(&report), ["disk"]);
    let missing = check(&report, "disk")["missing"].as_str().unwrap();
    assert!(missing.starts_with("expected 5.0 GB free for "), "{missing}");
    assert!(check(&report, "disk")["remedy"].as_str().unwrap().contains("mecapy up --data"));
}

#[test]
fn a_call_that_is_interrupted_leaves_nothing_behind() {
    let place = Place::for_root();
    let mut child = place
        .command(&place.path("mecapy"))
        .arg("doctor")
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // The calculation has begun when its folder is there.
    while fs::read_dir(place.path("tmp")).unwrap().next().is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it calculated");
        std::thread::yield_now();
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(place.is_untouched());
}
