//! Why a lock, a build or a search came to nothing, for people in both
//! languages.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::manifest::PythonVersion;
use domain::{Fault, Text};

use crate::advisories::Unusable;

/// The command that installs `uv` for its user, whatever Python there is.
pub const GET_UV: &str = "curl -LsSf https://astral.sh/uv/install.sh | sh";

/// What can go wrong around environments.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The requirements can't be installed, for reasons that their author can
    /// mend: every one that was found, not the first.
    #[error("{}", english(problems))]
    Requirements {
        /// The reasons, in the order of the requirements.
        problems: Vec<Problem>,
    },
    /// The environment's files exceed the operator's limit.
    #[error("{}", too_large(*limit_bytes, *measured_bytes).en)]
    TooLarge {
        /// The operator's limit in bytes.
        limit_bytes: u64,
        /// What had been written when it was measured, in bytes; the limit
        /// itself where a single file was stopped at it.
        measured_bytes: u64,
    },
    /// The environment has more files than the operator allows.
    #[error(
        "the environment has too many files: {measured} of at most {limit}; require fewer packages"
    )]
    TooManyFiles {
        /// The operator's limit.
        limit: u64,
        /// How many files and folders there were.
        measured: u64,
    },
    /// The operator's time limit passed.
    #[error("{} took longer than the {} s allowed; {}", stage.text().en, limit.as_secs(), stage.remedy().en)]
    TimedOut {
        /// What took so long.
        stage: Stage,
        /// The operator's limit.
        limit: Duration,
    },
    /// `uv` is not where it was looked for.
    #[error(
        "`uv`, which installs Python packages, was not found ({}); install it with `{}`, or name \
         one that is there in MECAPY_UV",
        listed(looked),
        GET_UV
    )]
    NoUv {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The program that was found is not a `uv` that can be used.
    #[error("`{}` can't be used as uv: {reason}; install one with `{}`", program.display(), GET_UV)]
    BadUv {
        /// The program.
        program: PathBuf,
        /// What it did.
        reason: String,
    },
    /// No interpreter of the version, or none at all.
    #[error("{}", no_python(*wanted, found).en)]
    NoPython {
        /// The version asked for; none where any would have done.
        wanted: Option<PythonVersion>,
        /// The versions that this machine has.
        found: Vec<PythonVersion>,
    },
    /// The lock was made for an interpreter that this machine lacks.
    #[error(
        "this environment was locked for {wanted}, which is not on this machine (found: {}); \
         install it here or deploy the function again", found.join(", ")
    )]
    OtherPython {
        /// The interpreter that the lock names.
        wanted: String,
        /// Those that are here.
        found: Vec<String>,
    },
    /// The package index could not be asked.
    #[error("the package index could not be asked: {reason}; {}", remedy.text().en)]
    Index {
        /// What happened, without credentials.
        reason: String,
        /// What would help.
        remedy: IndexRemedy,
    },
    /// A downloaded wheel is not the one that was locked.
    #[error(
        "a downloaded wheel is not the one that was locked ({detail}); the index or a proxy changed \
         it, so it was not installed"
    )]
    HashMismatch {
        /// The package and the hashes, as uv tells them.
        detail: String,
    },
    /// A lock whose digest does not fit its content.
    #[error("the lock {named} was changed after it was made: its content has the digest {found}")]
    ChangedLock {
        /// The digest that it names.
        named: domain::Digest,
        /// The digest of its content.
        found: domain::Digest,
    },
    /// The sandbox could not compile the bytecode.
    #[error("the bytecode could not be compiled in the sandbox: {0}")]
    Bytecode(String),
    /// `uv` failed in a way that is not known.
    #[error("uv failed: {0}")]
    Uv(String),
    /// The operator's advisories can't be used.
    #[error("{}", unusable.text(path).en)]
    Advisories {
        /// The folder or ZIP that the operator named.
        path: PathBuf,
        /// What is wrong with it.
        unusable: Unusable,
    },
    /// No Python can be fetched without a mirror.
    #[error("no mirror for interpreters is set, so none is fetched; set one or install Python")]
    NoMirror,
    /// The machine refused a file operation.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as an infinitive.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

