//! Reads one advisory in the OSV format. Pure: bytes in, value or reason out.

use pep440_rs::Version;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::affected::{Affected, Event, Range};
use super::warning::{shortened, word};
use crate::requirement::normalised;

/// The longest summary that is kept, in characters.
const SUMMARY: usize = 160;
/// The most other names that are kept.
const ALIASES: usize = 16;

/// An advisory, as far as it is about packages of PyPI.
#[derive(Clone, Debug)]
pub(super) struct Advisory {
    /// Its name, such as `GHSA-j8r2-6x86-q33q`.
    pub(super) id: String,
    /// Other names of the same vulnerability.
    pub(super) aliases: Vec<String>,
    /// What it is, in a line.
    pub(super) summary: String,
    /// The packages by their normalised names; none where it was withdrawn or
    /// is about other ecosystems.
    pub(super) packages: Vec<(String, Affected)>,
    /// Why some of it could not be read, where the rest could.
    pub(super) unread: Option<String>,
}

/// Reads an advisory.
///
/// Fields that are not known are passed over, and those that may be missing
/// may also be null.
pub(super) fn read(bytes: &[u8]) -> Result<Advisory, String> {
    let document: Document =
        serde_json::from_slice(bytes).map_err(|error| shortened(&error.to_string(), SUMMARY))?;
    let Some(id) = word(&document.id) else {
        return Err("its id is no name of an advisory".to_owned());
    };
    let mut unread = None;
    let mut packages = Vec::new();
    if document.withdrawn.is_none() {
        for affected in document.affected.into_iter().flatten() {
            packages.extend(package(affected, &mut unread));
        }
    }
    // Not every source writes a summary; the details begin with one then.
    let said = document.summary.filter(|text| !text.trim().is_empty()).or(document.details);
    let aliases = document.aliases.unwrap_or_default();
    let aliases =
        aliases.iter().filter_map(|alias| word(alias)).filter(|alias| *alias != id).take(ALIASES);
    Ok(Advisory {
        aliases: aliases.collect(),
        summary: shortened(&said.unwrap_or_default(), SUMMARY),
        id,
        packages,
        unread,
    })
}

/// What an advisory says of one package, if that is one of PyPI's.
fn package(found: AffectedPackage, unread: &mut Option<String>) -> Option<(String, Affected)> {
    let package = found.package?;
    // An ecosystem may carry a release after a colon.
    if package.ecosystem.split(':').next() != Some("PyPI") {
        return None;
    }
    let mut ranges = Vec::new();
    for range in found.ranges.into_iter().flatten().filter(|range| range.kind == "ECOSYSTEM") {
        match events(&range) {
            Ok(events) => ranges.push(Range::new(events)),
            // Its bounds are not known, so the named versions stand alone.
            Err(reason) => *unread = Some(reason),
        }
    }
    let mut versions = String::new();
    for version in found.versions.unwrap_or_default() {
        if !version.contains('\n') {
            versions.push_str(&version);
            versions.push('\n');
        }
    }
    Some((normalised(package.name.trim()), Affected { versions: versions.into(), ranges }))
}

fn events(range: &OsvRange) -> Result<Vec<Event>, String> {
    let version = |text: &str| {
        text.trim().parse::<Version>().map_err(|_| {
            let text = shortened(text, 60);
            format!("`{text}` in a range is no version by PEP 440")
        })
    };
    let mut events = Vec::new();
    for event in range.events.iter().flatten() {
        match event.introduced.as_deref() {
            Some("0") => events.push(Event::Introduced(None)),
            Some(text) => events.push(Event::Introduced(Some(version(text)?))),
            None => {}
        }
        if let Some(text) = &event.fixed {
            events.push(Event::Fixed(version(text)?));
        }
        if let Some(text) = &event.last_affected {
            events.push(Event::LastAffected(version(text)?));
        }
        // `*` is a limit that limits nothing.
        if let Some(text) = event.limit.as_deref().filter(|text| *text != "*") {
            events.push(Event::Limit(version(text)?));
        }
    }
    Ok(events)
}

#[derive(Deserialize)]
struct Document {
    id: String,
    aliases: Option<Vec<String>>,
    summary: Option<String>,
    details: Option<String>,
    withdrawn: Option<IgnoredAny>,
    affected: Option<Vec<AffectedPackage>>,
}

#[derive(Deserialize)]
struct AffectedPackage {
    package: Option<Package>,
    versions: Option<Vec<String>>,
    ranges: Option<Vec<OsvRange>>,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct OsvRange {
    #[serde(rename = "type")]
    kind: String,
    events: Option<Vec<OsvEvent>>,
}

#[derive(Deserialize)]
struct OsvEvent {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::affected::Candidate;
    use super::*;

    fn read_json(document: &Value) -> Result<Advisory, String> {
        read(document.to_string().as_bytes())
    }

    fn with_affected(affected: Value) -> Advisory {
        read_json(&json!({ "id": "PYSEC-1", "affected": affected })).unwrap()
    }

    fn about(advisory: &Advisory, version: &str) -> bool {
        let candidate = Candidate::new(version.parse().unwrap());
        advisory.packages.iter().any(|(_, affected)| affected.contains(&candidate))
    }

