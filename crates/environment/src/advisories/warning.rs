//! Tells the author of a function what is known of its packages.

use domain::{Fault, Text};
use pep440_rs::Version;

use super::index::{Finding, Index};
use crate::lock::Locked;

/// Vulnerabilities of one package that are told one by one; of the others
/// only the number is.
const PER_PACKAGE: usize = 10;
/// Warnings of one lock that tell a vulnerability.
const IN_ALL: usize = 100;
/// Other names, and versions, that one warning lists.
const LISTED: usize = 5;
/// The longest word that is taken for the name of an advisory.
const LONGEST_ID: usize = 64;

/// A warning for each known vulnerability of each package, in the packages'
/// order.
pub(super) fn faults(index: &Index, packages: &[Locked]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut room = IN_ALL;
    for package in packages {
        // `uv` locks nothing that is no version; a stored lock may be older.
        let Ok(version) = package.version.parse::<Version>() else { continue };
        let findings = index.findings(&package.name, &version);
        let told = findings.len().min(PER_PACKAGE).min(room);
        room -= told;
        for finding in &findings[..told] {
            faults.push(Fault::warning("known_vulnerability", known(package, finding)));
        }
        if findings.len() > told {
            faults.push(Fault::warning(
                "known_vulnerability",
                further(package, findings.len() - told, told > 0),
            ));
        }
    }
    faults
}

fn known(package: &Locked, finding: &Finding) -> Text {
    let Locked { name, version, .. } = package;
    let id = finding.id;
    let aliases = match finding.aliases.as_slice() {
        [] => String::new(),
        aliases => format!(" ({})", first(aliases).join(", ")),
    };
    let (says, dit) = match finding.summary {
        "" => (String::new(), String::new()),
        summary => (format!(", “{summary}”"), format!(", « {summary} »")),
    };
    let (remedy, remede) = match finding.fixed.first() {
        Some(lowest) => {
            let fixed = first(&finding.fixed);
            (
                format!(
                    "fixed in {}: raise the requirement, such as `{name}>={lowest}`, or add it \
                     where another package brings {name}, and deploy again",
                    joined(&fixed, "and")
                ),
                format!(
                    "corrigée dans {} : relevez la dépendance, par exemple `{name}>={lowest}`, ou \
                     ajoutez-la si un autre paquet apporte {name}, puis redéployez",
                    joined(&fixed, "et")
                ),
            )
        }
        None => (
            "no version is known to fix it: look whether it concerns the function, or use another \
             package"
                .to_owned(),
            "aucune version connue ne la corrige : voyez si elle concerne la fonction, ou prenez \
             un autre paquet"
                .to_owned(),
        ),
    };
    Text::new(
        format!("{name} {version} has a known vulnerability, {id}{aliases}{says}; {remedy}"),
        format!("{name} {version} a une vulnérabilité connue, {id}{aliases}{dit} ; {remede}"),
    )
}

/// What is left of a package whose vulnerabilities are too many to tell.
fn further(package: &Locked, number: usize, some_were_told: bool) -> Text {
    let Locked { name, version, .. } = package;
    let (more, autres) = if some_were_told { (" further", " autres") } else { ("", "") };
    Text::new(
        format!(
            "{name} {version} has {number}{more} known vulnerabilities; raise the requirement to a \
             recent version and deploy again"
        ),
        format!(
            "{name} {version} a {number}{autres} vulnérabilités connues ; relevez la dépendance à \
             une version récente, puis redéployez"
        ),
    )
}

/// The first few, with a word for the rest.
fn first<T: ToString>(all: &[T]) -> Vec<String> {
    let mut listed: Vec<String> = all.iter().take(LISTED).map(ToString::to_string).collect();
    if all.len() > LISTED {
        listed.push("…".to_owned());
    }
    listed
}

fn joined(words: &[String], and: &str) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => format!("{} {and} {last}", before.join(", ")),
        words => words.concat(),
    }
}

/// A name of an advisory as people may be shown it; none where it is none.
pub(super) fn word(text: &str) -> Option<String> {
    let text = text.trim();
    let plain = !text.is_empty()
        && text.len() <= LONGEST_ID
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    plain.then(|| text.to_owned())
}

