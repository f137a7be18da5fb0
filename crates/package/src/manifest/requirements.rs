//! The packages that a function needs, from a list or a requirements file.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use domain::{Fault, Text};
use pep508_rs::{PackageName, Requirement, VerbatimUrl};

use super::fields::Fields;
use super::sections::SECTIONS;
use crate::code;
use crate::source::{Node, Value};

/// More packages than this in one environment are a mistake.
const MOST: usize = 200;
const USUAL_FILE: &str = "requirements.txt";

struct One {
    line: String,
    name: PackageName,
    /// Applies everywhere, not only under a marker.
    always: bool,
}

fn one(text: &str) -> Result<One, Box<Fault>> {
    let line = text.trim();
    if let Some((en, fr)) = other_source(line) {
        return Err(refused(
            code::REQUIREMENT_SOURCE,
            Text::new(
                format!(
                    "expected a package and its versions, such as `numpy>=1.26`, found `{}`, {en}",
                    short(line)
                ),
                format!(
                    "un paquet et ses versions sont attendus, comme `numpy>=1.26`, trouvé `{}`, {fr}",
                    short(line)
                ),
            ),
        ));
    }
    // A URL is never handed to the parser: it would put the values of this
    // server's own variables in place of `${NAME}`, and tell them in its error.
    let head = line.split(';').next().unwrap_or_default();
    if head.contains('@') {
        return Err(refused(
            code::REQUIREMENT_SOURCE,
            Text::new(
                format!(
                    "expected a package and its versions, such as `numpy>=1.26`, found `{}`, which names a URL; only wheels of the package index are installed, locked with their hashes",
                    short(line)
                ),
                format!(
                    "un paquet et ses versions sont attendus, comme `numpy>=1.26`, trouvé `{}`, qui nomme une URL ; seules des wheels de l’index de paquets sont installées, verrouillées par leurs empreintes",
                    short(line)
                ),
            ),
        ));
    }
    if ends_in_punctuation(head) {
        return Err(invalid(line, "names end with a letter or a digit"));
    }
    let parsed = (line.len() <= 1000).then(|| Requirement::<VerbatimUrl>::from_str(line));
    match parsed {
        Some(Ok(requirement)) => {
            let always = requirement.marker.is_true();
            Ok(One { line: line.to_owned(), name: requirement.name, always })
        }
        Some(Err(error)) => {
            let reason = error.message.to_string();
            let reason = reason.lines().next().unwrap_or_default();
            Err(invalid(line, reason))
        }
        None => Err(invalid(line, "longer than 1000 characters")),
    }
}

/// Whether the name of the package or of an extra ends with `.`, `-` or `_`,
/// where the parser would panic.
fn ends_in_punctuation(head: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = head.split(|c| !is_part(c)).next().unwrap_or_default();
    let extras = head.split_once('[').map_or("", |(_, after)| after);
    let extras = extras.split(']').next().unwrap_or_default().split(|c| !is_part(c));
    extras.chain([name]).any(|name| name.ends_with(['.', '-', '_']))
}

/// Boxed, because it is far larger than what goes well.
fn refused(code: &str, text: Text) -> Box<Fault> {
    Box::new(Fault::error(code, text))
}

fn invalid(line: &str, reason: &str) -> Box<Fault> {
    refused(
        code::REQUIREMENT_INVALID,
        Text::new(
            format!(
                "expected a package and its versions, such as `numpy>=1.26`, found `{}` ({reason})",
                short(line)
            ),
            format!(
                "un paquet et ses versions sont attendus, comme `numpy>=1.26`, trouvé `{}` ({reason})",
                short(line)
            ),
        ),
    )
}

/// What a line is, if it is no name of a package, and what to do instead.
fn other_source(line: &str) -> Option<(&'static str, &'static str)> {
    let lower = line.to_ascii_lowercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| lower.starts_with(prefix));
    Some(if starts(&["-e", "--editable"]) {
        (
            "an editable install; put the code itself into the archive",
            "une installation éditable ; mettez le code lui-même dans l’archive",
        )
    } else if starts(&["-r", "--requirement", "-c", "--constraint"]) {
        (
            "which refers to another file; write its lines here",
            "qui renvoie à un autre fichier ; écrivez ses lignes ici",
        )
    } else if starts(&[
        "-i",
        "--index-url",
        "--extra-index-url",
        "--find-links",
        "-f",
        "--trusted-host",
        "--no-index",
    ]) {
        (
            "an option; the package index is the operator's setting",
            "une option ; l’index de paquets est un réglage de l’opérateur",
        )
    } else if starts(&["-"]) {
        ("an option; take it out", "une option ; retirez-la")
    } else if lower.contains(" --hash") {
        (
            "with a hash; the platform locks versions and hashes itself, take it out",
            "avec une empreinte ; la plateforme verrouille elle-même versions et empreintes, retirez-la",
        )
    } else if starts(&["git+", "hg+", "svn+", "bzr+", "git@"]) || lower.contains("git+") {
        (
            "a repository; only wheels of the package index are installed, locked with their hashes",
            "un dépôt ; seules des wheels de l’index de paquets sont installées, verrouillées par leurs empreintes",
        )
    } else if lower.contains("://") {
        (
            "a URL; only wheels of the package index are installed, locked with their hashes",
            "une URL ; seules des wheels de l’index de paquets sont installées, verrouillées par leurs empreintes",
        )
    } else if starts(&[".", "/", "~", "c:"])
        || lower.ends_with(".whl")
        || lower.ends_with(".tar.gz")
        || lower.contains('\\')
    {
        (
            "a path; put modules into the archive beside `handler.py`, and packages on the operator's index",
            "un chemin ; mettez les modules dans l’archive à côté de `handler.py`, et les paquets sur l’index de l’opérateur",
        )
    } else {
        return None;
    })
}

