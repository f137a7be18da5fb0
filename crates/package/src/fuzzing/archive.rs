//! Archives: within limits whatever they say of themselves, and the same
//! files however they are packed.

use domain::Severity;
use domain::limits::Limits;

use super::sentences;
use crate::archive::{File, digest, ignored, settle, unzip, zip};
use crate::{Policy, read, read_dir};

/// Reads the bytes of a ZIP within narrow limits.
///
/// # Panics
/// Where reading breaks one of its promises.
pub fn archive(bytes: &[u8]) {
    let limits = Limits {
        archive_bytes: 64 << 10,
        archive_inflated_bytes: 256 << 10,
        archive_entries: 24,
        ..Limits::default()
    };
    let files = match unzip(bytes, &limits) {
        Ok(files) => files,
        Err(faults) => {
            assert!(!faults.is_empty());
            return sentences(&faults);
        }
    };
    within(&files, &limits);
    let given: Vec<_> = files.iter().map(|f| (f.path.clone(), f.content.clone())).collect();
    let mut faults = Vec::new();
    let settled = settle(files, &limits, &mut faults);
    sentences(&faults);
    let from_zip = read(bytes, &limits, Policy::DenyList).map(|package| package.digest);
    let from_folder = read_dir(given, &limits, Policy::DenyList).map(|package| package.digest);
    assert_eq!(from_zip.as_ref().ok(), from_folder.as_ref().ok());
    if let Err(refused) = &from_zip {
        sentences(&refused.faults);
    }
    if faults.iter().any(|fault| fault.severity == Severity::Error) {
        return;
    }
    if let Ok(found) = from_zip {
        assert_eq!(found, digest(&settled));
    }
    let packed: Vec<_> = settled.iter().collect();
    let again = zip(&packed).expect("what was read can be written");
    // Files that hardly pack may take more room than before.
    let limits = Limits { archive_bytes: 1 << 20, ..limits };
    let files = unzip(&again, &limits).expect("what was written can be read");
    within(&files, &limits);
    let mut faults = Vec::new();
    let same = settle(files, &limits, &mut faults);
    assert_eq!(same, settled);
    assert_eq!(digest(&same), digest(&settled));
}

fn within(files: &[File], limits: &Limits) {
    assert!(files.len() as u64 <= limits.archive_entries);
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    assert!(bytes as u64 <= limits.archive_inflated_bytes);
    for File { path, .. } in files {
        assert!(!ignored(path), "{path}");
        assert!(!path.starts_with('/') && !path.contains('\0') && !path.contains('\\'), "{path}");
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path}");
    }
}
