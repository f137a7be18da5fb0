//! Removing what is not needed: half-built environments at the start, the
//! longest unused ones when space is short.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use domain::{Clock, Digest};

use crate::build::BUILDING;
use crate::disk::{self, Lease, Places};

/// What a collection did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The environments that were removed, the longest unused first.
    pub removed: Vec<Digest>,
    /// Their sizes together, in bytes.
    pub removed_bytes: u64,
    /// The size of the environments that are left, in bytes. Above the limit
    /// where the rest is in use.
    pub kept_bytes: u64,
}

/// Removes environments, the longest unused first, until at most `max_bytes`
/// are left. Those in `keep` and those that any process has open stay.
pub(crate) fn collect(
    places: &Places,
    max_bytes: u64,
    keep: &HashSet<Digest>,
) -> io::Result<Collected> {
    let mut found: Vec<_> = places
        .finished()?
        .into_iter()
        .map(|digest| {
            let bytes = disk::describe(places, &digest).map_or(0, |description| description.bytes);
            (disk::last_used(places, &digest), digest, bytes)
        })
        .collect();
    found.sort();
    let mut collected = Collected {
        kept_bytes: found.iter().map(|(.., bytes)| bytes).sum(),
        ..Collected::default()
    };
    for (_, digest, bytes) in found {
        if collected.kept_bytes <= max_bytes {
            break;
        }
        if keep.contains(&digest) || !remove(places, &digest)? {
            continue;
        }
        collected.kept_bytes -= bytes;
        collected.removed_bytes += bytes;
        collected.removed.push(digest);
    }
    Ok(collected)
}

/// Removes one environment; `false` where somebody has it open.
fn remove(places: &Places, digest: &Digest) -> io::Result<bool> {
    let Some(lease) = Lease::exclusive(places, digest)? else { return Ok(false) };
    // Under another name first, so that half of it is never taken for a whole.
    let doomed = places.root.join(format!("{BUILDING}{}", digest.hex()));
    if fs::symlink_metadata(&doomed).is_ok() {
        fs::remove_dir_all(&doomed)?;
    }
    fs::rename(places.folder(digest), &doomed)?;
    fs::remove_dir_all(&doomed)?;
    lease.remove(places, digest)?;
    Ok(true)
}

/// Removes what a process left that ended in the middle. What another living
/// process is building stays.
pub(crate) fn sweep(places: &Places, clock: &dyn Clock) -> io::Result<()> {
    for entry in fs::read_dir(&places.root)?.flatten() {
        let name = entry.file_name();
        let digest: Option<Digest> = name
            .to_str()
            .and_then(|name| name.strip_prefix(BUILDING))
            .and_then(|name| name.parse().ok());
        let Some(digest) = digest else { continue };
        if let Some(lease) = Lease::exclusive(places, &digest)? {
            fs::remove_dir_all(entry.path())?;
            drop(lease);
        }
    }
    let day = Duration::from_secs(24 * 3600);
    remove_older(&places.scratch(), clock, day)?;
    remove_older(&places.root.join("failed"), clock, 30 * day)
}

fn remove_older(folder: &Path, clock: &dyn Clock, age: Duration) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let limit = clock.now().before(age);
    for entry in fs::read_dir(folder)?.flatten() {
        let Ok(found) = entry.metadata() else { continue };
        if found.mtime().saturating_mul(1_000_000) < limit.0 {
            // Another process may be removing it as well.
            let _ = if found.is_dir() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
        }
    }
    Ok(())
}
