//! Advisories by the package that they are about.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pep440_rs::Version;

use super::affected::{Affected, Candidate};
use super::osv::Advisory;

/// Versions that mend one vulnerability, of which the lowest count.
const MOST_FIXED: usize = 100;

/// All advisories of a source.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_package: HashMap<String, Vec<Entry>>,
    advisories: u64,
}

/// What one advisory says of one package.
#[derive(Debug)]
struct Entry {
    about: Arc<About>,
    affected: Affected,
}

#[derive(Debug)]
struct About {
    id: String,
    aliases: Vec<String>,
    summary: String,
}

/// One vulnerability of a package's version, by whichever sources know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding<'a> {
    /// The first of its names among the advisories.
    pub(super) id: &'a str,
    /// Its other names, sorted.
    pub(super) aliases: Vec<&'a str>,
    /// What it is; empty where no advisory says so.
    pub(super) summary: &'a str,
    /// Later versions that don't have it, sorted.
    pub(super) fixed: Vec<&'a Version>,
}

impl Index {
    /// Takes up an advisory. One that is about no package of PyPI counts for
    /// nothing.
    ///
    /// # Errors
    /// What of it could not be read; the rest is taken up.
    pub(super) fn add(&mut self, advisory: Advisory) -> Result<(), String> {
        let Advisory { id, aliases, summary, packages, unread } = advisory;
        if !packages.is_empty() {
            self.advisories += 1;
        }
        let about = Arc::new(About { id, aliases, summary });
        for (name, affected) in packages {
            let entry = Entry { about: about.clone(), affected };
            self.by_package.entry(name).or_default().push(entry);
        }
        unread.map_or(Ok(()), Err)
    }

    /// The number of advisories about packages of PyPI.
    pub(super) fn advisories(&self) -> u64 {
        self.advisories
    }

    /// The number of packages that they are about.
    pub(super) fn packages(&self) -> usize {
        self.by_package.len()
    }

    /// The vulnerabilities of a version of a package, by id. Advisories that
    /// share a name or an alias are about the same one: PyPI's own database
    /// and GitHub's both know most.
    pub(super) fn findings(&self, name: &str, version: &Version) -> Vec<Finding<'_>> {
        let candidate = Candidate::new(version.clone());
        let entries = self.by_package.get(name).map_or(&[][..], Vec::as_slice);
        let matching: Vec<&Entry> =
            entries.iter().filter(|entry| entry.affected.contains(&candidate)).collect();
        let mut findings: Vec<_> =
            groups(&matching).into_iter().map(|group| finding(&group, &candidate)).collect();
        findings.sort_by_key(|finding| finding.id);
        findings
    }
}

/// The entries that are about the same vulnerability, together.
fn groups<'a>(entries: &[&'a Entry]) -> Vec<Vec<&'a Entry>> {
    // Each entry points to an earlier one of its group, the first to itself.
    let mut earlier: Vec<usize> = (0..entries.len()).collect();
    let mut named: HashMap<&str, usize> = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        for name in entry.about.names() {
            let other = *named.entry(name).or_insert(position);
            let (one, other) = (first(&mut earlier, position), first(&mut earlier, other));
            earlier[one.max(other)] = one.min(other);
        }
    }
    let mut groups: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
    for (position, entry) in entries.iter().enumerate() {
        groups.entry(first(&mut earlier, position)).or_default().push(entry);
    }
    groups.into_values().collect()
}

/// The first entry of the group that `position` is in; the way there is
/// shortened for the next one who asks.
fn first(earlier: &mut [usize], mut position: usize) -> usize {
    while earlier[position] != position {
        earlier[position] = earlier[earlier[position]];
        position = earlier[position];
    }
    position
}

fn finding<'a>(group: &[&'a Entry], candidate: &Candidate) -> Finding<'a> {
    let id = group.iter().map(|entry| entry.about.id.as_str()).min().unwrap_or_default();
    let mut aliases: Vec<&str> =
        group.iter().flat_map(|entry| entry.about.names()).filter(|name| *name != id).collect();
    aliases.sort_unstable();
    aliases.dedup();
    // The advisory that names it comes first, any other helps out.
    let mut summaries: Vec<_> =
        group.iter().map(|entry| (entry.about.id != id, entry.about.summary.as_str())).collect();
    summaries.sort_by_key(|(other, summary)| (summary.is_empty(), *other));
    let mut fixed: Vec<&Version> =
        group.iter().flat_map(|entry| entry.affected.fixed_after(candidate)).collect();
    fixed.sort();
    fixed.dedup();
    // Each is compared with all of the group below, so there is a bound.
    fixed.truncate(MOST_FIXED);
    // Where a later branch has it again, its first versions mend nothing.
    fixed.retain(|version| {
        let mended = Candidate::new((*version).clone());
        !group.iter().any(|entry| entry.affected.contains(&mended))
    });
    let summary = summaries.first().map_or("", |(_, summary)| summary);
    Finding { id, aliases, summary, fixed }
}

