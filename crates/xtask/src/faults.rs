//! Every fault that the sources report stands on the pages of faults, and
//! nothing else does.

use std::collections::BTreeSet;

use crate::repository::Repository;

/// Where faults are made whose codes stand on these pages; those of `package`
/// come from a table of its own, which its tests compare.
const SOURCES: [&str; 5] = [
    "crates/api/src/",
    "crates/engine/src/",
    "crates/environment/src/",
    "crates/git/src/",
    "crates/worker/src/",
];
const PAGES: [&str; 2] = ["docs/faults.md", "docs/fr/faults.md"];

/// Every code that a page lacks or has too many.
pub(crate) fn check(repository: &Repository) -> anyhow::Result<Vec<String>> {
    let mut reported = BTreeSet::new();
    for file in &repository.files {
        if file.ends_with(".rs") && SOURCES.iter().any(|folder| file.starts_with(folder)) {
            reported.extend(codes(&repository.read(file)?));
        }
    }
    let mut faults = Vec::new();
    for page in PAGES {
        let documented = rows(&repository.read(page)?);
        for code in reported.difference(&documented) {
            faults.push(format!("{page}: expected a row for the fault `{code}`"));
        }
        for code in documented.difference(&reported) {
            faults.push(format!("{page}: no source reports the fault `{code}`"));
        }
    }
    Ok(faults)
}

/// The codes that a source gives to `Fault::error`, `Fault::warning` and
/// `refuse`, and those that name a kind of failure of environments or of
/// repositories.
fn codes(source: &str) -> BTreeSet<String> {
    let source: String = source.chars().filter(|c| !c.is_whitespace()).collect();
    let after = |start: &'static str| source.split(start).skip(1);
    let mut codes = BTreeSet::new();
    codes.extend(after("Fault::error(").filter_map(literal));
    codes.extend(after("Fault::warning(").filter_map(literal));
    let refused = after(".refuse(").filter_map(|rest| literal(rest.split_once(',')?.1));
    codes.extend(refused);
    let kinds = after("=>").filter_map(literal);
    codes.extend(kinds.filter(|code| code.starts_with("environment_") || code.starts_with("git_")));
    codes
}

/// The code that `rest` begins with, as a string literal.
fn literal(rest: &str) -> Option<String> {
    let (code, _) = rest.strip_prefix('"')?.split_once('"')?;
    code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_').then(|| code.to_owned())
}

/// The first cells of a page's tables that are codes.
fn rows(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_wherever_a_fault_is_made() {
        let source = r#"
            Fault::error("version_taken", text);
            Fault::warning(
                "slow_index", text,
            );
            Fault::error(code, text);
            fields.refuse("name", "body_value", text);
            fields.refuse("name", Text::new("a", "b"));
            Self::NoUv { .. } | Self::BadUv { .. } => "environment_no_uv",
            Self::English => "English",
        "#;
        let found: Vec<String> = codes(source).into_iter().collect();
        assert_eq!(found, ["body_value", "environment_no_uv", "slow_index", "version_taken"]);
    }

    #[test]
    fn the_rows_of_a_page_are_its_codes() {
        let page = "| code | meaning |\n|---|---|\n| `a_b` | with `c` |\n`d`\n";
        assert_eq!(rows(page), BTreeSet::from(["a_b".to_owned()]));
    }
}
