//! The files of a folder that go into an archive.

use std::path::Path;

use crate::client::unreadable;
use crate::exit::Failure;

/// The files below `folder` by their paths with `/`, by-products of tools
/// left out. A link to a file counts as the file: archives hold no links.
///
/// # Errors
/// When a folder or file can't be read.
pub fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut files = Vec::new();
    collect(folder, "", &mut files)?;
    Ok(files)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for entry in entries.map_err(|error| unreadable(folder, &error))? {
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Asked before a folder is entered: an environment beside the handler
        // holds thousands of files.
        if package::ignored(&name) {
            continue;
        }
        let kind = entry.file_type().map_err(|error| unreadable(&path, &error))?;
        if kind.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else {
            let content = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            files.push((name, content));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_products_of_tools_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in [
            ("handler.py", "x"),
            ("data/a.csv", "1"),
            (".venv/lib/x.py", "no"),
            ("__pycache__/h.pyc", "no"),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let mut names: Vec<String> =
            files(folder.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, ["data/a.csv", "handler.py"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let failure = files(Path::new("/nonexistent/bolt")).unwrap_err();
        assert!(failure.text.en.starts_with("/nonexistent/bolt can't be read: "));
        assert!(failure.text.fr.starts_with("/nonexistent/bolt ne peut pas être lu"));
    }
}
