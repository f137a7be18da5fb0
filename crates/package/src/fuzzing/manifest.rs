//! Manifests: every fault has its place in the text, and what was read can be
//! stored.

use domain::limits::Limits;
use domain::manifest::Manifest;
use domain::{Fault, Severity};

use super::sentences;
use crate::{Policy, code, read_dir};

const HANDLER: &[u8] = b"def calculate(inputs):\n    return {}\n";

/// Reads bytes as `mecapy.yaml`, and as `pyproject.toml`.
///
/// # Panics
/// Where reading breaks one of its promises.
pub fn manifest(bytes: &[u8]) {
    for file in ["mecapy.yaml", "pyproject.toml"] {
        let files = [(file, bytes), ("handler.py", HANDLER)];
        let files = files.map(|(path, content)| (path.to_owned(), content.to_vec()));
        let faults = match read_dir(files.into(), &Limits::default(), Policy::DenyList) {
            Ok(package) => {
                let stored = serde_json::to_string(&package.manifest).expect("it can be stored");
                let read: Manifest = serde_json::from_str(&stored).expect("it can be read");
                // Reading writes `1e300` as `1e+300`, and then leaves it so.
                let stored = serde_json::to_string(&read).expect("it can be stored");
                let again: Manifest = serde_json::from_str(&stored).expect("it can be read");
                assert_eq!(again, read);
                assert_eq!(read.metadata, package.manifest.metadata);
                assert_eq!(read.runtime, package.manifest.runtime);
                package.warnings
            }
            Err(refused) => {
                let is_error = |fault: &Fault| fault.severity == Severity::Error;
                assert!(refused.faults.iter().any(is_error), "refused without a reason");
                refused.faults
            }
        };
        sentences(&faults);
        let text = String::from_utf8_lossy(bytes);
        let own = faults.iter().filter(|fault| fault.file.as_deref() == Some(file));
        // A file that is too large is not read, so nothing in it is at fault;
        // and a file may describe no function at all.
        let whole = [code::MANIFEST_TOO_LARGE, code::MANIFEST_MISSING];
        for fault in own.filter(|fault| !whole.contains(&fault.code.as_str())) {
            within(&text, fault);
        }
    }
}

/// The place is a character of the text, or just behind one.
fn within(text: &str, fault: &Fault) {
    let (Some(line), Some(column)) = (fault.line, fault.column) else {
        panic!("no place: {fault:?}")
    };
    assert!(line >= 1 && column >= 1, "{fault:?}");
    // A carriage return alone ends a line of YAML, and none of TOML.
    let text = match fault.file.as_deref() {
        Some("mecapy.yaml") => text.replace("\r\n", "\n").replace('\r', "\n"),
        _ => text.to_owned(),
    };
    let lines: Vec<&str> = text.split('\n').collect();
    let there = lines.get(line as usize - 1);
    // An end that is missing may be told of on the line after the last.
    let longest = there.map_or(0, |line| line.chars().count());
    assert!(line as usize <= lines.len() + 1 && column as usize <= longest + 1, "{fault:?}");
}
