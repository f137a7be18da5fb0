//! Documentation is whole: users' pages in both languages, a page for every
//! error code and no page without one.

use std::collections::BTreeSet;

use crate::repository::Repository;

/// Pages for programmers, operators and contributors, in English alone.
const ENGLISH_ONLY: &[&str] = &[
    "api-reference.md",
    "benchmarks.md",
    "cgroup2-report.md",
    "defences.md",
    "hostile-load.md",
    "test-report.md",
];
/// The pages that list every error, and how they link to one's page.
const INDEXES: [(&str, &str); 2] =
    [("docs/errors.md", "errors/"), ("docs/fr/errors.md", "../errors/")];

/// Every page that lacks its counterpart.
pub(crate) fn check(repository: &Repository) -> anyhow::Result<Vec<String>> {
    let mut faults = pairs(&below(repository, "docs/"), &below(repository, "docs/fr/"));
    let codes = repository.read("crates/api/src/problem/code.rs")?;
    for page in below(repository, "docs/errors/") {
        let code = page.trim_end_matches(".md");
        if !codes.contains(&format!("\"{code}\"")) {
            faults.push(format!("docs/errors/{page}: the API has no code `{code}`"));
        }
        let text = repository.read(&format!("docs/errors/{page}"))?;
        if !text.starts_with(&format!("# `{code}`")) {
            faults.push(format!("docs/errors/{page}: expected a title that begins with `{code}`"));
        }
        for (index, folder) in INDEXES {
            if !repository.read(index)?.contains(&format!("[`{code}`]({folder}{page})")) {
                faults.push(format!("{index}: expected a row that links to {folder}{page}"));
            }
        }
    }
    Ok(faults)
}

/// Names of the pages that lie in a folder itself.
fn below(repository: &Repository, folder: &str) -> BTreeSet<String> {
    repository
        .files
        .iter()
        .filter_map(|file| file.strip_prefix(folder))
        .filter(|name| name.ends_with(".md") && !name.contains('/'))
        .map(str::to_owned)
        .collect()
}

fn pairs(english: &BTreeSet<String>, french: &BTreeSet<String>) -> Vec<String> {
    let lacks_french = english
        .difference(french)
        .filter(|name| !ENGLISH_ONLY.contains(&name.as_str()))
        .map(|name| format!("docs/{name}: expected a French page docs/fr/{name} beside it"));
    let lacks_english = french
        .difference(english)
        .map(|name| format!("docs/fr/{name}: expected an English page docs/{name} beside it"));
    lacks_french.chain(lacks_english).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_page_stands_in_both_languages() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let faults = pairs(&set(&["a.md", "benchmarks.md", "b.md"]), &set(&["a.md", "c.md"]));
        assert_eq!(
            faults,
            [
                "docs/b.md: expected a French page docs/fr/b.md beside it",
                "docs/fr/c.md: expected an English page docs/c.md beside it",
            ]
        );
    }
}
