//! What a server holds of the machine at one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// Files open for a moment, such as a connection of the database.
const FILES: usize = 8;
/// Spare control groups, over all hierarchies: as many as there ever were runs
/// at once, ready ones included.
const SPARE: usize = 4 * 24;
/// Open files of one spare group's folder.
const FILES_OF_SPARE: usize = 3;
/// Memory that allocators keep, in KiB.
const MEMORY_KIB: u64 = 64 << 10;

/// Everything counted.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Processes of the server and of its sandboxes, by how many mounts each
    /// sees; zombies included.
    processes: BTreeMap<usize, usize>,
    /// Mounts of the host.
    mounts: BTreeSet<String>,
    /// Distinct namespaces of those processes.
    namespaces: usize,
    /// Control groups of the instance with a process in them.
    groups: usize,
    /// Empty ones, which wait for the next run with their files open.
    spare: usize,
    /// Files that only a request or a run in progress needs.
    files: BTreeSet<PathBuf>,
    /// Open files of the server and its launcher.
    open: usize,
    /// Resident memory of the server and its launcher.
    memory_kib: u64,
}

impl Census {
    /// Counts what belongs to the server `pid`, whose files lie in `folder`.
    pub(crate) fn of(pid: u32, folder: &Path) -> Self {
        let family = Family::of(pid);
        let mut census = Self { mounts: mounts(), files: transient(folder), ..Self::default() };
        let mut namespaces = BTreeSet::new();
        for pid in &family.all {
            let seen = lines(Path::new(&format!("/proc/{pid}/mountinfo")));
            *census.processes.entry(seen).or_default() += 1;
            let links = fs::read_dir(format!("/proc/{pid}/ns")).into_iter().flatten().flatten();
            namespaces.extend(links.filter_map(|link| fs::read_link(link.path()).ok()));
        }
        census.namespaces = namespaces.len();
        if let Some(name) = family.instance {
            count_groups(&name, &mut census);
        }
        for pid in &family.trusted {
            census.open += fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
            census.memory_kib += resident_kib(*pid);
        }
        census
    }

    /// Whether two moments are the same but for what comes and goes.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        self.beyond(other).is_empty() && other.beyond(self).is_empty()
    }

    /// What there is now and was not before.
    pub(crate) fn beyond(&self, before: &Self) -> Vec<String> {
        let mut left = Vec::new();
        if self.processes != before.processes {
            let (now, before) = (&self.processes, &before.processes);
            left.push(format!("processes by mounts seen: {now:?}, before {before:?}"));
        }
        left.extend(self.mounts.difference(&before.mounts).map(|mount| format!("mount {mount}")));
        left.extend(self.files.difference(&before.files).map(|path| format!("{}", path.display())));
        let mut more = |what: &str, now: u64, before: u64, slack: u64| {
            if now > before + slack {
                left.push(format!("{what}: {now}, before {before}"));
            }
        };
        more("namespaces", self.namespaces as u64, before.namespaces as u64, 0);
        more("control groups", self.groups as u64, before.groups as u64, 0);
        more("spare control groups", self.spare as u64, before.spare.max(SPARE) as u64, 0);
        let open = FILES + FILES_OF_SPARE * self.spare.saturating_sub(before.spare);
        more("open files", self.open as u64, before.open as u64, open as u64);
        more("resident KiB", self.memory_kib, before.memory_kib, MEMORY_KIB);
        left
    }
}

/// The processes of a server.
struct Family {
    all: Vec<u32>,
    /// The server and its launcher, which no user's code runs in.
    trusted: Vec<u32>,
    /// The name of its control groups.
    instance: Option<String>,
}

impl Family {
    fn of(server: u32) -> Self {
        let parents = parents();
        let children =
            |of: u32| parents.iter().filter(move |(_, parent)| **parent == of).map(|(pid, _)| *pid);
        let mut all = vec![server];
        let mut next = 0;
        while let Some(parent) = all.get(next) {
            all.extend(children(*parent).collect::<Vec<_>>());
            next += 1;
        }
        // An orphan has another parent, and still its control group.
        let instance = all.iter().find_map(|pid| instance_of(*pid));
        if let Some(name) = &instance {
            let orphans = parents.keys().filter(|pid| !all.contains(pid));
            let found: Vec<u32> =
                orphans.filter(|pid| instance_of(**pid).as_ref() == Some(name)).copied().collect();
            all.extend(found);
        }
        let launcher = children(server).min();
        let trusted = [Some(server), launcher].into_iter().flatten().collect();
        Self { all, trusted, instance }
    }
}

/// Every process with its parent.
fn parents() -> HashMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
            Some((pid, parent.trim().parse().ok()?))
        })
        .collect()
}

/// `mecapy-…`, the group in which a server's sandboxes lie.
fn instance_of(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let mut parts = text.lines().flat_map(|line| line.split('/'));
    parts.find(|part| part.starts_with("mecapy-mecapy-")).map(ToOwned::to_owned)
}

fn count_groups(instance: &str, census: &mut Census) {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = hierarchies.map(|entry| entry.path().join(instance)).collect();
    folders.push(root.join(instance));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                match lines(&entry.path().join("cgroup.procs")) {
                    0 => census.spare += 1,
                    _ => census.groups += 1,
                }
                folders.push(entry.path());
            }
        }
    }
}

/// Mounts of the host, but for those of other tests' folders.
fn mounts() -> BTreeSet<String> {
    let others = std::env::temp_dir();
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines()
        .filter(|line| {
            let point = line.split(' ').nth(4).unwrap_or_default();
            !Path::new(point).starts_with(&others)
        })
        .map(ToOwned::to_owned)
        .collect()
}

/// What lies where only work in progress has files.
fn transient(folder: &Path) -> BTreeSet<PathBuf> {
    let data = folder.join("data");
    let mut found = BTreeSet::new();
    for place in [folder.join("tmp"), data.join("worker/inputs"), data.join("environments/scratch")]
    {
        collect(&place, &mut found);
    }
    // One folder per process, empty between requests.
    for writer in fs::read_dir(data.join("blobs/writing")).into_iter().flatten().flatten() {
        collect(&writer.path(), &mut found);
    }
    let code = fs::read_dir(data.join("worker/code")).into_iter().flatten().flatten();
    let hidden = code.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."));
    found.extend(hidden.map(|entry| entry.path()));
    found
}

fn collect(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), found);
        }
        found.insert(entry.path());
    }
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn resident_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
