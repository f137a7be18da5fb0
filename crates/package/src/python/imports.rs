//! Which modules an archive holds itself.

use std::collections::BTreeSet;

/// The top-level names that files of the archive answer to.
pub(super) fn own_modules<'a>(paths: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let mut own = BTreeSet::new();
    for path in paths {
        match path.split_once('/') {
            None => {
                if let Some(name) = path.strip_suffix(".py") {
                    own.insert(name.to_owned());
                } else if let Some((name, rest)) = path.split_once('.')
                    && super::is_native(&format!(".{rest}"))
                {
                    own.insert(name.to_owned());
                }
            }
            // A folder is a package with or without `__init__.py`.
            Some((folder, _)) if path.ends_with(".py") || super::is_native(path) => {
                own.insert(folder.to_owned());
            }
            Some(_) => {}
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_packages_of_the_archive_are_its_own() {
        let paths =
            ["handler.py", "ec3/__init__.py", "ec3/bolts.py", "data/a.csv", "fast.cpython-312.so"];
        let own = own_modules(paths.map(str::to_owned).iter());
        assert_eq!(own.into_iter().collect::<Vec<_>>(), ["ec3", "fast", "handler"]);
    }
}
