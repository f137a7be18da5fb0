//! The code of versions, unpacked once and compiled in the sandbox.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::limits::Limits;
use sandbox::Template;
use store::functions::Version;

/// What compiling an archive's code may use.
fn compile_limits() -> sandbox::Limits {
    sandbox::Limits {
        memory_bytes: 1 << 30,
        wall: std::time::Duration::from_secs(60),
        ..sandbox::Limits::default()
    }
}

/// Folders of unpacked code, one per company, archive and Python.
pub(crate) struct Code {
    root: PathBuf,
    limits: Limits,
    standing: Mutex<HashMap<PathBuf, Arc<tokio::sync::OnceCell<()>>>>,
}

impl Code {
    pub(crate) fn under(root: &Path, limits: Limits) -> std::io::Result<Self> {
        let root = root.join("code");
        fs::create_dir_all(&root)?;
        // What a killed process left half unpacked is never used again.
        for entry in fs::read_dir(&root)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(Self { root, limits, standing: Mutex::default() })
    }

    /// The folder with a version's code. `archive` is asked for only where it
    /// has to be unpacked; `template` compiles it.
    pub(crate) async fn folder<F>(
        &self,
        version: &Version,
        template: &Template,
        archive: F,
    ) -> Result<PathBuf, String>
    where
        F: AsyncFnOnce() -> Result<Bytes, String>,
    {
        let folder = self.root.join(format!(
            "{}-{}-{}",
            version.company,
            version.archive.hex(),
            version.python_full
        ));
        let standing = {
            let mut all = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(folder.clone()).or_default().clone()
        };
        standing
            .get_or_try_init(async || {
                if folder.is_dir() {
                    return Ok(());
                }
                let archive = archive().await?;
                self.unpack(archive, template, &folder).await
            })
            .await?;
        Ok(folder)
    }

    async fn unpack(
        &self,
        archive: Bytes,
        template: &Template,
        folder: &Path,
    ) -> Result<(), String> {
        let unfinished = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.root)
            .map_err(|error| format!("a folder for code can't be made: {error}"))?;
        let (place, limits) = (unfinished.path().to_owned(), self.limits.clone());
        tokio::task::spawn_blocking(move || write_files(&archive, &limits, &place))
            .await
            .map_err(|error| format!("unpacking failed: {error}"))??;
        let compiled = template
            .compile(unfinished.path(), compile_limits())
            .await
            .map_err(|error| format!("the code can't be compiled: {error}"))?;
        for (file, reason) in &compiled.failed {
            tracing::debug!(file, reason, "a file has no bytecode");
        }
        fs::rename(unfinished.keep(), folder)
            .map_err(|error| format!("a folder with code can't be put in place: {error}"))
    }
}

/// How the names of folders begin that are still being filled.
const UNFINISHED: &str = ".unpacking-";

fn write_files(archive: &[u8], limits: &Limits, place: &Path) -> Result<(), String> {
    // The archive passed the checks when it was deployed; what the operator
    // lets through today is no matter any more.
    let package = package::read(archive, limits, package::Policy::Off)
        .map_err(|refused| format!("the stored archive can't be read: {refused}"))?;
    package
        .files
        .iter()
        .try_for_each(|file| write_file(&place.join(&file.path), &file.content))
        .and_then(|()| fs::set_permissions(place, fs::Permissions::from_mode(0o755)))
        .map_err(|error| format!("code can't be unpacked: {error}"))
}

fn write_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::File::create_new(path)?;
    file.write_all(content)?;
    file.set_permissions(fs::Permissions::from_mode(0o444))
}
