//! What the worker's process and its launcher say to each other.
//!
//! One message per packet of a SEQPACKET socket: the length of the JSON head
//! (4 bytes, little endian), the head, raw bytes. Files travel beside it.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::service::HostReport;
use crate::sys::message;
use crate::sys::reap::Exit;

/// Longest packet; a longer job goes over the run's own socket.
pub(crate) const PACKET_BYTES: usize = 128 << 10;
/// Longest raw part that is sent along with an assignment.
pub(crate) const INLINE_JOB_BYTES: usize = 64 << 10;

/// Names a template or a run; chosen by the worker, never used twice.
pub(crate) type Id = u64;

/// From the worker to the launcher.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The first message.
    Begin(Begin),
    /// Answered by `TemplateBooted` or `TemplateEnded`.
    StartTemplate { template: Id, plan: TemplatePlan },
    /// Answered by `Imported` or `TemplateEnded`.
    Import { template: Id, modules: Vec<String>, within: Duration },
    /// Has a template lay out its memory for further runs; has no answer.
    Settle { template: Id },
    /// Answered by `Prepared` or `PrepareFailed`.
    Prepare { template: Id, run: Id },
    /// Raw bytes: the job, when it is short. Answered by `Assigned` or `AssignFailed`.
    Assign { run: Id, code: PathBuf, inputs: Option<PathBuf>, limits: RunLimits },
    /// The run's files are no longer needed; it is killed if it still lives.
    Release { run: Id },
    /// No more forks; the template ends, its runs live on.
    StopTemplate { template: Id },
}

/// What the launcher has to know at its start.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begin {
    pub(crate) instance: String,
    pub(crate) tmp_bytes: u64,
    pub(crate) tmp_inodes: u64,
    pub(crate) first_uid: u32,
}

/// What a template is made of, all paths of the host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TemplatePlan {
    pub(crate) executable: PathBuf,
    pub(crate) library_dirs: Vec<PathBuf>,
    pub(crate) packages: Vec<PathBuf>,
    pub(crate) memory_bytes: u64,
    pub(crate) within: Duration,
}

/// The part of a run's limits that the kernel keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunLimits {
    pub(crate) memory_bytes: u64,
    pub(crate) pids: u64,
    pub(crate) cpu_cores: f64,
    pub(crate) low_priority: bool,
}

/// From the launcher to the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The isolation can be set up here.
    Host(HostReport),
    /// It can't.
    Unsupported { missing: String, remedy: String },
    /// The interpreter runs and takes commands.
    TemplateBooted { template: Id, pid: i32 },
    /// Modules were imported, up to the first that leaves what no fork may
    /// have: its name and what that is.
    Imported {
        template: Id,
        loaded: Vec<String>,
        failed: Vec<(String, String)>,
        unfit: Option<(String, String)>,
    },
    /// The template is gone, asked for or not.
    TemplateEnded { template: Id, detail: String },
    /// A run waits. Files: control socket, result, stdout, stderr, scratch,
    /// pidfd, CPU counter, memory peak.
    Prepared { run: Id },
    /// It could not be made or did not pass the checks; `by_packages` where
    /// that is the doing of what the template has imported.
    PrepareFailed { run: Id, detail: String, by_packages: bool },
    /// Code and limits are in place.
    Assigned { run: Id },
    /// They are not, and the run is dead.
    AssignFailed { run: Id, detail: String },
    /// Every process of the run is dead.
    Ended { run: Id, exit: Exit, cpu: Duration, oom_kills: u64 },
}

/// Sends one message, without waiting.
pub(crate) fn send<T: Serialize>(
    socket: impl AsFd,
    head: &T,
    raw: &[u8],
    files: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes();
    if 4 + head.len() + raw.len() > PACKET_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "message longer than a packet"));
    }
    message::send(socket, &[IoSlice::new(&length), IoSlice::new(&head), IoSlice::new(raw)], files)?;
    Ok(())
}

/// Takes a received packet apart: head and raw bytes.
pub(crate) fn parse<T: DeserializeOwned>(packet: &[u8]) -> io::Result<(T, &[u8])> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed packet");
    let (length, rest) = packet.split_first_chunk::<4>().ok_or_else(malformed)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (head, raw) = rest.split_at_checked(length).ok_or_else(malformed)?;
    Ok((serde_json::from_slice(head)?, raw))
}
