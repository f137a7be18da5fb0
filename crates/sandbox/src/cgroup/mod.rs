//! Control groups: found, made, limited, read, reused and removed.

mod detect;
mod group;
mod plan;

pub(crate) use detect::{Layout, Unified, detect, unified};
pub(crate) use group::Group;
pub(crate) use plan::{cpu_time, memory_peak};

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// The subtree of one worker instance, held by a lock while its launcher lives.
#[derive(Debug)]
pub(crate) struct Tree {
    layout: Layout,
    instance: String,
    _lock: File,
}

impl Tree {
    /// Makes the instance's subtree, takes its lock, and removes what an
    /// earlier launcher of that name left.
    pub(crate) fn claim(layout: Layout, instance: &str) -> io::Result<Self> {
        let tree = |dir: &Path| dir.join(format!("mecapy-{instance}"));
        layout.enable_controllers()?;
        for dir in layout.dirs() {
            make(&tree(dir))?;
        }
        let lock = File::open(tree(layout.dirs().first().expect("a layout has a memory folder")))?;
        lock.try_lock().map_err(|_| {
            io::Error::new(
                io::ErrorKind::AddrInUse,
                format!(
                    "another worker of this machine already uses the instance name {instance:?}"
                ),
            )
        })?;
        let made = Self { layout, instance: instance.to_owned(), _lock: lock };
        for dir in made.layout.dirs() {
            sweep(&tree(dir));
        }
        made.layout.weigh(&tree)?;
        Ok(made)
    }

    /// A new group of that name.
    pub(crate) fn group(&self, name: &str) -> io::Result<Group> {
        let inner = format!("mecapy-{}/{name}", self.instance);
        Group::make(&self.layout, &inner)
    }

    /// For the report on the host.
    pub(crate) fn mode(&self) -> crate::service::CgroupMode {
        self.layout.mode()
    }

    /// Whether a process is in the group named so, by its `/proc/<pid>/cgroup`.
    pub(crate) fn holds(&self, group: &Group, cgroup_file: &str) -> bool {
        self.layout.holds(group.inner(), cgroup_file)
    }

    /// Removes the subtree; its processes are to be dead already.
    pub(crate) fn remove(&self) {
        for dir in self.layout.dirs() {
            let tree = dir.join(format!("mecapy-{}", self.instance));
            sweep(&tree);
            // Left behind when something is still in it; the next launcher sweeps again.
            let _ = std::fs::remove_dir(tree);
        }
    }
}

/// Makes a folder that may be there already.
fn make(dir: &Path) -> io::Result<()> {
    match std::fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Kills what is in the groups below `tree` and removes them, within a second.
fn sweep(tree: &Path) {
    let until = Instant::now() + Duration::from_secs(1);
    let groups: Vec<PathBuf> = std::fs::read_dir(tree)
        .map(|entries| entries.flatten().map(|entry| entry.path()).filter(|p| p.is_dir()).collect())
        .unwrap_or_default();
    for group in groups {
        while std::fs::remove_dir(&group).is_err() && Instant::now() < until {
            // On v2 all at once. Without root it is the only way: who holds
            // the group's files need not be allowed to signal its processes.
            if std::fs::write(group.join("cgroup.kill"), "1").is_ok() {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            let processes = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for pid in processes.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
                // Gone already is as good.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
