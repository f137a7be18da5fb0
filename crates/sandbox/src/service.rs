//! The sandbox as a component: settings, start, host report, shutdown.

use std::path::PathBuf;

use crate::error::Error;
use crate::template::{Template, TemplateSpec};

/// The first argument with which the program is executed again as launcher.
pub const LAUNCHER_ARGUMENT: &str = "sandbox-launcher";

/// The running component; clones share one launcher. The launcher and all it
/// started end with the last clone, with [`Sandbox::shutdown`], or with this
/// process, whatever comes first.
#[derive(Debug, Clone)]
pub struct Sandbox {}

/// From what a sandbox is built.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for the unpacked runner; made when missing.
    pub state_dir: PathBuf,
    /// Executable that calls [`launcher_main`] when its first argument is
    /// [`LAUNCHER_ARGUMENT`].
    pub program: PathBuf,
    /// Names this worker's cgroups; two workers of one machine need two names.
    /// Letters, digits, `-` and `_`.
    pub instance: String,
    /// Size of a run's private `/tmp` and outputs folder together.
    pub tmp_bytes: u64,
    /// Files and folders a run may make.
    pub tmp_inodes: u64,
    /// First of 65,536 host user ids given to sandboxes; must belong to nobody.
    pub first_uid: u32,
}

/// What the host offers, for `mecapy doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReport {
    /// How limits are kept.
    pub cgroups: CgroupMode,
    /// Kernel release.
    pub kernel: String,
    /// What works less well than it could, each with its reason.
    pub notes: Vec<String>,
}

/// Which generation of cgroups keeps the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupMode {
    /// The unified hierarchy with memory, cpu and pids.
    V2,
    /// Separate hierarchies for memory, cpu and pids.
    V1,
}

impl Settings {
    /// Settings with the defaults: 512 MiB of `/tmp`, 100,000 files.
    pub fn new(state_dir: PathBuf, program: PathBuf) -> Self {
        Self {
            state_dir,
            program,
            instance: "default".into(),
            tmp_bytes: 512 << 20,
            tmp_inodes: 100_000,
            first_uid: 1_900_000_000,
        }
    }
}

impl Sandbox {
    /// Starts the launcher and proves the isolation; refuses where any part of
    /// it can't be set up.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let _ = settings;
        todo!()
    }

    /// Starts a template; returns when its modules are imported.
    pub async fn start_template(&self, spec: TemplateSpec) -> Result<Template, Error> {
        let _ = spec;
        todo!()
    }

    /// What the host offers.
    pub fn host(&self) -> HostReport {
        todo!()
    }

    /// Whether the launcher still works.
    pub fn is_alive(&self) -> bool {
        todo!()
    }

    /// Ends every run and template, removes what they used, and waits for it.
    pub async fn shutdown(self) {
        todo!()
    }
}

/// The launcher process. `main` calls it before it starts any thread or
/// runtime when the first argument is [`LAUNCHER_ARGUMENT`].
pub fn launcher_main() -> ! {
    todo!()
}
