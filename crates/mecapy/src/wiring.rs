//! Where components are put together, in one place.

mod data;
mod doctor;
mod measurements;
mod migrate;
mod ports;
mod serve;
mod test;

pub(crate) use data::{hold, occupied_by};
pub(crate) use doctor::{calculate, pythons, uv};
pub(crate) use migrate::{applied, keep_copy, migrate, pending};
pub(crate) use ports::check;
pub use serve::serve;
pub use test::test_archive;

use std::path::Path;

use anyhow::Context as _;
use domain::Text;
use environment::Environments;
use environment::settings::{Index, Pythons, UvProgram};
use worker::SandboxBuilder;

use crate::exit::Told;
use crate::settings::Settings;

/// What a server process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything: `mecapy up`.
    Whole,
    /// Requests: `mecapy api`.
    Api,
    /// Calculations and deployments: `mecapy worker`.
    Worker,
}

impl Role {
    /// The command that starts it.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Whole => "up",
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }
}

/// The sandbox could not be started, so nothing runs.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
pub struct NoSandbox {
    /// What the sandbox said.
    reason: String,
}

impl NoSandbox {
    /// The sentence in both languages.
    #[must_use]
    pub fn text(&self) -> Text {
        let reason = self.reason.trim_end_matches('.');
        Text::new(
            format!("{reason}. `mecapy doctor` checks this machine and says how to mend it"),
            format!("{reason}. `mecapy doctor` contrôle cette machine et dit comment y remédier"),
        )
    }
}

/// Starts the sandbox and what builds on it.
async fn builder(
    instance: String,
    environments: Environments,
    worker: worker::Settings,
) -> anyhow::Result<SandboxBuilder> {
    let started = SandboxBuilder::start(sandbox(instance)?, environments, worker).await;
    started.map_err(|error| NoSandbox { reason: error.to_string() }.into())
}

/// The part of the settings that environments are built from.
fn environments(settings: &Settings) -> environment::Settings {
    let python = &settings.python;
    let base = environment::Settings::under(&settings.data);
    environment::Settings {
        pythons: Pythons {
            executables: python.executables.clone(),
            version_roots: python.version_roots.clone(),
            mirror: python.mirror.clone(),
            default: python.default,
            ..base.pythons
        },
        uv: UvProgram {
            program: python.uv.clone(),
            folders: python.uv_folders.clone(),
            path: python.search_path.clone(),
        },
        index: Index {
            url: python.index_url.as_ref().map(|url| url.expose().to_owned()),
            find_links: python.wheels.iter().map(|path| path.display().to_string()).collect(),
            offline: python.offline,
            ..Index::default()
        },
        advisories: settings.advisories.clone(),
        ..base
    }
}

/// The part of the settings that a worker is built from.
fn worker(settings: &Settings) -> worker::Settings {
    let cores = std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    let defaults = worker::Settings::under(settings.data.join("worker"), host_name(), cores);
    worker::Settings {
        slots: settings
            .slots
            .map_or(defaults.slots, |slots| u32::try_from(slots).unwrap_or(u32::MAX)),
        template_memory_bytes: settings.template_memory_mb << 20,
        runs_per_template: settings.template_runs,
        template_age: settings.template_age,
        environments_bytes: settings.environments_mb << 20,
        limits: settings.limits.clone(),
        ..defaults
    }
}

/// What fetches repositories, each in a process of this program.
fn git(settings: &Settings) -> anyhow::Result<git::Fetcher> {
    let program = std::env::current_exe().context("this program's own path is unknown")?;
    let folder = settings.data.join("git");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{} can't be made", folder.display()))?;
    let authorities = settings.git_ca_file.as_deref().map(authorities).transpose()?;
    let limits = git::Limits {
        files_bytes: settings.limits.archive_inflated_bytes,
        entries: settings.limits.archive_entries,
        ..git::Limits::default()
    };
    let reach = git::Reach { allowed: settings.allowed_networks.clone() };
    Ok(git::Fetcher::new(git::Settings { program, folder, reach, authorities, limits }))
}

/// The certificates in a file, which are looked at now rather than at the
/// first repository.
fn authorities(path: &Path) -> Result<String, Told> {
    let shown = path.display();
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let usable = read.and_then(|pem| match git::certificates(&pem) {
        Ok(0) => Err("it holds no certificate".to_owned()),
        Ok(_) => Ok(pem),
        Err(error) => Err(error),
    });
    usable.map_err(|error| {
        Told::new(
            format!("MECAPY_GIT_CA_FILE: expected certificates in PEM in {shown}: {error}"),
            format!("MECAPY_GIT_CA_FILE : attendu : des certificats PEM dans {shown} : {error}"),
        )
    })
}

/// The part of the settings that the sandbox is built from. `instance` names
/// its cgroups: two programs of one machine never share them.
fn sandbox(instance: String) -> anyhow::Result<sandbox::Settings> {
    let program = std::env::current_exe().context("this program's own path is unknown")?;
    let mut sandbox = sandbox::Settings::new(program);
    sandbox.instance = instance;
    Ok(sandbox)
}

/// A name for the sandbox of this data folder, the same at every start, so
/// that what a killed server left is found and removed.
fn instance(data: &Path) -> String {
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(data);
    format!("mecapy-{hash:016x}")
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
