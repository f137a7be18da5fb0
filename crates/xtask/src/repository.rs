//! The files that are part of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The repository's folder and its files.
pub(crate) struct Repository {
    /// Its folder, as an absolute path.
    pub(crate) root: PathBuf,
    /// Paths relative to the root: tracked files, and new ones that are not
    /// ignored, so that a check before the commit sees them.
    pub(crate) files: Vec<String>,
}

impl Repository {
    /// The repository that this program was built in.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = crate_folder.ancestors().nth(2).context("xtask lies in crates/xtask")?;
        let listed = run(root, "git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
        let mut files: Vec<String> = listed.lines().map(str::to_owned).collect();
        files.sort();
        files.dedup();
        files.retain(|file| root.join(file).is_file());
        Ok(Self { root: root.to_owned(), files })
    }

    /// A file's text; `None` where it is not text.
    pub(crate) fn text(&self, file: &str) -> anyhow::Result<Option<String>> {
        let bytes = std::fs::read(self.root.join(file)).with_context(|| file.to_owned())?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// A file that must be there and be text.
    pub(crate) fn read(&self, file: &str) -> anyhow::Result<String> {
        self.text(file)?.with_context(|| format!("{file}: expected UTF-8 text"))
    }
}

/// What a program prints, run in `folder`.
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("{program} can't be run"))?;
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