/// One line of at most `most` characters, cut between words where it can be;
/// without control characters, which would speak to a terminal.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut line = String::new();
    let mut length = 0;
    // The text may be much longer than what is kept of it.
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.extend(word.chars().map(plain).take(most + 1));
        length += word.chars().take(most + 1).count();
        if length > most {
            let cut: String = line.chars().take(most - 1).collect();
            // A single long word has no place between words.
            let end = cut.rfind(' ').filter(|end| *end > cut.len() / 2).unwrap_or(cut.len());
            return format!("{}…", cut[..end].trim_end_matches([' ', ',', ';', ':', '.']));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::osv;
    use super::*;

    fn locked(name: &str, version: &str) -> Locked {
        Locked { name: name.to_owned(), version: version.to_owned(), sha256: Vec::new() }
    }

    fn add(index: &mut Index, id: &str, name: &str, more: &serde_json::Value) {
        let mut document = json!({ "id": id, "affected": [{
            "package": { "ecosystem": "PyPI", "name": name },
            "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }] }],
        }] });
        for (key, value) in more.as_object().into_iter().flatten() {
            document[key] = value.clone();
        }
        index.add(osv::read(document.to_string().as_bytes()).unwrap()).unwrap();
    }

    #[test]
    fn a_warning_says_what_is_known_and_what_to_do() {
        let mut index = Index::default();
        let affected = json!([{
            "package": { "ecosystem": "PyPI", "name": "URLlib3" },
            "ranges": [{ "type": "ECOSYSTEM", "events": [
                { "introduced": "0" }, { "fixed": "1.26.17" },
                { "introduced": "2.0.0" }, { "fixed": "2.0.6" },
            ] }],
        }]);
        let more = json!({
            "aliases": ["CVE-2023-43804", "PYSEC-2023-192"],
            "summary": "`Cookie` header isn't stripped on redirects", "affected": affected,
        });
        add(&mut index, "GHSA-v845-jxx5-vc9f", "", &more);
        let packages = [locked("numpy", "2.1.0"), locked("urllib3", "1.25")];
        let found = faults(&index, &packages);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, "known_vulnerability");
        assert_eq!(found[0].severity, domain::Severity::Warning);
        assert_eq!(
            found[0].message,
            Text::new(
                "urllib3 1.25 has a known vulnerability, GHSA-v845-jxx5-vc9f (CVE-2023-43804, \
                 PYSEC-2023-192), “`Cookie` header isn't stripped on redirects”; fixed in 1.26.17 \
                 and 2.0.6: raise the requirement, such as `urllib3>=1.26.17`, or add it where \
                 another package brings urllib3, and deploy again",
                "urllib3 1.25 a une vulnérabilité connue, GHSA-v845-jxx5-vc9f (CVE-2023-43804, \
                 PYSEC-2023-192), « `Cookie` header isn't stripped on redirects » ; corrigée dans \
                 1.26.17 et 2.0.6 : relevez la dépendance, par exemple `urllib3>=1.26.17`, ou \
                 ajoutez-la si un autre paquet apporte urllib3, puis redéployez",
            )
        );
    }

    #[test]
    fn without_a_mended_version_it_says_so() {
        let mut index = Index::default();
        add(&mut index, "PYSEC-1", "a", &json!({}));
        let found = faults(&index, &[locked("a", "1.0")]);
        assert_eq!(
            found[0].message.en,
            "a 1.0 has a known vulnerability, PYSEC-1; no version is known to fix it: look whether \
             it concerns the function, or use another package"
        );
        assert!(found[0].message.fr.contains("aucune version connue ne la corrige"));
    }

    #[test]
    fn a_package_with_very_many_is_told_by_their_number() {
        let mut index = Index::default();
        for number in 0..312 {
            add(&mut index, &format!("PYSEC-{number}"), "big", &json!({}));
        }
        let found = faults(&index, &[locked("big", "1.0")]);
        assert_eq!(found.len(), PER_PACKAGE + 1);
        assert_eq!(
            found[PER_PACKAGE].message.en,
            "big 1.0 has 302 further known vulnerabilities; raise the requirement to a recent \
             version and deploy again"
        );
        for number in 0..20 {
            add(&mut index, &format!("A-{number}"), &format!("p{number}"), &json!({}));
            for other in 0..20 {
                let id = format!("B-{number}-{other}");
                add(&mut index, &id, &format!("p{number}"), &json!({}));
            }
        }
        let packages: Vec<_> = (0..20).map(|number| locked(&format!("p{number}"), "1")).collect();
        let found = faults(&index, &packages);
        assert_eq!(found.len(), IN_ALL + packages.len());
        let last = &found[found.len() - 1].message.fr;
        assert_eq!(
            last,
            "p19 1 a 21 vulnérabilités connues ; relevez la dépendance à une version récente, puis \
             redéployez"
        );
    }

    #[test]
    fn a_summary_is_one_short_line_without_control_characters() {
        assert_eq!(shortened("a\u{1b}[31m\n\tb", 20), "a [31m b");
        assert_eq!(shortened("some words, that go on", 14), "some words…");
        assert_eq!(shortened("ééééééé", 4), "ééé…");
        assert_eq!(shortened("exactly", 7), "exactly");
        assert_eq!(word(" CVE-2024-1 "), Some("CVE-2024-1".to_owned()));
        assert_eq!(word("a b"), None);
    }

    proptest! {
        #[test]
        fn a_shortened_text_is_never_too_long(text in ".{0,80}", most in 2_usize..40) {
            let short = shortened(&text, most);
            prop_assert!(short.chars().count() <= most);
            prop_assert!(!short.contains(char::is_control));
        }
    }
}
