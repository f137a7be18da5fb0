//! The Python interpreters of this machine, found by explicit paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use domain::Text;
use domain::manifest::PythonVersion;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::error::Error;
use crate::settings::Pythons;

/// How long an interpreter may take to introduce itself.
const PROBE_TIME: Duration = Duration::from_secs(10);
/// How much it may say.
const PROBE_BYTES: u64 = 64 << 10;
const PROBE: &str = include_str!("probe.py");

/// One interpreter of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The real binary, after every symbolic link.
    pub executable: PathBuf,
    /// Its minor version, 3.12.
    pub minor: PythonVersion,
    /// What distinguishes its environments from those of another one.
    pub python: Python,
    /// `sys.base_prefix`.
    pub prefix: PathBuf,
    /// The folder of the standard library.
    pub stdlib: PathBuf,
    /// What a sandbox binds, read-only and at the same path, for this
    /// interpreter to start: its whole prefix where it has one of its own,
    /// else the binary and the standard library's folders.
    pub binds: Vec<PathBuf>,
    /// The folders outside `binds` that it loads shared libraries from.
    pub library_dirs: Vec<PathBuf>,
}

/// What of an interpreter decides which wheels fit, and thus part of an
/// environment's hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Python {
    /// The full version, `3.12.1`.
    pub version: String,
    /// The binary interface, `cpython-312-x86_64-linux-gnu`.
    pub abi: String,
    /// The platform, `linux-x86_64`.
    pub platform: String,
}

impl std::fmt::Display for Python {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Python {} ({})", self.version, self.abi)
    }
}

/// An interpreter that was found and can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it was found.
    pub executable: PathBuf,
    /// Why it is not used, and what would help.
    pub reason: Text,
}

/// The interpreters of this machine, in the order in which they were looked
/// for: the operator's own first.
#[derive(Clone, Debug, Default)]
pub struct Interpreters {
    found: Vec<Interpreter>,
    skipped: Vec<Skipped>,
    default: Option<PythonVersion>,
}

impl Interpreters {
    /// Asks every interpreter at the known paths who it is.
    pub async fn discover(pythons: &Pythons) -> Self {
        let mut probes = tokio::task::JoinSet::new();
        let (candidates, mut skipped) = candidates(pythons);
        for (position, executable) in candidates.into_iter().enumerate() {
            probes.spawn(async move { (position, probe(&executable).await, executable) });
        }
        let mut answers = Vec::new();
        while let Some(answer) = probes.join_next().await {
            answers.extend(answer.ok());
        }
        answers.sort_by_key(|(position, ..)| *position);
        let mut found = Vec::new();
        for (_, answer, executable) in answers {
            match answer {
                Ok(interpreter) => found.push(interpreter),
                Err(reason) => skipped.push(Skipped { executable, reason }),
            }
        }
        Self { found, skipped, default: pythons.default }
    }

    /// The first interpreter of this version.
    ///
    /// # Errors
    /// [`Error::NoPython`] where there is none.
    pub fn get(&self, minor: PythonVersion) -> Result<&Interpreter, Error> {
        self.found
            .iter()
            .find(|interpreter| interpreter.minor == minor)
            .ok_or_else(|| self.missing(Some(minor)))
    }

    /// The interpreter for functions that ask for no version: the operator's
    /// choice, else 3.12 where it was found, else the newest one found.
    ///
    /// # Errors
    /// [`Error::NoPython`] where the operator's choice, or any at all, is
    /// missing.
    pub fn default(&self) -> Result<&Interpreter, Error> {
        if let Some(chosen) = self.default {
            return self.get(chosen);
        }
        self.get(PythonVersion::PREFERRED)
            .ok()
            .or_else(|| self.found.iter().rev().max_by_key(|interpreter| interpreter.minor))
            .ok_or_else(|| self.missing(None))
    }

