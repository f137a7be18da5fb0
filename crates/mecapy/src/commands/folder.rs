//! The files of a folder that go into an archive.

use std::path::{Path, PathBuf};

use crate::client::unreadable;
use crate::exit::Failure;

/// Folders that are named instead of the one given.
const SHOWN: usize = 5;

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

/// Refuses a folder that is no function's and holds those that are: the
/// faults of an archive made of it would help nobody.
///
/// # Errors
/// With the folder to name instead, or what one needs.
pub fn check(folder: &Path, command: &str) -> Result<(), Failure> {
    let is_one = |folder: &Path| {
        ["mecapy.yaml", "mecapy.yml", "pyproject.toml", "handler.py"]
            .iter()
            .any(|name| folder.join(name).is_file())
    };
    if !folder.is_dir() || is_one(folder) {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut below: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && is_one(path))
        .map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path))
        .collect();
    below.sort();
    if below.is_empty() {
        return Err(not_one(folder));
    }
    let shown = folder.display();
    let commands: Vec<String> = below
        .iter()
        .take(SHOWN)
        .map(|path| format!("`mecapy {command} {}`", path.display()))
        .collect();
    let more = if below.len() > SHOWN { " …" } else { "" };
    Err(Failure::usage(
        format!(
            "expected a folder with mecapy.yaml and handler.py, found {shown}, which holds folders with them: {}{more}",
            commands.join(", ")
        ),
        format!(
            "un dossier avec mecapy.yaml et handler.py était attendu, trouvé : {shown}, qui contient des dossiers qui les ont : {}{more}",
            commands.join(", ")
        ),
    ))
}

/// A folder that is none, or none of a function.
#[must_use]
pub fn not_one(found: &Path) -> Failure {
    let shown = found.display();
    Failure::usage(
        format!(
            "expected a folder with mecapy.yaml and handler.py, found {shown} without them; `mecapy init NAME` makes one"
        ),
        format!(
            "un dossier avec mecapy.yaml et handler.py était attendu, trouvé : {shown}, qui ne les a pas ; `mecapy init NOM` en crée un"
        ),
    )
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
    fn a_folder_of_functions_names_them_and_an_empty_one_says_how_to_begin() {
        let folder = tempfile::tempdir().unwrap();
        let failure = check(folder.path(), "test").unwrap_err();
        assert!(failure.text.en.ends_with("without them; `mecapy init NAME` makes one"));
        for name in ["poutre", "bolt"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("handler.py"), "").unwrap();
        }
        let failure = check(folder.path(), "test").unwrap_err();
        let path = |name| format!("`mecapy test {}`", folder.path().join(name).display());
        let both = format!("{}, {}", path("bolt"), path("poutre"));
        assert!(failure.text.en.ends_with(&format!("with them: {both}")), "{}", failure.text.en);
        assert!(failure.text.fr.ends_with(&format!("qui les ont : {both}")));
        assert!(check(&folder.path().join("bolt"), "test").is_ok());
        assert!(check(&folder.path().join("nowhere"), "test").is_ok());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let failure = files(Path::new("/nonexistent/bolt")).unwrap_err();
        assert!(failure.text.en.starts_with("/nonexistent/bolt can't be read: "));
        assert!(failure.text.fr.starts_with("/nonexistent/bolt ne peut pas être lu"));
    }
}
