//! One control group: the limits and counters of one template or run.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::wire::RunLimits;

use super::detect::Layout;
use super::plan::{self, Controller, SWAP};

/// A group and the open files through which it is joined and read.
#[derive(Debug)]
pub(crate) struct Group {
    inner: String,
    layout: Layout,
    /// Writing `0` to each moves the writing process in.
    join: Vec<File>,
    cpu: File,
    peak: File,
    oom: File,
    /// Where a group can be used again.
    renewal: Option<Renewal>,
    limits: Option<RunLimits>,
    oom_kills_before: u64,
}

/// The files through which a v1 group is readied for another run.
#[derive(Debug)]
struct Renewal {
    procs: File,
    usage: File,
    /// With swap and without.
    peaks: Vec<File>,
}

/// The limits of a run before it has an assignment, and of a new group.
pub(crate) const WAITING: RunLimits =
    RunLimits { memory_bytes: 256 << 20, pids: 64, cpu_cores: 1.0, low_priority: false };

/// What an empty group may still hold when it is given to another run.
const MOST_LEFT_BYTES: u64 = 4 << 20;

impl Group {
    /// Makes the group's folders below the layout's.
    pub(super) fn make(layout: &Layout, inner: &str) -> io::Result<Self> {
        let mut join = Vec::new();
        let procs = match layout {
            // A v1 `tasks` file moves one thread, which takes no lock that
            // makes the whole machine wait.
            Layout::V1 { .. } => "tasks",
            Layout::V2 { .. } => "cgroup.procs",
        };
        for dir in layout.dirs() {
            super::make(&dir.join(inner))?;
            join.push(File::options().write(true).open(dir.join(inner).join(procs))?);
        }
        let open = |controller, names: &[&str]| {
            let dir = layout.dir(controller).join(inner);
            let found = names.iter().find_map(|name| File::open(dir.join(name)).ok());
            found.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("none of {names:?} in {}", dir.display()),
                )
            })
        };
        let (cpu, peak, oom) = match layout {
            Layout::V1 { .. } => (
                open(Controller::Accounting, &["cpuacct.usage"])?,
                open(
                    Controller::Memory,
                    &["memory.memsw.max_usage_in_bytes", "memory.max_usage_in_bytes"],
                )?,
                open(Controller::Memory, &["memory.oom_control"])?,
            ),
            Layout::V2 { .. } => (
                open(Controller::Accounting, &["cpu.stat"])?,
                // Before Linux 5.19 there is no peak.
                open(Controller::Memory, &["memory.peak", "memory.current"])?,
                open(Controller::Memory, &["memory.events"])?,
            ),
        };
        let mut group = Self {
            inner: inner.to_owned(),
            layout: layout.clone(),
            join,
            cpu,
            peak,
            oom,
            renewal: Renewal::open(layout, inner)?,
            limits: None,
            oom_kills_before: 0,
        };
        group.limit(&WAITING)?;
        Ok(group)
    }

    /// Sets the limits; only what differs from the last ones is written.
    pub(crate) fn limit(&mut self, wanted: &RunLimits) -> io::Result<()> {
        let now = self.limits.take();
        let writes = match &self.layout {
            Layout::V1 { swap, .. } => plan::limits_v1(now.as_ref(), wanted, *swap),
            Layout::V2 { .. } => plan::limits_v2(now.as_ref(), wanted),
        };
        for (controller, file, value) in writes {
            match self.write(controller, file, &value) {
                // A kernel that was told not to account for swap has no such
                // file, nor has v1 there; see `Layout::V1`.
                Err(_) if file == SWAP && !self.path(controller, file).exists() => {}
                done => done?,
            }
        }
        self.limits = Some(wanted.clone());
        Ok(())
    }

    /// The path below the hierarchies' folders.
    pub(crate) fn inner(&self) -> &str {
        &self.inner
    }

    /// The files through which a process joins.
    pub(crate) fn join_files(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.join.iter().map(AsFd::as_fd)
    }

    /// Moves the calling process in; it must have one thread.
    pub(crate) fn join(&self) -> io::Result<()> {
        self.join.iter().try_for_each(|file| file.write_at(b"0", 0).map(|_| ()))
    }

    /// The CPU counter's file, for [`plan::cpu_time`].
    pub(crate) fn cpu_file(&self) -> BorrowedFd<'_> {
        self.cpu.as_fd()
    }

    /// The memory peak's file, for [`plan::memory_peak`].
    pub(crate) fn peak_file(&self) -> BorrowedFd<'_> {
        self.peak.as_fd()
    }

    /// Processes and threads in the group.
    pub(crate) fn tasks(&self) -> io::Result<u64> {
        let text = std::fs::read_to_string(self.path(Controller::Pids, "pids.current"))?;
        text.trim().parse().map_err(io::Error::other)
    }

    /// Processes killed for memory since the group was made or renewed.
    pub(crate) fn oom_kills(&self) -> u64 {
        self.read_oom_kills().saturating_sub(self.oom_kills_before)
    }

    /// Readies an empty group for another run. `None` when it can't be reused:
    /// it still holds something, or its counters can't be reset (v2).
    pub(crate) fn renew(mut self) -> Option<Self> {
        let renewed = match &self.renewal {
            Some(renewal) if renewal.is_empty() => {
                // Cached file pages of the last run count against the next. A
                // few are cheaper to keep than to reclaim.
                let emptied = if renewal.usage_bytes() > MOST_LEFT_BYTES {
                    self.write(Controller::Memory, "memory.force_empty", "0")
                } else {
                    Ok(())
                };
                emptied.and_then(|()| renewal.reset()).is_ok()
            }
            _ => false,
        };
        if !renewed {
            self.remove();
            return None;
        }
        self.oom_kills_before = self.read_oom_kills();
        Some(self)
    }

    /// Removes the folders; those that still hold a process stay for the next sweep.
    pub(crate) fn remove(&self) {
        for dir in self.layout.dirs() {
            let _ = std::fs::remove_dir(dir.join(&self.inner));
        }
    }

    fn read_oom_kills(&self) -> u64 {
        let mut text = [0; 512];
        let length = self.oom.read_at(&mut text, 0).unwrap_or(0);
        plan::oom_kills(&String::from_utf8_lossy(&text[..length]))
    }

    fn write(&self, controller: Controller, file: &str, value: &str) -> io::Result<()> {
        let path = self.path(controller, file);
        std::fs::write(&path, value).map_err(|error| {
            io::Error::new(error.kind(), format!("writing {value} to {}: {error}", path.display()))
        })
    }

    fn path(&self, controller: Controller, file: &str) -> PathBuf {
        self.layout.dir(controller).join(&self.inner).join(file)
    }
}

