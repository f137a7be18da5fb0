//! pytest, which runs the `tests/` of archives: locked with its hashes by the
//! release, and an environment of its own, so that no function's environment
//! knows of it.

use domain::manifest::{BaseImage, PythonVersion};

use crate::interpreter::Python;
use crate::lock::{Lock, Locked};

/// The lock of pytest for an interpreter. Its environment is built like any
/// other, once, when the first archive with tests asks for it.
pub(crate) fn pytest(python: &Python, minor: PythonVersion) -> Lock {
    Lock::new(python.clone(), minor, BaseImage::Base, false, packages(pins(minor)))
}

fn pins(minor: PythonVersion) -> &'static str {
    match minor.minor() {
        9 => include_str!("../test-tools/pytest-3.9.txt"),
        10 => include_str!("../test-tools/pytest-3.10.txt"),
        11 => include_str!("../test-tools/pytest-3.11.txt"),
        12 => include_str!("../test-tools/pytest-3.12.txt"),
        _ => include_str!("../test-tools/pytest-3.13.txt"),
    }
}

/// Reads what `uv pip compile --generate-hashes` wrote: each package by name
/// and version, then its hashes.
fn packages(pins: &str) -> Vec<Locked> {
    let mut packages: Vec<Locked> = Vec::new();
    for word in pins.split_whitespace() {
        if let Some((name, version)) = word.split_once("==") {
            let (name, version) = (name.to_owned(), version.to_owned());
            packages.push(Locked { name, version, sha256: Vec::new() });
        } else if let (Some(hash), Some(last)) =
            (word.strip_prefix("--hash=sha256:"), packages.last_mut())
        {
            last.sha256.push(hash.to_owned());
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_python_has_a_whole_lock_of_pytest() {
        for minor in PythonVersion::SUPPORTED {
            let python = Python {
                version: format!("{minor}.1"),
                abi: "cpython".into(),
                platform: "linux-x86_64".into(),
            };
            let lock = pytest(&python, minor);
            assert!(lock.verify().is_ok(), "{minor}");
            let names: Vec<_> = lock.packages.iter().map(|package| package.name.as_str()).collect();
            for needed in ["iniconfig", "packaging", "pluggy", "pytest"] {
                assert!(names.contains(&needed), "{minor}: {names:?}");
            }
            let lines = pins(minor).lines().filter(|line| line.contains("==")).count();
            assert_eq!(lines, lock.packages.len(), "{minor}");
        }
    }
}
