//! What most tests start from.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use domain::manifest::{BaseImage, PythonVersion};
use domain::{Clock, Lang, Timestamp, clock};
use environment::{
    Environment, Environments, Error, Lock, Log, Request, Settings, WithoutBytecode,
};
use test_support::wheels::Index;

/// A folder for everything, removed at the end.
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: clock::Manual,
    pub(crate) settings: Settings,
}

impl Fixture {
    /// Packages come from PyPI.
    pub(crate) fn with_pypi() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::under(folder.path());
        settings.uv.program = Some(test_support::tools::uv());
        settings.pythons.version_roots = version_roots();
        let clock = clock::Manual::at(clock::System.now());
        Self { folder, clock, settings }
    }

    /// Packages come from `index` alone.
    pub(crate) fn with_index(index: &Index) -> Self {
        let mut fixture = Self::with_pypi();
        fixture.settings.index.url = Some(index.url());
        fixture
    }

    /// Packages come from the wheels in [`Fixture::wheels`] alone.
    pub(crate) fn with_wheels() -> Self {
        let mut fixture = Self::with_pypi();
        let wheels = fixture.wheels();
        std::fs::create_dir(&wheels).unwrap();
        fixture.settings.index.find_links = vec![wheels.display().to_string()];
        fixture.settings.index.only_find_links = true;
        fixture
    }

    pub(crate) fn wheels(&self) -> PathBuf {
        self.folder.path().join("wheels")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.settings.root
    }

    pub(crate) async fn open(&self) -> Environments {
        let clock = Arc::new(self.clock.clone());
        Environments::open(self.settings.clone(), clock).await.unwrap()
    }

    /// The folders and files of the environments' root, the standing ones
    /// left out.
    pub(crate) fn left_behind(&self) -> HashSet<String> {
        let standing = ["locks", "scratch", "failed", "base"];
        std::fs::read_dir(self.root())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !standing.contains(&name.as_str()))
            .collect()
    }
}

/// Where this machine keeps installations of several versions.
fn version_roots() -> Vec<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings to read it from")]
    let home = std::env::var("HOME").unwrap_or_default();
    vec![Path::new(&home).join(".pyenv/versions")]
}

pub(crate) fn request(requirements: &[&str]) -> Request {
    Request {
        python: None,
        base_image: BaseImage::Base,
        requirements: requirements.iter().map(|line| (*line).to_owned()).collect(),
    }
}

pub(crate) fn on(minor: &str, requirements: &[&str]) -> Request {
    let minor: PythonVersion = minor.parse().unwrap();
    Request { python: Some(minor), ..request(requirements) }
}

pub(crate) async fn lock(environments: &Environments, requirements: &[&str]) -> Lock {
    environments.lock(&request(requirements), &Log::silent()).await.unwrap()
}

pub(crate) async fn build(environments: &Environments, lock: &Lock) -> Result<Environment, Error> {
    environments.build(lock, &WithoutBytecode, &Log::silent()).await
}

/// The faults as a person reads them: (code, English, French).
pub(crate) fn told(error: &Error) -> Vec<(String, String, String)> {
    error
        .faults()
        .into_iter()
        .map(|fault| {
            let (en, fr) = (fault.message.get(Lang::En), fault.message.get(Lang::Fr));
            (fault.code.clone(), en.to_owned(), fr.to_owned())
        })
        .collect()
}

/// A log and the lines that it was given.
pub(crate) fn watched() -> (Log, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = lines.clone();
    (Log::to(move |line| seen.lock().unwrap().push(line.to_owned())), lines)
}

pub(crate) const NOON: Timestamp = Timestamp(1_800_000_000_000_000);
