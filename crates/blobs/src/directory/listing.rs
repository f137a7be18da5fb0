//! What is there, in order.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use domain::{CompanyId, Timestamp};

use crate::{Area, Error, Key, Listed};

pub(super) fn companies(root: &Path) -> Result<Vec<CompanyId>, Error> {
    let names = names(root).map_err(|error| Error::from_io("list", root.display(), error))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

pub(super) fn list(
    root: &Path,
    company: CompanyId,
    area: Area,
    after: Option<Key>,
    limit: usize,
) -> Result<Vec<Listed>, Error> {
    let what = format!("{company}/{area}");
    let folder = root.join(&what);
    let fail = |error| Error::from_io("list", &what, error);
    let after = after.map(|key| (key.name.fan_out(), key.name.to_string()));
    let mut listed = Vec::new();
    for shelf in names(&folder).map_err(fail)? {
        if after.as_ref().is_some_and(|(last, _)| shelf < *last) {
            continue;
        }
        for name in names(&folder.join(&shelf)).map_err(fail)? {
            if after.as_ref().is_some_and(|last| (&shelf, &name) <= (&last.0, &last.1)) {
                continue;
            }
            if listed.len() == limit {
                return Ok(listed);
            }
            let Ok(parsed) = name.parse() else { continue };
            let metadata = match fs::symlink_metadata(folder.join(&shelf).join(&name)) {
                Ok(metadata) => metadata,
                // Deleted since its name was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(fail(error)),
            };
            listed.push(Listed {
                key: Key { company, area, name: parsed },
                bytes: metadata.len(),
                written_at: Timestamp(metadata.mtime() * 1_000_000 + metadata.mtime_nsec() / 1000),
            });
        }
    }
    Ok(listed)
}

/// The names in a folder, in order; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        // Objects have names of ASCII; whatever else is there is not ours.
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}
