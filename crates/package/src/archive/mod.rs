//! The archive's files: read from a ZIP within limits, or taken from a folder.

mod digest;
mod names;
mod unzip;
mod write;

pub(crate) use digest::digest;
pub use names::ignored;
pub(crate) use unzip::unzip;
pub use write::{Packing, zip};

use std::collections::BTreeMap;

use domain::limits::Limits;
use domain::{Fault, Text};

use crate::code;

/// One file of an archive.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Path inside the archive, with `/` between folders.
    pub path: String,
    /// What the file holds.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({:?}, {} bytes)", self.path, self.content.len())
    }
}

/// The files that count, sorted by path, with the one enclosing folder taken
/// off; faults of severity warning may come beside them.
pub(crate) fn settle(
    files: Vec<File>,
    limits: &Limits,
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, Vec<u8>> {
    let mut kept = BTreeMap::new();
    let mut inflated = 0_u64;
    for File { path, content } in files {
        if names::ignored(&path) {
            continue;
        }
        faults.extend(names::faults_of(&path));
        inflated = inflated.saturating_add(content.len() as u64);
        if kept.insert(path.clone(), content).is_some() {
            faults.push(duplicate(&path));
        }
    }
    if kept.len() as u64 > limits.archive_entries {
        faults.push(too_many(kept.len() as u64, limits));
    }
    if inflated > limits.archive_inflated_bytes {
        faults.push(too_large_inflated(limits));
    }
    let kept = strip_folder(kept);
    faults.extend(names::clashes(kept.keys()));
    kept
}

/// Takes off the single top-level folder that many tools put around a ZIP.
fn strip_folder(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let Some(folder) = files.keys().next().and_then(|path| path.split_once('/')) else {
        return files;
    };
    let prefix = format!("{}/", folder.0);
    let holds = |name: &str| files.contains_key(&format!("{prefix}{name}"));
    let is_wrapper = files.keys().all(|path| path.starts_with(&prefix))
        && ["mecapy.yaml", "pyproject.toml", "handler.py"].into_iter().any(holds);
    if !is_wrapper {
        return files;
    }
    files.into_iter().map(|(path, content)| (path[prefix.len()..].to_owned(), content)).collect()
}

fn duplicate(path: &str) -> Fault {
    Fault::error(
        code::ARCHIVE_DUPLICATE,
        Text::new(
            format!(
                "the archive holds `{path}` twice; each path may stand once. Make the ZIP anew from the folder"
            ),
            format!(
                "l’archive contient deux fois `{path}` ; chaque chemin ne doit y figurer qu’une fois. Refaites le ZIP à partir du dossier"
            ),
        ),
    )
    .in_file(path)
}

fn too_many(count: u64, limits: &Limits) -> Fault {
    let limit = limits.archive_entries;
    Fault::error(
        code::ARCHIVE_TOO_MANY_ENTRIES,
        Text::new(
            format!(
                "the archive holds {count} entries, the limit is {limit}. Leave out environments, caches and results"
            ),
            format!(
                "l’archive contient {count} entrées, la limite est de {limit}. Retirez-en les environnements, les caches et les résultats"
            ),
        ),
    )
}

fn too_large_inflated(limits: &Limits) -> Fault {
    let limit = limits.archive_inflated_bytes;
    Fault::error(
        code::ARCHIVE_TOO_LARGE,
        Text::new(
            format!(
                "the archive's files are larger than {limit} bytes once inflated, which is the limit. Pass large data as an input file instead"
            ),
            format!(
                "les fichiers de l’archive dépassent {limit} octets une fois décompressés, ce qui est la limite. Passez plutôt les données volumineuses comme fichier d’entrée"
            ),
        ),
    )
}
