//! The manifest: `mecapy.yaml`, or `pyproject.toml` in its place, read with
//! every fault at once.

mod fields;
mod pyproject;
mod requirements;
mod sections;

use std::collections::BTreeMap;

use domain::limits::Limits;
use domain::manifest::Manifest;
use domain::{Fault, Severity, Text};

use crate::code;
use crate::source::{self, Node, nearest};
use fields::Fields;

const YAML: &str = "mecapy.yaml";
pub(crate) const TOML: &str = "pyproject.toml";

/// What reading a manifest gave. The tree stays for whoever finds more faults
/// in it: schemas and test cases.
pub(crate) struct Read {
    pub(crate) manifest: Option<Manifest>,
    pub(crate) file: &'static str,
    pub(crate) root: Option<Node>,
    /// What stands before a key of the manifest in this file.
    pub(crate) base: &'static str,
    pub(crate) faults: Vec<Fault>,
}

/// Every key of the manifest by its full path, such as `runtime.timeout`, for
/// documentation and editors.
#[must_use]
pub fn manifest_keys() -> Vec<String> {
    let sections = sections::SECTIONS.iter();
    sections.flat_map(|(section, keys)| keys.iter().map(|key| fields::join(section, key))).collect()
}

/// Reads the manifest of an archive.
pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>, limits: &Limits) -> Read {
    let describes = |bytes: &Vec<u8>| {
        source::parse_toml(bytes).root.is_none_or(|root| pyproject::describes_function(&root))
    };
    match (files.get(YAML), files.get(TOML)) {
        (Some(yaml), toml) => {
            let mut read = read_yaml(yaml, files, limits);
            // A pyproject.toml that only configures tools is no second manifest.
            if toml.is_some_and(describes) {
                read.faults.push(twice());
            }
            read
        }
        (None, Some(toml)) => read_toml(toml, files, limits),
        (None, None) => Read {
            manifest: None,
            file: YAML,
            root: None,
            base: "",
            faults: vec![missing(files.keys())],
        },
    }
}

fn read_yaml(bytes: &[u8], files: &BTreeMap<String, Vec<u8>>, limits: &Limits) -> Read {
    let source::Parsed { root, mut faults } = source::parse_yaml(bytes);
    for fault in &mut faults {
        fault.file = Some(YAML.to_owned());
    }
    let mut fields = Fields::new(YAML, "", limits);
    let manifest =
        root.as_ref().and_then(|root| sections::manifest(&mut fields, root, files, true));
    finish(fields, manifest, root, faults)
}

fn read_toml(bytes: &[u8], files: &BTreeMap<String, Vec<u8>>, limits: &Limits) -> Read {
    let source::Parsed { root, mut faults } = source::parse_toml(bytes);
    for fault in &mut faults {
        fault.file = Some(TOML.to_owned());
    }
    let mut fields = Fields::new(TOML, "tool.mecapy.", limits);
    let root = root.map(|root| pyproject::as_manifest(&mut fields, &root));
    let manifest =
        root.as_ref().and_then(|root| sections::manifest(&mut fields, root, files, false));
    finish(fields, manifest, root, faults)
}

fn finish(
    fields: Fields<'_>,
    manifest: Option<Manifest>,
    root: Option<Node>,
    mut faults: Vec<Fault>,
) -> Read {
    let (file, base) = (fields.file, fields.base);
    faults.extend(fields.faults);
    let refused = faults.iter().any(|fault| fault.severity == Severity::Error);
    // What a fault made unreadable may stand as a default in the manifest.
    let manifest = manifest.filter(|_| !refused);
    Read { manifest, file, root, base, faults }
}

fn twice() -> Fault {
    Fault::error(
        code::MANIFEST_TWICE,
        Text::new(
            "both `mecapy.yaml` and `pyproject.toml` describe this function; keep one. A `pyproject.toml` without `[project]` and `[tool.mecapy]` may stay",
            "`mecapy.yaml` et `pyproject.toml` décrivent tous deux cette fonction ; n’en gardez qu’un. Un `pyproject.toml` sans `[project]` ni `[tool.mecapy]` peut rester",
        ),
    )
    .in_file(TOML)
}

fn missing<'a>(paths: impl Iterator<Item = &'a String>) -> Fault {
    let mut named = paths.filter(|path| {
        let name = path.rsplit('/').next().unwrap_or_default().to_lowercase();
        matches!(name.as_str(), "mecapy.yml" | "mecapy.yaml" | "mecapy.json" | "pyproject.toml")
            || nearest(&name, [YAML]).is_some()
    });
    let hint = named.next().map_or_else(
        || Text::new("`mecapy init` writes a good one", "`mecapy init` en écrit un bon"),
        |found| {
            Text::new(
                format!("found `{found}`; it belongs to the archive's top level under that name"),
                format!("trouvé `{found}` ; sa place est à la racine de l’archive, sous ce nom"),
            )
        },
    );
    Fault::error(
        code::MANIFEST_MISSING,
        Text::new(
            format!("expected `mecapy.yaml` (or `pyproject.toml`) in the archive. {}", hint.en),
            format!("`mecapy.yaml` (ou `pyproject.toml`) est attendu dans l’archive. {}", hint.fr),
        ),
    )
    .in_file(YAML)
}
