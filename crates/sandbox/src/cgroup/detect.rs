//! Finds which generation of control groups keeps the limits here.

use std::io;
use std::path::{Path, PathBuf};

use crate::service::CgroupMode;

use super::plan::Controller;

/// Where groups are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// The unified hierarchy, below this folder.
    V2 { base: PathBuf },
    /// One hierarchy per controller, or several in one.
    V1 { memory: PathBuf, pids: PathBuf, cpu: PathBuf, cpuacct: PathBuf, swap: bool },
}

/// Why no limits can be kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) missing: String,
    pub(crate) remedy: String,
}

/// Looks at the running system.
pub(crate) fn detect() -> Result<Layout, Missing> {
    let read = |path: &str| {
        std::fs::read_to_string(path).map_err(|error| Missing {
            missing: format!("{path} can't be read: {error}"),
            remedy: "mount /proc".into(),
        })
    };
    let mountinfo = read("/proc/self/mountinfo")?;
    let own = read("/proc/self/cgroup")?;
    let controllers =
        |dir: &Path| std::fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
    let exists = |path: &Path| path.exists();
    decide(&mountinfo, &own, &controllers, &exists)
}

/// The unified hierarchy as a process without root finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unified {
    /// Below which groups would be made.
    pub(crate) base: PathBuf,
    /// Needed controllers that aren't offered there.
    pub(crate) lacking: Vec<&'static str>,
    /// What this process may not write, of all that it must.
    pub(crate) closed: Option<PathBuf>,
}

/// Looks at this process's own place in the unified hierarchy; none where that
/// isn't mounted.
pub(crate) fn unified() -> Option<Unified> {
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mount = mountinfo.lines().filter_map(Mount::parse).find(|mount| mount.kind == "cgroup2")?;
    let base = own_v2(&mount, &own);
    let listed = std::fs::read_to_string(base.join("cgroup.controllers")).unwrap_or_default();
    let needed = ["memory", "cpu", "pids"];
    let lacking =
        needed.into_iter().filter(|name| !listed.split_whitespace().any(|c| c == *name)).collect();
    let closed = [base.clone(), base.join("cgroup.procs"), base.join("cgroup.subtree_control")]
        .into_iter()
        .find(|path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err());
    Some(Unified { base, lacking, closed })
}

/// The decision, from the texts of `/proc/self/mountinfo` and
/// `/proc/self/cgroup` and two questions to the file system.
fn decide(
    mountinfo: &str,
    own: &str,
    controllers: &dyn Fn(&Path) -> String,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<Layout, Missing> {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(Mount::parse).collect();
    if let Some(mount) = mounts.iter().find(|mount| mount.kind == "cgroup2") {
        let base = own_v2(mount, own);
        let listed = controllers(&base);
        let has = |name| listed.split_whitespace().any(|controller| controller == name);
        if has("memory") && has("cpu") && has("pids") {
            return Ok(Layout::V2 { base });
        }
    }
    let hierarchy = |controller: &str| {
        mounts
            .iter()
            .find(|m| m.kind == "cgroup" && m.options.split(',').any(|option| option == controller))
            .map(|mount| PathBuf::from(mount.point))
    };
    let found = [hierarchy("memory"), hierarchy("pids"), hierarchy("cpu"), hierarchy("cpuacct")];
    if let [Some(memory), Some(pids), Some(cpu), Some(cpuacct)] = found.clone() {
        let swap = exists(&memory.join("memory.memsw.limit_in_bytes"));
        return Ok(Layout::V1 { memory, pids, cpu, cpuacct, swap });
    }
    let lacking: Vec<&str> = ["memory", "pids", "cpu", "cpuacct"]
        .into_iter()
        .zip(&found)
        .filter_map(|(name, found)| found.is_none().then_some(name))
        .collect();
    Err(Missing {
        missing: format!(
            "no cgroup hierarchy offers memory, cpu and pids limits (cgroup v2 does not list all \
             of them, cgroup v1 lacks {})",
            lacking.join(", ")
        ),
        remedy: "on a machine with systemd, run the worker as a service with Delegate=yes; in a \
                 container, give it a writable cgroup namespace (--cgroupns=private with \
                 /sys/fs/cgroup writable); on a kernel command line, remove cgroup_disable="
            .into(),
    })
}

impl Layout {
    /// For the report on the host.
    pub(crate) fn mode(&self) -> CgroupMode {
        match self {
            Self::V2 { .. } => CgroupMode::V2,
            Self::V1 { .. } => CgroupMode::V1,
        }
    }

    /// The folders in which a group has a folder of its own; memory's first.
    pub(crate) fn dirs(&self) -> Vec<&Path> {
        match self {
            Self::V2 { base } => vec![base],
            Self::V1 { memory, pids, cpu, cpuacct, .. } => {
                let mut dirs: Vec<&Path> = Vec::new();
                for dir in [memory, pids, cpu, cpuacct] {
                    if !dirs.contains(&dir.as_path()) {
                        dirs.push(dir);
                    }
                }
                dirs
            }
        }
    }

    /// The folder that holds a controller's files.
    pub(super) fn dir(&self, controller: Controller) -> &Path {
        match (self, controller) {
            (Self::V2 { base }, _) => base,
            (Self::V1 { memory, .. }, Controller::Memory) => memory,
            (Self::V1 { pids, .. }, Controller::Pids) => pids,
            (Self::V1 { cpu, .. }, Controller::Cpu) => cpu,
            (Self::V1 { cpuacct, .. }, Controller::Accounting) => cpuacct,
        }
    }

    /// On v2, lets groups below the base have limits. The base may then hold
    /// no process itself, so those in it move to a leaf beside the groups.
    pub(super) fn enable_controllers(&self) -> io::Result<()> {
        let Self::V2 { base } = self else { return Ok(()) };
        let switch = base.join("cgroup.subtree_control");
        if std::fs::write(&switch, "+memory +cpu +pids").is_ok() {
            return Ok(());
        }
        let leaf = base.join("mecapy-supervisor");
        super::make(&leaf)?;
        let mut enabled = Ok(());
        // A process that one of the moved ones forks meanwhile is met in the
        // next round.
        for _ in 0..8 {
            for pid in std::fs::read_to_string(base.join("cgroup.procs"))?.lines() {
                // A process that has ended meanwhile needs no move.
                let _ = std::fs::write(leaf.join("cgroup.procs"), pid);
            }
            enabled = std::fs::write(&switch, "+memory +cpu +pids");
            if enabled.is_ok() {
                break;
            }
        }
        enabled
    }

    /// Lets the instance's subtree hand its controllers on (v2), and makes it
    /// weigh as much as it has cores, as its siblings are single processes.
    pub(super) fn weigh(&self, tree: &dyn Fn(&Path) -> PathBuf) -> io::Result<()> {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        match self {
            Self::V2 { base } => {
                std::fs::write(tree(base).join("cgroup.subtree_control"), "+memory +cpu +pids")?;
                std::fs::write(tree(base).join("cpu.weight"), (100 * cores).min(10_000).to_string())
            }
            Self::V1 { cpu, memory, .. } => {
                // Old kernels count a group's children only when told so.
                let _ = std::fs::write(tree(memory).join("memory.use_hierarchy"), "1");
                std::fs::write(
                    tree(cpu).join("cpu.shares"),
                    (1024 * cores).min(262_144).to_string(),
                )
            }
        }
    }

    /// Whether `/proc/<pid>/cgroup` names the group `inner` for every controller.
    pub(super) fn holds(&self, inner: &str, cgroup_file: &str) -> bool {
        let within = |controller: &str| {
            cgroup_file.lines().any(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                let (Some(names), Some(path)) = (fields.next(), fields.next()) else {
                    return false;
                };
                names.split(',').any(|name| name == controller)
                    && path.strip_suffix(inner).is_some_and(|outer| outer.ends_with('/'))
            })
        };
        match self {
            Self::V2 { .. } => within(""),
            Self::V1 { .. } => ["memory", "pids", "cpu", "cpuacct"].into_iter().all(within),
        }
    }
}

