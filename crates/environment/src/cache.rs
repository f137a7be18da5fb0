//! The cache of `uv`: how it grows, what a stopped run left in it, its size.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::disk::{self, Extent};
use crate::error::Error;
use crate::log::{KeptLog, Log};
use crate::resolve;
use crate::uv::{Ended, Uv};

/// How long to wait for other runs before the cache is emptied.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for them before leftovers are removed. Where others are
/// busy, the leftovers wait for the next start.
const HASTE: Duration = Duration::from_secs(1);
/// How long the removal itself may take.
const CLEANING_TIME: Duration = Duration::from_secs(60);

/// Removes what runs left that were stopped while they unpacked. Best effort:
/// what stays is removed at the next start.
pub(crate) async fn remove_leftovers(uv: &Uv, scratch: &Path) {
    if has_leftovers(uv.cache()) {
        // A cache that can't be cleaned is no reason to refuse work; a disk
        // that is full says so by itself.
        let _ = clean(uv, scratch, "prune", HASTE).await;
    }
}

/// Empties the cache if it takes more than `max_bytes` beyond what it shares
/// with environments, and answers how much was freed. A cache that works
/// offline is all there is and stays.
pub(crate) async fn trim(uv: &Uv, scratch: &Path, max_bytes: u64) -> Result<u64, Error> {
    let cache = uv.cache().to_path_buf();
    let measured = tokio::task::spawn_blocking(move || own_bytes(&cache)).await.unwrap_or(0);
    if measured <= max_bytes || uv.offline() {
        return Ok(0);
    }
    clean(uv, scratch, "clean", PATIENCE).await?;
    Ok(measured)
}

async fn clean(uv: &Uv, scratch: &Path, how: &str, wait: Duration) -> Result<(), Error> {
    let folder = tempfile::tempdir_in(scratch).map_err(Error::io("use", scratch))?;
    let mut command = uv.command(folder.path());
    // `uv` waits until no other run uses the cache, in whatever process.
    command.args(["cache", how]).env("UV_LOCK_TIMEOUT", wait.as_secs().to_string());
    let log = KeptLog::live_only(&Log::silent());
    let deadline = Instant::now() + wait + CLEANING_TIME;
    match uv.run(command, None, None, deadline, &log, std::future::pending()).await? {
        Ended::Exited(finished) if finished.status.success() => Ok(()),
        Ended::Exited(finished) => Err(resolve::failure(uv, &finished.said)),
        Ended::OutOfTime => Err(Error::Uv("its cache stayed in use".to_owned())),
        Ended::Stopped(error) => Err(error),
    }
}

/// Ends when what `uv` unpacks exceeds `most`: in its cache, where it does so
/// first, or in `site`. `beside` runs may unpack into the cache at a time.
pub(crate) fn outgrown(
    cache: &Path,
    site: Option<&Path>,
    most: Extent,
    beside: u64,
) -> impl Future<Output = Error> + use<> {
    let (site, cache) = (site.map(Path::to_path_buf), cache.to_path_buf());
    let in_cache = Extent {
        bytes: most.bytes.saturating_mul(beside),
        files: most.files.saturating_mul(beside),
    };
    let known = unpacked(&cache);
    async move {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let (site, cache, known) = (site.clone(), cache.clone(), known.clone());
            let look = move || {
                if let Some(site) = site {
                    disk::extent(&site, most).within(most)?;
                }
                let mut grown = Extent::default();
                for folder in unpacked(&cache).difference(&known) {
                    let found = disk::extent(folder, in_cache);
                    grown.bytes += found.bytes;
                    grown.files += found.files;
                }
                grown.within(in_cache)
            };
            if let Ok(Err(error)) = tokio::task::spawn_blocking(look).await {
                return error;
            }
        }
    }
}

/// The folders that hold unpacked wheels, and those being unpacked into.
fn unpacked(cache: &Path) -> HashSet<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders = HashSet::new();
    for entry in entries(cache) {
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        if name.starts_with(".tmp") {
            folders.insert(entry.path());
        } else if name.starts_with("archive-") {
            folders.extend(entries(&entry.path()).map(|entry| entry.path()));
        }
    }
    folders
}

fn has_leftovers(cache: &Path) -> bool {
    fs::read_dir(cache)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(".tmp")))
}

/// The size of the files that no environment shares.
fn own_bytes(cache: &Path) -> u64 {
    let mut total = 0;
    let mut folders = vec![cache.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.nlink() == 1 {
                total += found.len();
            }
        }
    }
    total
}
