//! `mecapy init` writes a good archive and touches nothing that exists.

use domain::limits::Limits;
use package::Policy;

use crate::program::mecapy;

#[test]
fn init_writes_an_archive_without_faults_in_both_languages() {
    let home = tempfile::tempdir().unwrap();
    for lang in ["en", "fr"] {
        let name = format!("bolt-{lang}");
        let called = mecapy(home.path(), &["init", &name, "--lang", lang], &[]);
        assert_eq!((called.code, called.err.as_str()), (0, ""));
        assert!(called.out.contains("handler.py"), "{}", called.out);
        let files = mecapy::commands::folder::files(&home.path().join(&name)).unwrap();
        let package = package::read_dir(files, &Limits::default(), Policy::DenyList).unwrap();
        assert_eq!(package.manifest.metadata.name, name);
    }
}

#[test]
fn init_touches_nothing_that_exists() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("bolt")).unwrap();
    std::fs::write(home.path().join("bolt/handler.py"), "mine").unwrap();
    let called = mecapy(home.path(), &["init", "bolt"], &[]);
    assert_eq!(called.code, 2);
    assert!(called.err.contains("expected a new folder, found bolt/handler.py"), "{}", called.err);
    assert_eq!(std::fs::read(home.path().join("bolt/handler.py")).unwrap(), b"mine");
    assert!(!home.path().join("bolt/mecapy.yaml").exists());
}

#[test]
fn init_refuses_a_name_that_no_function_can_have() {
    let home = tempfile::tempdir().unwrap();
    let called = mecapy(home.path(), &["init", "Bolt Stress", "--lang", "fr"], &[]);
    assert_eq!(called.code, 2);
    assert!(called.err.contains("un nom de 1 à 63 caractères"), "{}", called.err);
}
