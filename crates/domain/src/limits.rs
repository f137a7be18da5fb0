//! The bounds that an operator sets and every part of the platform keeps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;

/// Bounds on archives, inputs, runs and results. Every number here is shown
/// to the person who meets it, with the value that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Size of an uploaded archive, in bytes.
    pub archive_bytes: u64,
    /// Size of an archive's files once inflated, in bytes.
    pub archive_inflated_bytes: u64,
    /// Number of entries in an archive.
    pub archive_entries: u64,
    /// Size of the inputs of one task, in bytes of JSON.
    pub inputs_bytes: u64,
    /// Size of an uploaded input file, in bytes.
    pub file_bytes: u64,
    /// Results up to this size stand in the task itself, in bytes of JSON.
    pub inline_result_bytes: u64,
    /// Size of a result, in bytes of JSON.
    pub result_bytes: u64,
    /// Size of the log of one task that is kept, in bytes.
    pub log_bytes: u64,
    /// Size of all artifacts of one task together, in bytes.
    pub artifact_bytes: u64,
    /// Number of artifacts of one task.
    pub artifact_count: u32,
    /// Ceiling of `timeout` in seconds outside the long-running class.
    pub timeout_s: u32,
    /// Ceiling of `timeout` in seconds in the long-running class; equal to
    /// `timeout_s` where the operator allows no long runs.
    pub long_timeout_s: u32,
    /// Ceiling of `memory_limit`, in MB.
    pub memory_limit_mb: u32,
    /// Ceiling of `cpu_limit`, in cores.
    pub cpu_limit: f64,
    /// Processes and threads of one run.
    pub pids: u32,
    /// Attempts of a task in all, where its function says nothing.
    pub max_attempts: u32,
    /// Tasks that may wait at once, over all companies.
    pub queued_tasks: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 50 * MIB,
            archive_inflated_bytes: 500 * MIB,
            archive_entries: 10_000,
            inputs_bytes: 16 * MIB,
            file_bytes: 256 * MIB,
            inline_result_bytes: 256 << 10,
            result_bytes: 128 * MIB,
            log_bytes: MIB,
            artifact_bytes: 256 * MIB,
            artifact_count: 100,
            timeout_s: 600,
            long_timeout_s: 600,
            memory_limit_mb: 4096,
            cpu_limit: 4.0,
            pids: 128,
            max_attempts: 3,
            queued_tasks: 100_000,
        }
    }
}

/// What `runtime` says where the manifest says nothing.
pub mod defaults {
    /// Wall-clock limit in seconds.
    pub const TIMEOUT_S: u32 = 300;
    /// Memory limit in MB.
    pub const MEMORY_LIMIT_MB: u32 = 2048;
    /// CPU limit in cores.
    pub const CPU_LIMIT: f64 = 2.0;
}

/// Tasks expected to end within this belong to `high_priority`.
pub const HIGH_PRIORITY_UNDER: Duration = Duration::from_secs(5);
/// Tasks expected to take longer than this belong to `long_running`.
pub const LONG_RUNNING_OVER: Duration = Duration::from_secs(300);
/// The longest `?wait=` of a request.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