    #[test]
    fn an_advisory_is_read_with_its_names_and_versions() {
        let advisory = read_json(&json!({
            "schema_version": "1.7.0", "id": "GHSA-1", "modified": "2024-01-01T00:00:00Z",
            "aliases": ["CVE-2024-1", "GHSA-1"], "summary": "Reads  too\nmuch",
            "details": "Long.", "severity": [{ "type": "CVSS_V3", "score": "x" }],
            "affected": [{
                "package": { "ecosystem": "PyPI", "name": "Zope.Interface_x", "purl": "pkg:…" },
                "ranges": [
                    { "type": "GIT", "repo": "https://…", "events": [{ "introduced": "abc" }] },
                    { "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "1.2" }] },
                ],
                "versions": ["0.9", "1.7"],
                "database_specific": { "source": "…" },
            }],
            "database_specific": { "cwe_ids": ["CWE-1"] },
        }))
        .unwrap();
        assert_eq!((advisory.id.as_str(), advisory.summary.as_str()), ("GHSA-1", "Reads too much"));
        assert_eq!(advisory.aliases, ["CVE-2024-1"]);
        assert_eq!(advisory.packages[0].0, "zope-interface-x");
        assert_eq!(advisory.unread, None);
        assert!(about(&advisory, "1.1") && about(&advisory, "1.7") && !about(&advisory, "1.2"));
    }

    #[test]
    fn other_ecosystems_and_withdrawn_advisories_are_about_nothing() {
        let of = |ecosystem: &str| json!([{ "package": { "ecosystem": ecosystem, "name": "a" }, "versions": ["1"] }]);
        assert!(with_affected(of("npm")).packages.is_empty());
        assert!(with_affected(of("pypi")).packages.is_empty(), "ecosystems are written one way");
        assert!(about(&with_affected(of("PyPI")), "1"));
        let withdrawn = |when: Value| {
            let document = json!({ "id": "A-1", "withdrawn": when, "affected": of("PyPI") });
            read_json(&document).unwrap()
        };
        assert!(withdrawn(json!("2024-01-01T00:00:00Z")).packages.is_empty());
        assert!(about(&withdrawn(Value::Null), "1"));
    }

    #[test]
    fn what_may_be_missing_may_be_null() {
        let advisory = read_json(&json!({
            "id": "A-1", "aliases": null, "summary": null, "details": "First line.\nMore.",
            "affected": [
                { "package": null },
                { "package": { "ecosystem": "PyPI", "name": "a" }, "versions": null, "ranges": null },
                { "package": { "ecosystem": "PyPI", "name": "a" },
                  "ranges": [{ "type": "ECOSYSTEM", "events": null }] },
            ],
        }))
        .unwrap();
        assert_eq!(advisory.summary, "First line. More.");
        assert!(!about(&advisory, "1"), "without versions and ranges it says nothing");
    }

    #[test]
    fn a_range_that_cant_be_read_leaves_the_named_versions() {
        let advisory = with_affected(json!([{
            "package": { "ecosystem": "PyPI", "name": "a" },
            "versions": ["1.0"],
            "ranges": [{ "type": "ECOSYSTEM",
                         "events": [{ "introduced": "0" }, { "fixed": "r17-final" }] }],
        }]));
        assert!(about(&advisory, "1.0") && !about(&advisory, "0.5"));
        assert_eq!(
            advisory.unread.as_deref(),
            Some("`r17-final` in a range is no version by PEP 440")
        );
    }

    #[test]
    fn last_affected_and_limits_are_read() {
        let advisory = with_affected(json!([{
            "package": { "ecosystem": "PyPI", "name": "a" },
            "ranges": [{ "type": "ECOSYSTEM", "events": [
                { "introduced": "1.0" }, { "last_affected": "1.5" }, { "limit": "*" },
            ] }],
        }]));
        assert!(about(&advisory, "1.5") && !about(&advisory, "1.6") && !about(&advisory, "0.9"));
    }

    #[test]
    fn what_is_no_advisory_says_why() {
        let nested = "[".repeat(100_000);
        for text in ["", "{", "[]", "{}", "null", "{\"id\": 1}", "{\"id\": \"a\u{7}b\"}", &nested] {
            assert!(read(text.as_bytes()).is_err(), "{text:.20}");
        }
        assert!(read(b"\xff\xfe").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_words_in_an_advisory_make_it_panic(
            id in "\\PC{0,20}", name in ".{0,20}", version in ".{0,12}", bound in "[0-9a-z.+!*]{0,12}",
        ) {
            let document = json!({ "id": id, "summary": name, "aliases": [version], "affected": [{
                "package": { "ecosystem": "PyPI", "name": name },
                "versions": [version],
                "ranges": [{ "type": "ECOSYSTEM", "events": [
                    { "introduced": bound }, { "fixed": bound, "last_affected": version },
                ] }],
            }] });
            if let Ok(advisory) = read_json(&document) {
                about(&advisory, "1.0");
                for (name, _) in &advisory.packages {
                    prop_assert_eq!(&normalised(name), name);
                }
            }
        }
    }
}
