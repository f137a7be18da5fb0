//! No file of code is longer than a reader's patience.

use crate::repository::Repository;

/// Beyond this a file is cut along its seams.
const MOST_LINES: usize = 600;

/// Every file of code that is too long.
pub(crate) fn check(repository: &Repository) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in repository.files.iter().filter(|file| is_code(file)) {
        let lines = repository.text(file)?.map_or(0, |text| text.lines().count());
        if lines > MOST_LINES {
            faults.push(format!(
                "{file}: expected at most {MOST_LINES} lines, found {lines}; cut it along its seams"
            ));
        }
    }
    Ok(faults)
}

fn is_code(file: &str) -> bool {
    file.ends_with(".rs")
        || file.ends_with(".py")
        || file.ends_with(".sh")
        || file.starts_with("scripts/") && !file.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_without_an_ending_are_code_too() {
        assert!(is_code("crates/api/src/lib.rs"));
        assert!(is_code("scripts/demo"));
        assert!(!is_code("Cargo.lock"));
        assert!(!is_code("scripts/uv-requirements.txt"));
    }
}