    /// The interpreter that makes the very same environments.
    ///
    /// # Errors
    /// [`Error::OtherPython`] where this machine has none.
    pub fn exactly(&self, python: &Python) -> Result<&Interpreter, Error> {
        self.found.iter().find(|interpreter| interpreter.python == *python).ok_or_else(|| {
            Error::OtherPython {
                wanted: python.to_string(),
                found: self.found.iter().map(|found| found.python.to_string()).collect(),
            }
        })
    }

    /// All that can be used, in the order of the search.
    #[must_use]
    pub fn found(&self) -> &[Interpreter] {
        &self.found
    }

    /// What was found and can't be used, with the reason.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn missing(&self, wanted: Option<PythonVersion>) -> Error {
        let found: BTreeSet<_> = self.found.iter().map(|interpreter| interpreter.minor).collect();
        Error::NoPython { wanted, found: found.into_iter().collect() }
    }
}

/// The real binaries to ask, each once, in the order of the search, and those
/// of the operator's list that don't exist.
fn candidates(pythons: &Pythons) -> (Vec<PathBuf>, Vec<Skipped>) {
    let mut real = Vec::new();
    let mut skipped = Vec::new();
    let add = |path: &Path, real: &mut Vec<PathBuf>| match path.canonicalize() {
        Ok(found) if !real.contains(&found) => {
            real.push(found);
            true
        }
        other => other.is_ok(),
    };
    for path in &pythons.executables {
        if !add(path, &mut real) {
            skipped.push(Skipped {
                executable: path.clone(),
                reason: Text::new(
                    "there is no such file; correct the operator's list of interpreters",
                    "ce fichier n'existe pas ; corrigez la liste des interpréteurs",
                ),
            });
        }
    }
    for folder in ["/usr/bin", "/usr/local/bin"] {
        for version in PythonVersion::SUPPORTED {
            add(&Path::new(folder).join(format!("python{version}")), &mut real);
        }
    }
    for root in pythons.version_roots.iter().chain([&pythons.managed]) {
        for installation in installations(root) {
            for version in PythonVersion::SUPPORTED {
                add(&installation.join("bin").join(format!("python{version}")), &mut real);
            }
        }
    }
    (real, skipped)
}

/// The folders in `root`, the newest version first.
fn installations(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort_by_cached_key(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbers: Vec<u32> = name
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|part| part.parse().ok())
            .collect();
        std::cmp::Reverse((numbers, name))
    });
    folders
}

/// What `probe.py` answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Introduction {
    implementation: String,
    version: String,
    abi: Option<String>,
    platform: String,
    prefixes: Vec<PathBuf>,
    stdlib: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
    missing: Vec<String>,
}

async fn probe(executable: &Path) -> Result<Interpreter, Text> {
    // Isolated and without `site`, so that no .pth file and no variable of
    // ours has a word in what it answers.
    let mut child = Command::new(executable)
        .args(["-I", "-S", "-B", "-c", PROBE])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Text::new(format!("it does not start: {error}"), format!("il ne démarre pas : {error}"))
        })?;
    let mut answer = Vec::new();
    let spoken = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(PROBE_BYTES).read_to_end(&mut answer).await?;
        }
        child.wait().await
    };
    let status = match tokio::time::timeout(PROBE_TIME, spoken).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            return Err(Text::new(
                format!("it could not be asked: {error}"),
                format!("il n'a pas pu être interrogé : {error}"),
            ));
        }
        Err(_) => {
            let seconds = PROBE_TIME.as_secs();
            return Err(Text::new(
                format!("it did not answer within {seconds} s"),
                format!("il n'a pas répondu en {seconds} s"),
            ));
        }
    };
    if !status.success() {
        return Err(Text::new(
            format!("it ended with {status} when asked who it is; it may be a shim or damaged"),
            format!("interrogé, il s'est arrêté ({status}) ; relais (shim) ou fichier abîmé"),
        ));
    }
    let said: Introduction = serde_json::from_slice(&answer).map_err(|error| {
        Text::new(
            format!("its answer is not understood: {error}"),
            format!("sa réponse n'est pas comprise : {error}"),
        )
    })?;
    introduce(executable, said)
}

