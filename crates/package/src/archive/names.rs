//! Which paths an archive may hold, and which are left out unseen.

use std::collections::HashMap;

use domain::{Fault, Text};

use crate::code;

const LONGEST_PATH: usize = 512;
const LONGEST_NAME: usize = 200;
const DEEPEST: usize = 32;

/// Whether a path is a by-product of a tool, which is left out in silence:
/// `__MACOSX/`, `.DS_Store`, byte code, caches, environments, version control.
///
/// Byte code is among them because it would run without having been read by
/// the static check. Whoever reads a folder asks this before opening a file.
#[must_use]
pub fn ignored(path: &str) -> bool {
    const FOLDERS: [&str; 12] = [
        "__MACOSX",
        "__pycache__",
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        ".idea",
        ".vscode",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    ];
    let mut parts = path.split('/').rev();
    let name = parts.next().unwrap_or_default();
    matches!(name, ".DS_Store" | "Thumbs.db" | "desktop.ini")
        || name.starts_with("._")
        || name.ends_with(".pyc")
        || name.ends_with(".pyo")
        || FOLDERS.contains(&name)
        || parts.any(|folder| FOLDERS.contains(&folder))
}

/// What is wrong with a path; at most one fault, the gravest.
pub(crate) fn faults_of(path: &str) -> Option<Fault> {
    let (en, fr) = reason(path)?;
    // The path itself may hold what breaks a terminal, so it is shown escaped.
    let shown: String = path.chars().take(200).flat_map(char::escape_debug).collect();
    Some(
        Fault::error(
            code::ARCHIVE_BAD_PATH,
            Text::new(
                format!("expected a plain relative path, found \"{shown}\", which {en}. Rename the file, or leave it out"),
                format!("un chemin relatif simple est attendu, trouvé « {shown} », qui {fr}. Renommez le fichier, ou retirez-le"),
            ),
        )
        .in_file(shown),
    )
}

fn reason(path: &str) -> Option<(&'static str, &'static str)> {
    let parts: Vec<&str> = path.split('/').collect();
    let drive = path.as_bytes().get(1) == Some(&b':');
    let bidi = |c: char| matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    Some(if path.contains('\0') {
        ("holds a NUL character", "contient un caractère NUL")
    } else if path.starts_with('/') || drive {
        ("is absolute", "est absolu")
    } else if path.contains('\\') {
        (
            "holds a backslash; folders are separated by `/`",
            "contient une barre oblique inverse ; les dossiers se séparent par `/`",
        )
    } else if parts.contains(&"..") {
        ("leaves the archive by `..`", "sort de l’archive par `..`")
    } else if path.chars().any(bidi) {
        (
            "holds a control of writing direction, so that it reads otherwise than it is",
            "contient un contrôle de sens d’écriture, et se lit donc autrement qu’il n’est",
        )
    } else if path.chars().any(char::is_control) {
        ("holds a control character", "contient un caractère de contrôle")
    } else if parts.iter().any(|part| part.is_empty() || *part == ".") {
        ("has an empty part or `.`", "a une partie vide ou `.`")
    } else if path.len() > LONGEST_PATH || parts.iter().any(|part| part.len() > LONGEST_NAME) {
        (
            "is longer than 512 bytes, or 200 in one part",
            "dépasse 512 octets, ou 200 pour une de ses parties",
        )
    } else if parts.len() > DEEPEST {
        ("is deeper than 32 folders", "est profond de plus de 32 dossiers")
    } else {
        return None;
    })
}

/// Paths that differ in case only, and files that stand where a folder must.
pub(crate) fn clashes<'a>(paths: impl Iterator<Item = &'a String> + Clone) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut by_lower: HashMap<String, &str> = HashMap::new();
    let files: std::collections::HashSet<&str> = paths.clone().map(String::as_str).collect();
    for path in paths {
        if let Some(other) = by_lower.insert(path.to_lowercase(), path) {
            faults.push(
                Fault::warning(
                    code::ARCHIVE_CASE_CLASH,
                    Text::new(
                        format!(
                            "`{path}` and `{other}` differ in case only; on Windows and macOS one of them overwrites the other. Rename one"
                        ),
                        format!(
                            "`{path}` et `{other}` ne diffèrent que par la casse ; sous Windows et macOS l’un écrase l’autre. Renommez-en un"
                        ),
                    ),
                )
                .in_file(path),
            );
        }
        let folder = path.match_indices('/').map(|(end, _)| &path[..end]);
        for folder in folder.filter(|folder| files.contains(folder)) {
            faults.push(
                Fault::error(
                    code::ARCHIVE_BAD_PATH,
                    Text::new(
                        format!("`{folder}` is a file and a folder at once; rename one of them"),
                        format!("`{folder}` est à la fois un fichier et un dossier ; renommez l’un des deux"),
                    ),
                )
                .in_file(path),
            );
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_pass() {
        for good in ["handler.py", "data/éprouvette 1.csv", "a/b/c/d.txt", "..a", "a..b/c"] {
            assert_eq!(reason(good), None, "{good}");
        }
        for bad in [
            "../x",
            "a/../x",
            "/etc/passwd",
            "C:\\x",
            "C:/x",
            "a\\b",
            "a\0b",
            "a//b",
            "./a",
            "",
            "a\u{202E}yp.exe",
            "a\nb",
            &"a/".repeat(40),
            &"a".repeat(201),
        ] {
            assert!(reason(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn by_products_of_tools_are_left_out() {
        for path in
            ["__MACOSX/._handler.py", "a/.DS_Store", "__pycache__/h.cpython-312.pyc", ".git/config"]
        {
            assert!(ignored(path), "{path}");
        }
        assert!(!ignored("handler.py") && !ignored("data/git/x"));
    }
}