impl About {
    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.id).chain(&self.aliases).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::osv;
    use super::*;

    fn index(documents: &[Value]) -> Index {
        let mut index = Index::default();
        for document in documents {
            index.add(osv::read(document.to_string().as_bytes()).unwrap()).unwrap();
        }
        index
    }

    fn document(id: &str, aliases: &[&str], summary: &str, events: Value) -> Value {
        json!({ "id": id, "aliases": aliases, "summary": summary, "affected": [{
            "package": { "ecosystem": "PyPI", "name": "Some_Lib" },
            "ranges": [{ "type": "ECOSYSTEM", "events": events }],
        }] })
    }

    fn until(fixed: &str) -> Value {
        json!([{ "introduced": "0" }, { "fixed": fixed }])
    }

    fn found<'a>(index: &'a Index, version: &str) -> Vec<Finding<'a>> {
        index.findings("some-lib", &version.parse().unwrap())
    }

    #[test]
    fn advisories_that_share_a_name_are_one_vulnerability() {
        let index = index(&[
            document("PYSEC-2024-5", &["CVE-2024-5"], "", until("1.5")),
            document("GHSA-b", &["CVE-2024-9"], "Another", until("1.5")),
            document("GHSA-a", &["CVE-2024-5"], "Reads too much", until("1.5")),
            // Knows the others only by their own names.
            document("OSV-1", &["GHSA-a", "OSV-2"], "", until("1.6")),
        ]);
        assert_eq!((index.advisories(), index.packages()), (4, 1));
        let findings = found(&index, "1.0");
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert_eq!(
            (findings[0].id, findings[0].summary, findings[0].aliases.clone()),
            ("GHSA-a", "Reads too much", vec!["CVE-2024-5", "OSV-1", "OSV-2", "PYSEC-2024-5"])
        );
        // OSV-1 says that 1.5 still has it.
        let fixed: Vec<_> = findings[0].fixed.iter().map(ToString::to_string).collect();
        assert_eq!(fixed, ["1.6"]);
        assert_eq!(findings[1].id, "GHSA-b");
        assert!(found(&index, "1.6").is_empty());
        assert!(index.findings("other", &"1".parse().unwrap()).is_empty());
    }

    #[test]
    fn several_packages_and_branches_of_one_advisory_count_once() {
        let mut several = document("A-1", &[], "s", until("1.8"));
        let branch = json!([{ "introduced": "2.0" }, { "fixed": "2.3" }]);
        for (name, events) in [("some.lib", branch), ("other", until("9"))] {
            several["affected"].as_array_mut().unwrap().push(json!({
                "package": { "ecosystem": "PyPI", "name": name },
                "ranges": [{ "type": "ECOSYSTEM", "events": events }],
            }));
        }
        let index = index(&[several]);
        assert_eq!((index.advisories(), index.packages()), (1, 2));
        let fixed = |version: &str| {
            let findings = found(&index, version);
            findings
                .iter()
                .flat_map(|f| f.fixed.iter().map(ToString::to_string))
                .collect::<Vec<_>>()
        };
        assert_eq!(fixed("1.0"), ["1.8"]);
        assert_eq!(fixed("2.1"), ["2.3"]);
        assert!(found(&index, "1.9").is_empty());
    }

    #[test]
    fn very_many_advisories_of_one_package_are_grouped_in_time() {
        let mut index = Index::default();
        for number in 0..20_000 {
            let chain = format!("CVE-{}", number + 1);
            let document = document(&format!("CVE-{number}"), &[&chain], "", until("2"));
            index.add(osv::read(document.to_string().as_bytes()).unwrap()).unwrap();
        }
        let findings = found(&index, "1");
        assert_eq!((findings.len(), findings[0].aliases.len()), (1, 20_000));
    }
}