impl Renewal {
    fn open(layout: &Layout, inner: &str) -> io::Result<Option<Self>> {
        let Layout::V1 { swap, .. } = layout else { return Ok(None) };
        let dir = layout.dir(Controller::Memory).join(inner);
        let peak = |name: &str| File::options().write(true).open(dir.join(name));
        let mut peaks = vec![peak("memory.max_usage_in_bytes")?];
        if *swap {
            peaks.push(peak("memory.memsw.max_usage_in_bytes")?);
        }
        let (procs, usage) =
            (File::open(dir.join("cgroup.procs"))?, File::open(dir.join("memory.usage_in_bytes"))?);
        Ok(Some(Self { procs, usage, peaks }))
    }

    fn is_empty(&self) -> bool {
        self.procs.read_at(&mut [0], 0).is_ok_and(|length| length == 0)
    }

    fn usage_bytes(&self) -> u64 {
        let mut text = [0; 32];
        let length = self.usage.read_at(&mut text, 0).unwrap_or(0);
        plan::memory_peak(&String::from_utf8_lossy(&text[..length])).unwrap_or(u64::MAX)
    }

    fn reset(&self) -> io::Result<()> {
        self.peaks.iter().try_for_each(|peak| peak.write_at(b"0", 0).map(drop))
    }
}
