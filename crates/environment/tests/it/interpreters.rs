//! Which interpreters are found, and why others are not used.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use domain::Lang;
use domain::manifest::PythonVersion;
use environment::settings::Pythons;
use environment::{Error, Interpreters, Log};

use crate::fixture::Fixture;

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn what_a_sandbox_binds_is_enough_to_tell_where_the_interpreter_lives() {
    let found = Interpreters::discover(&Fixture::with_pypi().settings.pythons).await;
    assert!(!found.found().is_empty(), "no interpreter was found: {:?}", found.skipped());
    for interpreter in found.found() {
        let version = &interpreter.python.version;
        assert!(version.starts_with(&format!("{}.", interpreter.minor)), "{version}");
        assert_eq!(interpreter.executable, interpreter.executable.canonicalize().unwrap());
        assert!(!interpreter.executable.components().any(|part| part.as_os_str() == "shims"));
        let bound = |path: &Path| interpreter.binds.iter().any(|bind| path.starts_with(bind));
        assert!(bound(&interpreter.executable), "{interpreter:?}");
        assert!(bound(&interpreter.stdlib), "{interpreter:?}");
        assert!(!interpreter.binds.iter().any(|bind| bind == Path::new("/usr")));
        assert!(!interpreter.library_dirs.is_empty(), "libc lies somewhere");
    }
}

#[tokio::test]
async fn the_default_is_the_preferred_version_else_the_newest() {
    let mut pythons = Fixture::with_pypi().settings.pythons;
    let found = Interpreters::discover(&pythons).await;
    let newest = found.found().iter().map(|interpreter| interpreter.minor).max().unwrap();
    let has_preferred = found.get(PythonVersion::PREFERRED).is_ok();
    let expected = if has_preferred { PythonVersion::PREFERRED } else { newest };
    assert_eq!(found.default().unwrap().minor, expected);

    pythons.default = Some(newest);
    assert_eq!(Interpreters::discover(&pythons).await.default().unwrap().minor, newest);
}

#[tokio::test]
async fn an_interpreter_that_fails_is_skipped_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    script(&place("shim"), "#!/bin/sh\nexit 127\n");
    script(&place("chatty"), "#!/bin/sh\necho hello\n");
    script(&place("gone"), "#!/no/such/program\n");
    let old = r#"{"implementation": "cpython", "version": "3.8.2", "abi": "x", "platform": "y",
        "prefixes": [], "stdlib": [], "libraries": [], "missing": []}"#;
    script(&place("old"), &format!("#!/bin/sh\necho '{old}'\n"));
    script(&place("pypy"), &format!("#!/bin/sh\necho '{}'\n", old.replace("cpython", "pypy")));
    let bare = old.replace("3.8", "3.12").replace("\"missing\": []", "\"missing\": [\"ctypes\"]");
    script(&place("bare"), &format!("#!/bin/sh\necho '{bare}'\n"));
    let names = ["shim", "chatty", "gone", "old", "pypy", "bare", "absent"];
    let pythons = Pythons {
        executables: names.iter().map(|name| place(name)).collect(),
        ..Pythons::default()
    };

    let found = Interpreters::discover(&pythons).await;

    let reason = |name: &str, lang| {
        let skipped = found.skipped().iter().find(|skipped| skipped.executable.ends_with(name));
        skipped.unwrap().reason.get(lang).to_owned()
    };
    assert_eq!(
        reason("shim", Lang::En),
        "it ended with exit status: 127 when asked who it is; it may be a shim or damaged"
    );
    assert!(reason("chatty", Lang::Fr).starts_with("sa réponse n'est pas comprise"));
    assert!(reason("gone", Lang::En).starts_with("it does not start: No such file"));
    assert_eq!(reason("old", Lang::En), "it is Python 3.8.2; versions 3.9 to 3.13 are supported");
    assert_eq!(reason("pypy", Lang::Fr), "c'est pypy ; seul CPython est pris en charge");
    assert_eq!(
        reason("bare", Lang::En),
        "its standard library lacks ctypes; install its full package"
    );
    assert_eq!(
        reason("absent", Lang::En),
        "there is no such file; correct the operator's list of interpreters"
    );
}

#[tokio::test]
async fn the_operators_own_interpreter_comes_first_and_links_lead_to_the_binary() {
    let all = Interpreters::discover(&Fixture::with_pypi().settings.pythons).await;
    let last = all.found().last().unwrap().clone();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("my-python");
    std::os::unix::fs::symlink(&last.executable, &link).unwrap();
    let pythons = Pythons { executables: vec![link], ..Pythons::default() };

    let found = Interpreters::discover(&pythons).await;

    assert_eq!(found.get(last.minor).unwrap(), &last);
    assert_eq!(found.found()[0], last);
}

#[tokio::test]
async fn an_interpreter_is_fetched_only_from_the_operators_mirror() {
    let mut fixture = Fixture::with_pypi();
    let version = PythonVersion::PREFERRED;
    let refused = fixture.open().await.install_python(version, &Log::silent()).await.unwrap_err();
    assert!(matches!(refused, Error::NoMirror));
    assert!(refused.text().fr.starts_with("aucun miroir d'interpréteurs n'est réglé"));

    let empty = fixture.folder.path().join("mirror");
    fs::create_dir(&empty).unwrap();
    fixture.settings.pythons.mirror = Some(format!("file://{}", empty.display()));
    let failed = fixture.open().await.install_python(version, &Log::silent()).await.unwrap_err();
    let told = failed.text().en;
    assert!(told.contains(&empty.display().to_string()), "{told}");
}
