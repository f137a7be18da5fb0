//! The archive's digest: over sorted paths and contents, nothing else.

use std::collections::BTreeMap;

use domain::Digest;
use sha2::{Digest as _, Sha256};

/// The digest of the files. Lengths are hashed before what they measure, so
/// that no two sets of files share a byte stream; times, modes and the order
/// of a ZIP have no part in it.
pub(crate) fn digest(files: &BTreeMap<String, Vec<u8>>) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"mecapy archive 1\n");
    for (path, content) in files {
        for part in [path.as_bytes(), content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Digest(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Digest {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        digest(&files.collect())
    }

    #[test]
    fn moving_a_byte_from_a_path_to_its_content_changes_the_digest() {
        assert_ne!(of(&[("ab", "c")]), of(&[("a", "bc")]));
        assert_ne!(of(&[("a", ""), ("b", "")]), of(&[("a", "b")]));
        assert_eq!(of(&[("a", "1"), ("b", "2")]), of(&[("b", "2"), ("a", "1")]));
    }
}
