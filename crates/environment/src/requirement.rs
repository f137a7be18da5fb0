//! Requirement lines as they may be given to `uv`: names, extras, versions
//! and markers, and nothing that fetches from elsewhere.

use domain::{Fault, Text};

use crate::error::{Error, Problem};

/// The longest line accepted, in bytes.
const LONGEST: usize = 1000;

/// Refuses every line that is more than a name with extras, versions and
/// markers.
///
/// The archive's reader refuses them too, with line and column. This is the
/// second lock on the same door: `uv` reads options (`--index-url`), URLs,
/// paths and `${VARIABLES}` in a requirements file.
pub(crate) fn check(lines: &[String], most: usize) -> Result<(), Error> {
    if lines.len() > most {
        let found = lines.len();
        let fault = Fault::error(
            "requirements_too_many",
            Text::new(
                format!("at most {most} requirements are allowed, found {found}; remove some"),
                format!("{most} dépendances au plus sont permises, {found} trouvées ; retirez-en"),
            ),
        );
        return Err(Error::Requirements { problems: vec![Problem { requirement: None, fault }] });
    }
    let problems: Vec<Problem> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !is_plain(line))
        .map(|(position, line)| Problem { requirement: Some(position), fault: refused(line) })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Requirements { problems }) }
}

fn refused(line: &str) -> Fault {
    let shown: String = line.chars().take(120).flat_map(char::escape_debug).collect();
    Fault::error(
        "requirement_refused",
        Text::new(
            format!(
                "expected a package name with versions, such as `numpy>=2`, found `{shown}`; \
                 addresses, paths and options are not allowed"
            ),
            format!(
                "un nom de paquet avec ses versions est attendu, par exemple `numpy>=2`, trouvé \
                 `{shown}` ; les adresses, chemins et options ne sont pas permis"
            ),
        ),
    )
}

fn is_plain(line: &str) -> bool {
    let forbidden = |c: char| {
        !(c.is_ascii_graphic() || c == ' ') || matches!(c, '@' | '$' | '\\' | '/' | ':' | '#' | '`')
    };
    if line.len() > LONGEST || line.contains(forbidden) {
        return false;
    }
    let Some(parts) = parts(line) else { return false };
    // `uv` takes a name that ends like an archive for a file.
    let name = parts.name.to_ascii_lowercase();
    if [".whl", ".zip", ".gz", ".bz2", ".xz", ".tar", ".tgz", ".txt", ".toml"]
        .iter()
        .any(|extension| name.ends_with(extension))
    {
        return false;
    }
    let rest = parts.rest.trim_start();
    rest.is_empty() || rest.starts_with(['<', '>', '=', '!', '~', '(', ';'])
}

/// A requirement cut into what comes before its versions and the rest.
pub(crate) struct Parts<'a> {
    /// The name as it was written.
    pub(crate) name: &'a str,
    /// `[a,b]` or nothing.
    pub(crate) extras: &'a str,
    /// Versions and markers.
    pub(crate) rest: &'a str,
}

impl<'a> Parts<'a> {
    /// The versions alone, without parentheses.
    pub(crate) fn versions(&self) -> &'a str {
        let versions = self.rest.split(';').next().unwrap_or_default().trim();
        versions.strip_prefix('(').and_then(|v| v.strip_suffix(')')).unwrap_or(versions).trim()
    }
}

pub(crate) fn parts(line: &str) -> Option<Parts<'_>> {
    let line = line.trim();
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = line.find(|c| !inner(c)).unwrap_or(line.len());
    let name = &line[..end];
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !edge(name.chars().next()) || !edge(name.chars().next_back()) {
        return None;
    }
    let after = &line[end..];
    let (extras, rest) = match after.trim_start().strip_prefix('[') {
        Some(opened) => {
            let start = line.len() - opened.len() - 1;
            let close = start + line[start..].find(']')?;
            (&line[start..=close], &line[close + 1..])
        }
        None => ("", after),
    };
    Some(Parts { name, extras, rest })
}

/// The name by which indexes know a package: lower case, with one dash in
/// place of each run of dashes, underscores and dots (PEP 503).
pub(crate) fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.push(c.to_ascii_lowercase());
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_requirements_pass() {
        for line in [
            "numpy",
            "numpy==2.1.0",
            "Scipy >= 1.10, < 2",
            "pint[numpy]~=0.24",
            "pkg (>=1.0)",
            "six; python_version < \"3.12\"",
            "zope.interface!=5",
            "a===1+local",
            "torch==1!2.0",
        ] {
            assert!(is_plain(line), "{line}");
        }
    }

    #[test]
    fn what_fetches_from_elsewhere_or_speaks_to_uv_is_refused() {
        for line in [
            "",
            "--index-url https://evil.example",
            "-r other.txt",
            "-e .",
            "pkg @ https://example.com/pkg.whl",
            "pkg @ file",
            "git+ssh://example.com/x",
            "https://example.com/pkg.whl",
            "./pkg.whl",
            "/etc/passwd",
            "~/pkg",
            "pkg.whl",
            "pkg.tar.gz",
            "pkg extra",
            "pkg==${SECRET}",
            "pkg\n--index-url x",
            "pkg \\",
            "pkg # comment",
            "nümpy",
            "pkg[extra",
            "..",
        ] {
            assert!(!is_plain(line), "{line:?}");
        }
    }

    #[test]
    fn every_refused_line_is_reported_and_control_characters_are_not_echoed() {
        let lines = ["numpy".to_owned(), "-r x".to_owned(), "a\u{1b}[31m".to_owned()];
        let Err(Error::Requirements { problems }) = check(&lines, 10) else { panic!() };
        let positions: Vec<_> = problems.iter().map(|problem| problem.requirement).collect();
        assert_eq!(positions, [Some(1), Some(2)]);
        assert_eq!(
            problems[0].fault.message.en,
            "expected a package name with versions, such as `numpy>=2`, found `-r x`; addresses, \
             paths and options are not allowed"
        );
        assert!(problems[1].fault.message.fr.contains("trouvé `a\\u{1b}[31m`"));
        assert!(matches!(check(&lines, 2), Err(Error::Requirements { .. })));
    }

    #[test]
    fn names_are_compared_as_indexes_do() {
        assert_eq!(normalised("Zope.Interface"), "zope-interface");
        assert_eq!(normalised("a_-_b"), "a-b");
    }

    #[test]
    fn a_requirement_is_cut_into_its_parts() {
        let parts = parts("pint [numpy, pandas] (>=0.2) ; python_version < \"4\"").unwrap();
        assert_eq!(
            (parts.name, parts.extras, parts.versions()),
            ("pint", "[numpy, pandas]", ">=0.2")
        );
    }
}
