//! What an operator decides about a worker.

use std::path::PathBuf;
use std::time::Duration;

/// How much a worker runs and keeps warm.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the machine, for people.
    pub host: String,
    /// Folder for unpacked code and staged inputs.
    pub root: PathBuf,
    /// Tasks run at once.
    pub slots: u32,
    /// Runs kept ready per template in use.
    pub ready_per_template: u32,
    /// Memory of templates and ready runs together; the longest unused go
    /// first.
    pub template_memory_bytes: u64,
    /// After this many runs a template is replaced by a fresh one: its
    /// children share one address layout and one hash seed.
    pub runs_per_template: u64,
    /// After this time, too, behind the next run.
    pub template_age: Duration,
    /// Disk for environments; the longest unused go first.
    pub environments_bytes: u64,
    /// Bounds on a run beyond those of its manifest.
    pub limits: domain::limits::Limits,
    /// How long a template may take to start and import.
    pub template_start: Duration,
}

impl Settings {
    /// The defaults for a machine: one slot beyond the cores, so that a core
    /// has work while another run's process starts or ends.
    #[must_use]
    pub fn under(root: PathBuf, host: String, cores: u32) -> Self {
        Self {
            host,
            root,
            slots: cores + 1,
            ready_per_template: 3 * (cores + 1),
            template_memory_bytes: 2 << 30,
            runs_per_template: 10_000,
            template_age: Duration::from_secs(3600),
            environments_bytes: 20 << 30,
            limits: domain::limits::Limits::default(),
            template_start: Duration::from_secs(120),
        }
    }
}