/// One reason why requirements can't be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The position of the requirement in the request, from 0, where one
    /// requirement alone is at fault.
    pub requirement: Option<usize>,
    /// The reason, with a stable code.
    pub fault: Fault,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finding versions that fit together.
    Lock,
    /// Fetching and unpacking.
    Build,
    /// Waiting for another process that builds the same environment.
    OtherBuild,
    /// Fetching an interpreter.
    Interpreter,
}

impl Stage {
    fn text(self) -> Text {
        match self {
            Self::Lock => Text::new(
                "finding package versions that fit together",
                "la recherche de versions compatibles",
            ),
            Self::Build => Text::new("installing the packages", "l'installation des paquets"),
            Self::OtherBuild => Text::new(
                "another process's build of the same environment",
                "la construction du même environnement par un autre processus",
            ),
            Self::Interpreter => {
                Text::new("fetching the interpreter", "le téléchargement de l'interpréteur")
            }
        }
    }

    fn remedy(self) -> Text {
        match self {
            Self::Lock => Text::new(
                "give versions to the requirements, such as `numpy==2.1.0`",
                "donnez des versions aux dépendances, par exemple `numpy==2.1.0`",
            ),
            Self::Build => Text::new(
                "require fewer packages, or try again when the index answers faster",
                "demandez moins de paquets, ou réessayez quand l'index répondra plus vite",
            ),
            Self::OtherBuild | Self::Interpreter => {
                Text::new("try again later", "réessayez plus tard")
            }
        }
    }
}

/// What would help when the index can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexRemedy {
    /// The index does not answer.
    Network,
    /// The index refuses the credentials, or wants some.
    Credentials,
    /// The platform is set to work without a network.
    Offline,
}

impl IndexRemedy {
    fn text(self) -> Text {
        match self {
            Self::Network => Text::new(
                "check the network, the proxy and the index's address, then try again",
                "vérifiez le réseau, le proxy et l'adresse de l'index, puis réessayez",
            ),
            Self::Credentials => Text::new(
                "check the user name and password or token of the package index",
                "vérifiez l'identifiant et le mot de passe ou jeton de l'index de paquets",
            ),
            Self::Offline => Text::new(
                "the platform works offline and has only the packages it fetched before",
                "la plateforme est hors ligne et n'a que les paquets déjà téléchargés",
            ),
        }
    }
}

impl Error {
    /// Whether the author of the requirements can mend it; everything else is
    /// the operator's.
    #[must_use]
    pub fn is_the_authors(&self) -> bool {
        matches!(
            self,
            Self::Requirements { .. }
                | Self::TooLarge { .. }
                | Self::TooManyFiles { .. }
                | Self::NoPython { .. }
                | Self::TimedOut { stage: Stage::Lock | Stage::Build, .. }
        )
    }

