//! Tokens that `mecapy login` keeps, each for the one server that it is of.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exit::Failure;

/// What the file holds.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Credentials {
    /// The server that was logged in to last, where none is named.
    pub server: Option<String>,
    /// By address, without a slash at the end.
    #[serde(default)]
    pub servers: BTreeMap<String, Kept>,
}

/// A token and where it came from.
#[derive(Deserialize, Serialize)]
pub struct Kept {
    /// The token's secret.
    pub token: String,
    /// Whether `mecapy login` made it, so that `mecapy logout` revokes it.
    pub made_here: bool,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("made_here", &self.made_here).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the file; a missing one holds nothing.
    ///
    /// # Errors
    /// When it is there and can't be used.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let content = match std::fs::read(file) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(super::unreadable(file, &error)),
        };
        serde_json::from_slice(&content).map_err(|error| {
            let shown = file.display();
            Failure::usage(
                format!("{shown} can't be read: {error}. Remove it and log in again with `mecapy login`"),
                format!("{shown} est illisible : {error}. Supprimez-le et reconnectez-vous avec `mecapy login`"),
            )
        })
    }

    /// Writes the file, readable for its owner alone. Others see the old one
    /// or the new one, never half of one.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        let written = || {
            let folder = file.parent().unwrap_or(Path::new("."));
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let beside = file.with_extension(format!("json.{}", std::process::id()));
            let mut options = OpenOptions::new();
            let mut open = options.write(true).create_new(true).mode(0o600).open(&beside)?;
            open.write_all(&serde_json::to_vec_pretty(self)?)?;
            open.sync_all()?;
            std::fs::rename(&beside, file)
        };
        written().map_err(|error| {
            let shown = file.display();
            Failure::usage(
                format!("{shown} can't be written: {error}. Give the token in MECAPY_TOKEN instead"),
                format!("{shown} ne peut pas être écrit : {error}. Donnez plutôt le jeton dans MECAPY_TOKEN"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mecapy/credentials.json");
        assert!(Credentials::read(&file).unwrap().servers.is_empty());
        let mut credentials = Credentials { server: Some("http://x".into()), ..Default::default() };
        let kept = Kept { token: "s3cret".to_owned(), made_here: true };
        credentials.servers.insert("http://x".to_owned(), kept);
        credentials.write(&file).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        let again = Credentials::read(&file).unwrap();
        assert_eq!(again.servers["http://x"].token, "s3cret");
        assert!(!format!("{again:?}").contains("s3cret"));
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_read_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials.json");
        std::fs::write(&file, "{").unwrap();
        let failure = Credentials::read(&file).unwrap_err();
        assert!(failure.text.en.contains("log in again with `mecapy login`"));
        assert!(failure.text.fr.contains("reconnectez-vous avec `mecapy login`"));
    }
}