/// Where this process's own v2 group shows; its parent when an earlier start
/// has moved the process to the leaf.
fn own_v2(mount: &Mount<'_>, own: &str) -> PathBuf {
    let path = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let path = path.strip_suffix("/mecapy-supervisor").unwrap_or(path);
    let below = path.strip_prefix(mount.root).unwrap_or(path);
    Path::new(mount.point).join(below.trim_start_matches('/'))
}

struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// A line of mountinfo, described in proc_pid_mountinfo(5).
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let kind = system.next()?;
        let options = system.nth(1)?;
        Some(Self { root, point, kind, options })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    fn none(_: &Path) -> String {
        String::new()
    }

    #[test]
    fn a_v2_tree_without_controllers_leaves_the_limits_to_v1() {
        let layout = decide(HYBRID, "0::/\n", &none, &|_| true).unwrap();
        assert_eq!(layout.mode(), CgroupMode::V1);
        assert_eq!(layout.dirs().len(), 3, "cpu and cpuacct share a folder");
    }

    #[test]
    fn v2_is_used_below_the_own_group_when_it_lists_all_three() {
        let mounts = "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        let own = "0::/system.slice/mecapy.service/mecapy-supervisor\n";
        let listed = |dir: &Path| {
            assert_eq!(dir, Path::new("/sys/fs/cgroup/system.slice/mecapy.service"));
            "cpuset cpu io memory pids\n".to_owned()
        };
        let layout = decide(mounts, own, &listed, &|_| false).unwrap();
        assert_eq!(
            layout,
            Layout::V2 { base: "/sys/fs/cgroup/system.slice/mecapy.service".into() }
        );
    }

    #[test]
    fn a_missing_controller_is_named_with_a_remedy() {
        let mounts = "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        let refused = decide(mounts, "", &none, &|_| false).unwrap_err();
        assert!(refused.missing.contains("pids, cpu, cpuacct"), "{}", refused.missing);
        assert!(refused.remedy.contains("Delegate=yes"));
    }

    #[test]
    fn a_process_is_in_a_group_only_when_every_controller_says_so() {
        let layout = decide(HYBRID, "0::/\n", &none, &|_| true).unwrap();
        let all = "3:cpu,cpuacct:/mecapy-a/r1\n2:memory:/mecapy-a/r1\n1:pids:/mecapy-a/r1\n0::/\n";
        assert!(layout.holds("mecapy-a/r1", all));
        assert!(!layout.holds("mecapy-a/r1", &all.replacen("r1", "r11", 1)));
        assert!(!layout.holds("mecapy-a/r2", all));
    }
}
