//! `pyproject.toml` in the manifest's shape: `[project]` gives the name, the
//! version and the dependencies, `[tool.mecapy]` everything else.

use std::str::FromStr;

use domain::Text;
use domain::manifest::PythonVersion;
use pep440_rs::{Version, VersionSpecifiers};

use super::fields::Fields;
use crate::code;
use crate::source::{Entry, Node, Place, Value};

/// The keys of `[project]` (PyPA, declaring project metadata).
const PROJECT: [&str; 20] = [
    "name",
    "version",
    "description",
    "readme",
    "requires-python",
    "license",
    "license-files",
    "authors",
    "maintainers",
    "keywords",
    "classifiers",
    "urls",
    "scripts",
    "gui-scripts",
    "entry-points",
    "dependencies",
    "optional-dependencies",
    "dynamic",
    "import-names",
    "import-namespaces",
];

/// Whether the file is a manifest and not only the settings of tools.
pub(super) fn describes_function(root: &Node) -> bool {
    root.get("project").is_some() || mecapy(root).is_some()
}

fn mecapy(root: &Node) -> Option<&Entry> {
    root.get("tool")?.node.get("mecapy")
}

/// The manifest's tree; what `[project]` gives is put in its place there.
pub(super) fn as_manifest(fields: &mut Fields<'_>, root: &Node) -> Node {
    let mut manifest = match mecapy(root) {
        Some(entry) if matches!(entry.node.value, Value::Map(_)) => entry.node.clone(),
        Some(entry) => {
            fields.wrong_type(&entry.node, "", "a table", "une table");
            empty(entry.at)
        }
        None => empty(root.at),
    };
    let Some(project) = root.get("project") else { return manifest };
    let node = &project.node;
    unknown_keys(fields, node);
    let author = |key: &str| match &node.get("authors")?.node.value {
        Value::List(items) => items.first()?.get(key).map(|entry| (entry.at, entry.node.clone())),
        _ => None,
    };
    let own = |key: &str| node.get(key).map(|entry| (entry.at, entry.node.clone()));
    let moves = [
        ("metadata", "name", "metadata.name", "project.name", own("name")),
        (
            "metadata",
            "description",
            "metadata.description",
            "project.description",
            own("description"),
        ),
        ("metadata", "tags", "metadata.tags", "project.keywords", own("keywords")),
        ("metadata", "author", "metadata.author", "project.authors[0].name", author("name")),
        ("metadata", "email", "metadata.email", "project.authors[0].email", author("email")),
        ("versioning", "version", "versioning.version", "project.version", own("version")),
        (
            "dependencies",
            "packages",
            "dependencies.packages",
            "project.dependencies",
            own("dependencies"),
        ),
    ];
    for (section, key, from, to, found) in moves {
        let Some((at, value)) = found else { continue };
        // What stands under [tool.mecapy] was written for us and wins.
        if insert(&mut manifest, section, Entry { key: key.to_owned(), at, node: value }) {
            fields.renamed.insert(from, to);
        }
    }
    requires_python(fields, &manifest, node);
    manifest
}

fn empty(at: Place) -> Node {
    Node { at, value: Value::Map(Vec::new()) }
}

fn unknown_keys(fields: &mut Fields<'_>, project: &Node) {
    fields.renamed.insert("project", "project");
    fields.known_keys(project, "project", &PROJECT);
}

/// Puts an entry into a section unless one of that key is there.
fn insert(manifest: &mut Node, section: &str, entry: Entry) -> bool {
    let Value::Map(sections) = &mut manifest.value else { return false };
    let index = match sections.iter().position(|known| known.key == section) {
        Some(index) => index,
        None => {
            sections.push(Entry { key: section.to_owned(), at: entry.at, node: empty(entry.at) });
            sections.len() - 1
        }
    };
    let Value::Map(entries) = &mut sections[index].node.value else { return false };
    if entries.iter().any(|known| known.key == entry.key) {
        return false;
    }
    entries.push(entry);
    true
}

/// `requires-python` chooses no version, but must admit the one that is.
fn requires_python(fields: &mut Fields<'_>, manifest: &Node, project: &Node) {
    let Some(entry) = project.get("requires-python") else { return };
    let Value::Text(text) = &entry.node.value else {
        return fields.wrong_type(&entry.node, "project.requires-python", "a text", "un texte");
    };
    let Ok(admitted) = VersionSpecifiers::from_str(text) else {
        return fields.error(
            entry.node.at,
            "project.requires-python",
            code::MANIFEST_VALUE,
            Text::new(
                format!("expected versions such as \">=3.11\", found \"{text}\""),
                format!("des versions comme \">=3.11\" sont attendues, trouvé \"{text}\""),
            ),
        );
    };
    let chosen = manifest.get("runtime").and_then(|runtime| runtime.node.get("python_version"));
    let Some(chosen) = chosen else {
        return fields.warning(entry.node.at, "project.requires-python", code::MANIFEST_VALUE, Text::new(
            "`requires-python` chooses no version here; add `runtime.python_version = \"3.12\"` under [tool.mecapy], else the operator's default is taken",
            "`requires-python` ne choisit pas de version ici ; ajoutez `runtime.python_version = \"3.12\"` sous [tool.mecapy], sinon la version par défaut de l’opérateur est prise",
        ));
    };
    let chosen = match &chosen.node.value {
        Value::Text(text) => text,
        Value::Number { raw, .. } => raw,
        _ => return,
    };
    let supported = chosen.parse::<PythonVersion>().is_ok();
    // Any patch number may satisfy a bound such as >=3.11.4.
    let admits = [0, 99].into_iter().any(|patch| {
        Version::from_str(&format!("{chosen}.{patch}")).is_ok_and(|v| admitted.contains(&v))
    });
    if supported && !admits {
        fields.error(entry.node.at, "project.requires-python", code::MANIFEST_VALUE, Text::new(
            format!("\"{text}\" does not admit {chosen}, which `runtime.python_version` asks for; change one of them"),
            format!("\"{text}\" n’admet pas {chosen}, que demande `runtime.python_version` ; changez l’un des deux"),
        ));
    }
}
