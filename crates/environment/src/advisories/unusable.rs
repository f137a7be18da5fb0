//! Why the operator's advisories can't be used.

use std::io;
use std::path::Path;

use domain::Text;

/// What is wrong with a folder or ZIP of advisories.
#[derive(Debug)]
pub enum Unusable {
    /// It can't be read.
    Unreadable(io::Error),
    /// It is neither a folder nor a regular file.
    OtherKind,
    /// It is a file and no ZIP, or a damaged one.
    NotAZip(String),
    /// It has more files than are read.
    TooManyFiles {
        /// The most that are read.
        limit: u64,
    },
    /// It is larger than is read, unpacked or not.
    TooLarge {
        /// The most that is read, in bytes.
        limit_bytes: u64,
    },
    /// No file in it is an advisory about a package of PyPI.
    NoAdvisory {
        /// The JSON files that there are.
        files: u64,
        /// Those of them that could not be read as advisories.
        unreadable: u64,
    },
}

impl Unusable {
    /// What was expected at `path`, what was found and what to do.
    #[must_use]
    pub fn text(&self, path: &Path) -> Text {
        let path = path.display();
        let (found, trouve) = match self {
            Self::Unreadable(source) => (
                format!("{path} can't be read ({source}); correct the path or its permissions"),
                format!("{path} est illisible ({source}) ; corrigez le chemin ou ses droits"),
            ),
            Self::OtherKind => (
                format!("{path} is neither a folder nor a file; correct the path"),
                format!("{path} n'est ni un dossier ni un fichier ; corrigez le chemin"),
            ),
            Self::NotAZip(reason) => (
                format!("{path} is no ZIP or a damaged one ({reason}); fetch it again"),
                format!("{path} n'est pas un ZIP ou est abîmé ({reason}) ; récupérez-le à nouveau"),
            ),
            Self::TooManyFiles { limit } => (
                format!("{path} has more than {limit} files; keep only PyPI's advisories in it"),
                format!("{path} a plus de {limit} fichiers ; n'y gardez que les avis sur PyPI"),
            ),
            Self::TooLarge { limit_bytes } => {
                let limit = limit_bytes >> 20;
                (
                    format!(
                        "{path} holds more than {limit} MiB; keep only PyPI's advisories in it"
                    ),
                    format!(
                        "{path} contient plus de {limit} Mio ; n'y gardez que les avis sur PyPI"
                    ),
                )
            }
            Self::NoAdvisory { files, unreadable } => (
                format!(
                    "{path} has {files} files `*.json`, {unreadable} of them no readable \
                     advisories, and none is about a package of PyPI; fetch PyPI's `all.zip` from \
                     osv.dev, or its advisories as JSON"
                ),
                format!(
                    "{path} a {files} fichiers `*.json`, dont {unreadable} qui ne sont pas des \
                     avis lisibles, et aucun ne porte sur un paquet de PyPI ; récupérez le \
                     `all.zip` de PyPI sur osv.dev, ou ses avis en JSON"
                ),
            ),
        };
        Text::new(
            format!(
                "MECAPY_ADVISORIES: expected a folder or a ZIP of advisories in the OSV format, \
                 found that {found}, or remove the setting to check nothing"
            ),
            format!(
                "MECAPY_ADVISORIES : attendu : un dossier ou un ZIP d'avis au format OSV, trouvé : \
                 {trouve}, ou retirez le réglage pour ne rien contrôler"
            ),
        )
    }
}