/// The requirements of the manifest: of the list, of the file it names, or of
/// `requirements.txt` where it names none.
pub(super) fn read(
    fields: &mut Fields<'_>,
    root: &Node,
    files: &BTreeMap<String, Vec<u8>>,
) -> Vec<String> {
    let known = SECTIONS.iter().find(|(name, _)| *name == "dependencies");
    let section = fields.section(Some(root), "dependencies", known.map_or(&[], |(_, keys)| keys));
    let named = fields.get(section, "requirements").map(|entry| entry.node.at);
    // An empty list says no more than no list.
    let listed = fields.get(section, "packages").is_some_and(|entry| {
        named.is_none() || !matches!(&entry.node.value, Value::List(items) if items.is_empty())
    });
    if let (Some(at), true) = (named, listed) {
        fields.error(at, "dependencies.requirements", code::MANIFEST_VALUE, Text::new(
            "give either `requirements`, the name of a file, or `packages`, a list; not both",
            "donnez soit `requirements`, le nom d’un fichier, soit `packages`, une liste ; pas les deux",
        ));
    }
    let mut seen = Seen::default();
    if listed {
        let items = fields.list(section, "dependencies.packages").unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            let path = format!("dependencies.packages[{index}]");
            if let Some(text) = fields.text_of(item, &path, 1000)
                && let Err(fault) = seen.add(&text, index + 1)
            {
                fields.error(item.at, &path, &fault.code, fault.message);
            }
        }
    } else if let Some(at) = named {
        let path = "dependencies.requirements";
        if let Some(node) = fields.get(section, "requirements").map(|entry| &entry.node) {
            if let Value::List(_) = node.value {
                fields.error(at, path, code::MANIFEST_TYPE, Text::new(
                    "expected the name of a file such as `requirements.txt`, found a list; a list stands under `packages`",
                    "le nom d’un fichier comme `requirements.txt` est attendu, trouvé une liste ; une liste se met sous `packages`",
                ));
                return Vec::new();
            }
            let Some(name) = fields.text_of(node, path, 200) else { return Vec::new() };
            match files.get(name.trim_start_matches("./")) {
                Some(content) => read_file(fields, &name, content, &mut seen),
                None => fields.error(at, path, code::REQUIREMENT_FILE, Text::new(
                    format!("the file `{name}` is not in the archive; add it, or list the packages under `dependencies.packages`"),
                    format!("le fichier `{name}` n’est pas dans l’archive ; ajoutez-le, ou listez les paquets sous `dependencies.packages`"),
                )),
            }
        }
    } else if let Some(content) = files.get(USUAL_FILE) {
        read_file(fields, USUAL_FILE, content, &mut seen);
    }
    if seen.lines.len() > MOST {
        let found = seen.lines.len();
        fields.error(root.at, "dependencies", code::MANIFEST_RANGE, Text::new(
            format!("expected at most {MOST} packages, found {found}; leave out what others bring along"),
            format!("au plus {MOST} paquets sont attendus, trouvé {found} ; omettez ceux que d’autres amènent"),
        ));
    }
    seen.lines
}

fn read_file(fields: &mut Fields<'_>, name: &str, content: &[u8], seen: &mut Seen) {
    let text =
        std::str::from_utf8(content).map(|text| text.strip_prefix('\u{FEFF}').unwrap_or(text));
    let Ok(text) = text else {
        fields.faults.push(Fault::error(code::REQUIREMENT_FILE, Text::new(
            "expected UTF-8 text, found other bytes. Save the file as UTF-8",
            "du texte UTF-8 est attendu, trouvé d’autres octets. Enregistrez le fichier en UTF-8",
        )).in_file(name));
        return;
    };
    let mut lines = text.lines().enumerate();
    while let Some((number, first)) = lines.next() {
        let mut line = first.trim_end().to_owned();
        // A backslash at the end continues a line, as pip reads it.
        while line.ends_with('\\') {
            line.pop();
            match lines.next() {
                Some((_, next)) => line.push_str(next.trim_end()),
                None => break,
            }
        }
        let without_comment = if line.trim_start().starts_with('#') {
            ""
        } else {
            line.split_once(" #").map_or(line.as_str(), |(before, _)| before)
        };
        if without_comment.trim().is_empty() {
            continue;
        }
        if let Err(fault) = seen.add(without_comment, number + 1) {
            let column = first.chars().take_while(|c| c.is_whitespace()).count() + 1;
            let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            fields.faults.push(fault.in_file(name).at(place(number + 1), place(column)));
        }
    }
}

/// The requirements so far, with the number of the line or item of each name.
#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    by_name: HashMap<PackageName, (usize, bool)>,
}

impl Seen {
    fn add(&mut self, text: &str, number: usize) -> Result<(), Box<Fault>> {
        let One { line, name, always } = one(text)?;
        if let Some((first, first_always)) = self.by_name.get(&name)
            && (always || *first_always)
        {
            return Err(refused(
                code::REQUIREMENT_DUPLICATE,
                Text::new(
                    format!(
                        "`{name}` is required twice, first as number or line {first}; keep one, with all its conditions: `{name}>=1,<2`"
                    ),
                    format!(
                        "`{name}` est demandé deux fois, d’abord au numéro ou à la ligne {first} ; n’en gardez qu’un, avec toutes ses conditions : `{name}>=1,<2`"
                    ),
                ),
            ));
        }
        self.by_name.insert(name, (number, always));
        self.lines.push(line);
        Ok(())
    }
}

fn short(text: &str) -> String {
    if text.chars().count() > 80 {
        text.chars().take(80).chain(['…']).collect()
    } else {
        text.to_owned()
    }
}