    /// The faults to report, each with a stable code.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        match self {
            Self::Requirements { problems } => {
                problems.iter().map(|problem| problem.fault.clone()).collect()
            }
            _ => vec![Fault::error(self.code(), self.text())],
        }
    }

    /// The stable name of this kind of failure. [`Error::Requirements`] has
    /// one code for each of its faults besides.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Requirements { .. } => "environment_requirements",
            Self::TooLarge { .. } | Self::TooManyFiles { .. } => "environment_too_large",
            Self::TimedOut { .. } => "environment_timed_out",
            Self::NoUv { .. } | Self::BadUv { .. } => "environment_no_uv",
            Self::NoPython { .. } | Self::OtherPython { .. } => "environment_no_python",
            Self::Advisories { .. } => "environment_advisories",
            Self::NoMirror => "environment_no_mirror",
            Self::Index { .. } => "environment_index",
            Self::HashMismatch { .. } => "environment_hash_mismatch",
            Self::ChangedLock { .. } => "environment_changed_lock",
            Self::Bytecode(_) => "environment_bytecode",
            Self::Uv(_) | Self::Io { .. } => "environment_internal",
        }
    }

    /// The sentence in both languages.
    #[must_use]
    pub fn text(&self) -> Text {
        Text::new(self.to_string(), self.french())
    }

    fn french(&self) -> String {
        match self {
            Self::Requirements { problems } => {
                joined(problems.iter().map(|problem| problem.fault.message.fr.as_str()))
            }
            Self::TooLarge { limit_bytes, measured_bytes } => {
                too_large(*limit_bytes, *measured_bytes).fr
            }
            Self::TooManyFiles { limit, measured } => format!(
                "l'environnement a trop de fichiers : {measured} sur {limit} permis ; demandez \
                 moins de paquets"
            ),
            Self::TimedOut { stage, limit } => format!(
                "{} a dépassé les {} s permises ; {}",
                stage.text().fr,
                limit.as_secs(),
                stage.remedy().fr
            ),
            Self::NoUv { looked } => format!(
                "`uv`, qui installe les paquets Python, est introuvable ({}) ; installez-le avec \
                 `{GET_UV}`, ou nommez-en un présent dans MECAPY_UV",
                listed(looked)
            ),
            Self::BadUv { program, reason } => format!(
                "`{}` ne peut pas servir de uv : {reason} ; installez-en un avec `{GET_UV}`",
                program.display()
            ),
            Self::NoPython { wanted, found } => no_python(*wanted, found).fr,
            Self::OtherPython { wanted, found } => format!(
                "cet environnement a été verrouillé pour {wanted}, absent de cette machine \
                 (présents : {}) ; installez-le ou déployez la fonction à nouveau",
                found.join(", ")
            ),
            Self::Index { reason, remedy } => format!(
                "l'index de paquets n'a pas pu être interrogé : {reason} ; {}",
                remedy.text().fr
            ),
            Self::HashMismatch { detail } => format!(
                "un paquet téléchargé n'est pas celui qui a été verrouillé ({detail}) ; l'index ou \
                 un proxy l'a changé, il n'a donc pas été installé"
            ),
            Self::ChangedLock { named, found } => format!(
                "le verrou {named} a été changé depuis sa création : son contenu a l'empreinte \
                 {found}"
            ),
            Self::Bytecode(reason) => {
                format!("le bytecode n'a pas pu être compilé dans le bac à sable : {reason}")
            }
            Self::Uv(reason) => format!("uv a échoué : {reason}"),
            Self::Advisories { path, unusable } => unusable.text(path).fr,
            Self::NoMirror => "aucun miroir d'interpréteurs n'est réglé, aucun n'est donc \
                               téléchargé ; réglez-en un ou installez Python"
                .to_owned(),
            Self::Io { action, path, source } => {
                format!("opération impossible ({action} {}) : {source}", path.display())
            }
        }
    }

    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

fn english(problems: &[Problem]) -> String {
    joined(problems.iter().map(|problem| problem.fault.message.en.as_str()))
}

fn joined<'a>(sentences: impl Iterator<Item = &'a str>) -> String {
    sentences.collect::<Vec<_>>().join("\n")
}

fn too_large(limit: u64, measured: u64) -> Text {
    // A single file is stopped at the limit itself, and then that is all that
    // is known of its size.
    let (en, fr) = if measured > limit {
        (
            format!(
                "the environment is too large: over {} of at most {}",
                size(measured),
                size(limit)
            ),
            format!(
                "l'environnement est trop volumineux : plus de {} sur {} permis",
                taille(measured),
                taille(limit)
            ),
        )
    } else {
        (
            format!("a file of the environment is larger than the {} allowed", size(limit)),
            format!("un fichier de l'environnement dépasse les {} permis", taille(limit)),
        )
    };
    Text::new(
        format!("{en}; require fewer or smaller packages"),
        format!("{fr} ; demandez des paquets moins nombreux ou plus petits"),
    )
}

