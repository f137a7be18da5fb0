//! Which crate may use which: the table in ARCHITECTURE.md against Cargo.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_json::Value;

use crate::repository::{Repository, run};

type Edges = BTreeMap<String, BTreeSet<String>>;

const WHERE: &str = "ARCHITECTURE.md";

/// Every crate that uses what the table doesn't let it use, and every crate
/// that the table doesn't know.
pub(crate) fn check(repository: &Repository) -> anyhow::Result<Vec<String>> {
    let allowed = table(&repository.read(WHERE)?);
    let cargo = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let metadata = serde_json::from_str(&run(&repository.root, "cargo", &cargo)?)?;
    Ok(compare(&allowed, &used(&metadata)?))
}

fn compare(allowed: &Edges, used: &Edges) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, uses) in used {
        let Some(may_use) = allowed.get(name) else {
            faults.push(format!("{WHERE}: the table of crates lacks a line for `{name}`"));
            continue;
        };
        for other in uses.difference(may_use) {
            faults.push(format!(
                "crates/{name}/Cargo.toml: `{name}` uses `{other}`, which the table in {WHERE} doesn't let it"
            ));
        }
    }
    faults.extend(
        allowed
            .keys()
            .filter(|name| !used.contains_key(*name))
            .map(|name| format!("{WHERE}: the table names `{name}`, which is no crate")),
    );
    faults
}

/// Lines such as `` | `worker` | what it does | engine, sandbox | ``.
fn table(page: &str) -> Edges {
    page.lines()
        .filter_map(|line| {
            let cells: Vec<&str> =
                line.trim().strip_prefix('|')?.split('|').map(str::trim).collect();
            let name = cells.first()?.strip_prefix('`')?.strip_suffix('`')?;
            let [_, _, uses, ""] = cells[..] else { return None };
            let uses = uses.split(',').map(|word| word.trim().trim_matches('`').to_owned());
            Some((name.to_owned(), uses.filter(|word| word != "–").collect()))
        })
        .collect()
}

/// Which crates of the workspace each one is built from. What only its tests
/// use is free: no program contains it.
fn used(metadata: &Value) -> anyhow::Result<Edges> {
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    Ok(packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"].as_array().into_iter().flatten();
            let ours = uses.filter(|uses| uses["path"].is_string() && uses["kind"].is_null());
            (name(package), ours.map(name).collect())
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_crate_that_uses_more_than_its_line_allows_is_named() {
        let page = "| crate | what | may use |\n|---|---|---|\n| `api` | routes | `engine`, `domain` |\n| `domain` | words | – |\n| `gone` | x | – |\n";
        let metadata = json!({"packages": [
            {"name": "api", "dependencies": [
                {"name": "engine", "path": "/x", "kind": null},
                {"name": "store", "path": "/x", "kind": null},
                {"name": "test-support", "path": "/x", "kind": "dev"},
                {"name": "serde", "kind": null}]},
            {"name": "domain", "dependencies": []},
            {"name": "new", "dependencies": []},
        ]});
        let faults = compare(&table(page), &used(&metadata).unwrap());
        assert_eq!(
            faults,
            [
                "crates/api/Cargo.toml: `api` uses `store`, which the table in ARCHITECTURE.md doesn't let it",
                "ARCHITECTURE.md: the table of crates lacks a line for `new`",
                "ARCHITECTURE.md: the table names `gone`, which is no crate",
            ]
        );
    }
}
