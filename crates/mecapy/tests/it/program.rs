//! Calls of the built program, without the settings of whoever runs tests.

use std::path::Path;
use std::process::{Command, Output};

/// What a call printed and how it ended.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

/// Calls the program with `home` as the user's folder.
pub(crate) fn mecapy(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Called {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_mecapy"))
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .envs(variables.iter().copied())
        .current_dir(home)
        .output()
        .unwrap();
    Called {
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
        code: status.code().unwrap(),
    }
}