fn no_python(wanted: Option<PythonVersion>, found: &[PythonVersion]) -> Text {
    let list = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (wanted, found.is_empty()) {
        (Some(wanted), false) => Text::new(
            format!(
                "Python {wanted} is not installed on this platform; set `runtime.python_version` \
                 to one that is: {list}"
            ),
            format!(
                "Python {wanted} n'est pas installé sur cette plateforme ; choisissez pour \
                 `runtime.python_version` une version présente : {list}"
            ),
        ),
        _ => Text::new(
            "no Python from 3.9 to 3.13 was found on this machine; install one, such as Debian's \
             package `python3`, or name its path in the list of interpreters",
            "aucun Python de 3.9 à 3.13 n'a été trouvé sur cette machine ; installez-en un, par \
             exemple le paquet Debian `python3`, ou indiquez son chemin dans la liste des \
             interpréteurs",
        ),
    }
}

fn listed(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "PATH is empty".to_owned();
    }
    let mut text = String::new();
    for path in paths.iter().take(12) {
        let _ = write!(text, "{}{}", if text.is_empty() { "" } else { ", " }, path.display());
    }
    text
}

/// A size for people, in the binary multiples that limits are set in.
fn size(bytes: u64) -> String {
    scaled(bytes, ["bytes", "KiB", "MiB", "GiB"], '.')
}

fn taille(bytes: u64) -> String {
    scaled(bytes, ["octets", "Kio", "Mio", "Gio"], ',')
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn scaled(bytes: u64, units: [&str; 4], point: char) -> String {
    let mut unit = 0;
    let mut value = bytes as f64;
    while value >= 1024.0 && unit < 3 {
        value /= 1024.0;
        unit += 1;
    }
    let number = if unit == 0 { format!("{value}") } else { format!("{value:.1}") };
    format!("{} {}", number.replace('.', &point.to_string()), units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told_with_their_values_in_both_languages() {
        let error = Error::TooLarge { limit_bytes: 4 << 30, measured_bytes: 4_509_715_661 };
        assert_eq!(
            error.text(),
            Text::new(
                "the environment is too large: over 4.2 GiB of at most 4.0 GiB; require fewer or \
                 smaller packages",
                "l'environnement est trop volumineux : plus de 4,2 Gio sur 4,0 Gio permis ; \
                 demandez des paquets moins nombreux ou plus petits",
            )
        );
        let error = Error::TimedOut { stage: Stage::Build, limit: Duration::from_secs(600) };
        assert_eq!(
            error.text().fr,
            "l'installation des paquets a dépassé les 600 s permises ; demandez moins de paquets, \
             ou réessayez quand l'index répondra plus vite"
        );
        assert!(error.is_the_authors());
    }

    #[test]
    fn a_missing_python_names_those_that_are_there() {
        let found = vec![PythonVersion::PREFERRED];
        let error = Error::NoPython { wanted: "3.13".parse().ok(), found };
        assert_eq!(
            error.text().en,
            "Python 3.13 is not installed on this platform; set `runtime.python_version` to one \
             that is: 3.12"
        );
        let text = Error::NoPython { wanted: None, found: Vec::new() }.text();
        assert!(text.fr.starts_with("aucun Python de 3.9 à 3.13 n'a été trouvé"), "{}", text.fr);
    }

    #[test]
    fn a_missing_uv_says_how_to_get_it() {
        let looked = vec![PathBuf::from("/usr/bin/uv")];
        let text = Error::NoUv { looked }.text();
        assert!(text.en.contains("not found (/usr/bin/uv); install it with `curl -LsSf "));
        assert!(text.en.ends_with("or name one that is there in MECAPY_UV"));
        assert!(text.fr.contains("installez-le avec `curl -LsSf "));
        assert!(text.fr.ends_with("ou nommez-en un présent dans MECAPY_UV"));
    }
}