fn introduce(executable: &Path, said: Introduction) -> Result<Interpreter, Text> {
    if said.implementation != "cpython" {
        return Err(Text::new(
            format!("it is {}; only CPython is supported", said.implementation),
            format!("c'est {} ; seul CPython est pris en charge", said.implementation),
        ));
    }
    let minor = said.version.rsplit_once('.').map_or("", |(minor, _)| minor);
    let minor: PythonVersion = minor.parse().map_err(|_| {
        Text::new(
            format!("it is Python {}; versions 3.9 to 3.13 are supported", said.version),
            format!(
                "c'est Python {} ; les versions 3.9 à 3.13 sont prises en charge",
                said.version
            ),
        )
    })?;
    if !said.missing.is_empty() {
        let modules = said.missing.join(", ");
        return Err(Text::new(
            format!("its standard library lacks {modules}; install its full package"),
            format!("sa bibliothèque standard n'a pas {modules} ; installez le paquet complet"),
        ));
    }
    let abi = said.abi.ok_or_else(|| {
        Text::new("it does not tell its binary interface", "il ne dit pas son interface binaire")
    })?;
    let prefix = said.prefixes.first().cloned().unwrap_or_else(|| PathBuf::from("/"));
    let binds = binds(executable, &said.prefixes, &said.stdlib);
    let library_dirs: BTreeSet<PathBuf> = said
        .libraries
        .iter()
        .filter_map(|library| library.parent())
        .filter(|folder| !binds.iter().any(|bound| folder.starts_with(bound)))
        .map(Path::to_path_buf)
        .collect();
    Ok(Interpreter {
        executable: executable.to_path_buf(),
        minor,
        python: Python { version: said.version, abi, platform: said.platform },
        prefix,
        stdlib: said.stdlib.into_iter().next().unwrap_or_default(),
        binds,
        library_dirs: library_dirs.into_iter().collect(),
    })
}

/// A prefix of its own is bound whole; `/usr` and `/usr/local` hold the rest
/// of the host, so only Python's own parts of them are.
fn binds(executable: &Path, prefixes: &[PathBuf], stdlib: &[PathBuf]) -> Vec<PathBuf> {
    let shared = |prefix: &Path| ["/", "/usr", "/usr/local"].iter().any(|p| prefix == Path::new(p));
    let mut binds: Vec<PathBuf> = Vec::new();
    let wanted = prefixes
        .iter()
        .filter(|prefix| !shared(prefix))
        .chain(stdlib)
        .map(PathBuf::as_path)
        .chain([executable]);
    for path in wanted {
        if !binds.iter().any(|bound| path.starts_with(bound)) {
            binds.push(path.to_path_buf());
        }
    }
    binds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(of: &[&str]) -> Vec<PathBuf> {
        of.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_prefix_of_its_own_is_bound_whole_and_the_systems_only_in_part() {
        assert_eq!(
            binds(
                Path::new("/opt/python/bin/python3.12"),
                &paths(&["/opt/python"]),
                &paths(&["/opt/python/lib/python3.12"])
            ),
            paths(&["/opt/python"])
        );
        assert_eq!(
            binds(
                Path::new("/usr/bin/python3.11"),
                &paths(&["/usr"]),
                &paths(&["/usr/lib/python3.11", "/usr/lib/python3.11/lib-dynload"])
            ),
            paths(&["/usr/lib/python3.11", "/usr/bin/python3.11"])
        );
    }

    #[test]
    fn newer_installations_are_asked_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["3.9.18", "3.12.1", "3.12.10", "venv"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let names: Vec<_> = installations(root.path())
            .iter()
            .map(|folder| folder.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["3.12.10", "3.12.1", "3.9.18", "venv"]);
    }
}
