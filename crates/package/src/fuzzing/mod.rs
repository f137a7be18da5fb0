//! What must hold for every archive, manifest and schema, for the fuzzer and
//! for the replay of its corpora in this crate's tests.

mod archive;
mod manifest;
mod schema;

pub use archive::archive;
pub use manifest::manifest;
pub use schema::schema;

use domain::{Fault, Lang};

/// Each fault has a code that is documented and a sentence in both languages.
fn sentences(faults: &[Fault]) {
    for fault in faults {
        assert!(crate::code::ALL.iter().any(|(code, ..)| *code == fault.code), "{fault:?}");
        for lang in [Lang::En, Lang::Fr] {
            let text = fault.message.get(lang);
            assert!(!text.trim().is_empty(), "{fault:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    fn replay(target: &str, check: fn(&[u8])) {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let folders = ["corpus", "regressions"].map(|folder| fuzz.join(folder).join(target));
        let mut seen = 0;
        for file in folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten() {
            let path = file.unwrap().path();
            eprintln!("{}", path.display());
            let began = Instant::now();
            check(&std::fs::read(&path).unwrap());
            assert!(began.elapsed() < Duration::from_secs(5), "{} is slow", path.display());
            seen += 1;
        }
        assert!(seen > 10, "only {seen} files of {target} in {}", fuzz.display());
    }

    #[test]
    fn archives_that_the_fuzzer_found_stay_mended() {
        replay("archive", super::archive);
    }

    #[test]
    fn manifests_that_the_fuzzer_found_stay_mended() {
        replay("manifest", super::manifest);
    }

    #[test]
    fn schemas_that_the_fuzzer_found_stay_mended() {
        replay("schema", super::schema);
    }
}
