//! The help pages, in both languages.

use crate::program::mecapy;

const PAGES: &[&str] = &[
    "",
    "up",
    "init",
    "test",
    "deploy",
    "run",
    "tasks",
    "tasks list",
    "tasks artifacts",
    "functions",
    "functions list",
    "login",
    "logout",
    "token",
    "token create",
    "user",
    "user invite",
    "user role",
    "company",
    "company create",
    "bench",
    "doctor",
    "backup",
    "restore",
    "migrate",
    "migrate to",
    "completions",
    "man",
];

fn pages(lang: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut pages = String::new();
    for page in PAGES {
        let mut words: Vec<&str> = page.split(' ').filter(|word| !word.is_empty()).collect();
        words.extend(["--help", "--lang", lang]);
        let called = mecapy(home.path(), &words, &[]);
        assert_eq!((called.code, called.err.as_str()), (0, ""), "{page}");
        pages += &format!("$ mecapy {}\n{}\n", words.join(" "), called.out);
    }
    pages
}

#[test]
fn the_help_pages_in_english() {
    insta::assert_snapshot!(pages("en"));
}

#[test]
fn the_help_pages_in_french() {
    let pages = pages("fr");
    for english in ["Usage", "Print", "possible values", "default:"] {
        assert!(!pages.contains(english), "{english}");
    }
    insta::assert_snapshot!(pages);
}

#[test]
fn help_is_a_command_too() {
    let home = tempfile::tempdir().unwrap();
    for page in ["", "up", "tasks list"] {
        let words: Vec<&str> = page.split(' ').filter(|word| !word.is_empty()).collect();
        let option = mecapy(home.path(), &[&words[..], &["--help"]].concat(), &[]);
        let command = mecapy(home.path(), &[&["help"], &words[..]].concat(), &[]);
        assert_eq!((command.code, command.out), (0, option.out), "{page}");
    }
}
