//! What the checks look at: texts and numbers as the machine gave them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::manifest::PythonVersion;
use domain::{Text, Timestamp};

/// Everything that was read.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) host: Seen<Host>,
    pub(super) pythons: Seen<Pythons>,
    pub(super) uv: Seen<Uv>,
    pub(super) disk: Seen<Disk>,
    pub(super) clock: Seen<Clock>,
    pub(super) calculation: Seen<Calculation>,
}

/// What was read, unless it could not be.
pub(super) type Seen<T> = Result<T, Unseen>;

/// Why something was not seen.
#[derive(Clone, Debug)]
pub(super) enum Unseen {
    /// The machine did not answer in time.
    Late(Duration),
    /// Our own code failed.
    Broken(String),
}

/// The kernel and the system as this process sees them. A file that is not
/// there reads as empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    /// `uname -r`.
    pub(super) release: String,
    /// `uname -m`.
    pub(super) machine: String,
    /// `/etc/os-release`.
    pub(super) os_release: String,
    /// The effective user.
    pub(super) uid: u32,
    /// Whether a container's mark was seen.
    pub(super) in_container: bool,
    /// Whether systemd runs this machine.
    pub(super) with_systemd: bool,
    /// This program.
    pub(super) program: PathBuf,
    /// `/proc/self/status`.
    pub(super) status: String,
    /// `/proc/self/mountinfo`.
    pub(super) mountinfo: String,
    /// `/proc/self/cgroup`.
    pub(super) own_cgroup: String,
    /// The folders that the two above lead to.
    pub(super) cgroups: BTreeMap<PathBuf, CgroupFolder>,
    /// The names in `/proc/self/ns`.
    pub(super) namespaces: Vec<String>,
    /// Kernel settings by name.
    pub(super) sysctls: BTreeMap<&'static str, String>,
    /// `/proc/sys/kernel/seccomp/actions_avail`.
    pub(super) seccomp_actions: String,
    /// AppArmor's profile of this process.
    pub(super) apparmor: String,
    /// `/proc/self/uid_map`.
    pub(super) uid_map: String,
    /// `/proc/self/gid_map`.
    pub(super) gid_map: String,
    /// `/etc/passwd`.
    pub(super) passwd: String,
    /// `/etc/group`.
    pub(super) group: String,
    /// `/etc/subuid`.
    pub(super) subuid: String,
    /// `/etc/subgid`.
    pub(super) subgid: String,
    /// `newuidmap`.
    pub(super) newuidmap: MapProgram,
    /// `newgidmap`.
    pub(super) newgidmap: MapProgram,
    /// The first host id of sandboxes started by root.
    pub(super) first_uid: u32,
}

/// A folder of control groups.
#[derive(Clone, Debug, Default)]
pub(super) struct CgroupFolder {
    /// `cgroup.controllers`.
    pub(super) controllers: String,
    /// Whether this process may make groups in it.
    pub(super) writable: bool,
}

/// `newuidmap` or `newgidmap`.
#[derive(Clone, Debug, Default)]
pub(super) struct MapProgram {
    /// Where it was found.
    pub(super) path: Option<PathBuf>,
    /// Whether it is setuid root or has file capabilities.
    pub(super) privileged: bool,
}

/// The interpreters.
#[derive(Clone, Debug)]
pub(super) struct Pythons {
    /// Those that can be used, in the order of the search.
    pub(super) found: Vec<Python>,
    /// Those that can't, with the reason.
    pub(super) skipped: Vec<(PathBuf, Text)>,
    /// The position in `found` of the one for functions that ask for none.
    pub(super) default: Option<usize>,
    /// The version that the settings ask for.
    pub(super) wanted: Option<PythonVersion>,
    /// The folder of fetched interpreters.
    pub(super) managed: PathBuf,
    /// The mirror that they are fetched from.
    pub(super) mirror: Option<String>,
}

/// One interpreter.
#[derive(Clone, Debug)]
pub(super) struct Python {
    pub(super) minor: PythonVersion,
    pub(super) version: String,
    pub(super) executable: PathBuf,
}

/// The program that installs packages.
#[derive(Clone, Debug)]
pub(super) struct Uv {
    /// The program and its version, or why there is none.
    pub(super) found: Result<(PathBuf, String), NoUv>,
    /// Whether the settings name it.
    pub(super) named: bool,
}

/// Why there is no `uv`.
#[derive(Clone, Debug)]
pub(super) enum NoUv {
    /// It is at none of these places.
    Nowhere(Vec<PathBuf>),
    /// The program there can't be used.
    Bad(Text),
}

/// Room, and what kind of file system it is on.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    /// The data folder.
    pub(super) data: Place,
    /// The database's folder, where it is not in the data folder.
    pub(super) database: Option<Place>,
    /// The folder of temporary files.
    pub(super) temporary: Place,
    /// Memory that can be had without swapping, where it is known.
    pub(super) memory_bytes: Option<u64>,
}

/// A folder that is there, or will be made.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The folder itself.
    pub(super) path: PathBuf,
    /// The nearest folder above it that exists; itself where it does.
    pub(super) existing: PathBuf,
    /// Whether `existing` is a folder at all.
    pub(super) is_folder: bool,
    /// Whether this process may write in `existing`.
    pub(super) writable: bool,
    /// The name of the file system, empty where it is not known.
    pub(super) kind: String,
    /// Space for this process.
    pub(super) free_bytes: u64,
    /// Files that can still be made; `None` where they are not counted.
    pub(super) free_files: Option<u64>,
}

/// The clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// What the wall clock says.
    pub(super) now: Timestamp,
    /// How far it went while the checks ran, in microseconds.
    pub(super) wall_us: i64,
    /// How far the steady clock went meanwhile, in microseconds.
    pub(super) steady_us: i64,
    /// Whether the network sets it, where that can be seen.
    pub(super) synchronised: Option<bool>,
}

/// The calculation in the sandbox.
#[derive(Clone, Debug)]
pub(super) enum Calculation {
    /// There was no interpreter to run it.
    NoInterpreter,
    /// It was tried.
    Tried(Result<Calculated, Obstacle>),
}

/// A calculation that gave a result.
#[derive(Clone, Debug)]
pub struct Calculated {
    /// The result as the sandbox gave it, JSON.
    pub result: String,
    /// The interpreter's version.
    pub python: String,
    /// Until the sandbox stood.
    pub sandbox: Duration,
    /// Until the interpreter stood in it.
    pub template: Duration,
    /// The calculation itself.
    pub run: Duration,
}

/// Why a calculation gave no result.
#[derive(Clone, Debug)]
pub enum Obstacle {
    /// The sandbox can't be set up here.
    Unsupported {
        /// What the sandbox misses.
        missing: String,
        /// What it says to do.
        remedy: String,
    },
    /// Something else went wrong.
    Failed(Text),
}

impl Host {
    /// The line of `/proc/self/status` that begins with `name`.
    pub(super) fn status(&self, name: &str) -> Option<&str> {
        self.status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }

    /// A kernel setting that is a number.
    pub(super) fn sysctl(&self, name: &str) -> Option<i64> {
        self.sysctls.get(name)?.trim().parse().ok()
    }

    /// A value of `/etc/os-release`.
    pub(super) fn os(&self, key: &str) -> Option<&str> {
        self.os_release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches('"'))
    }

    /// The user's name, where `/etc/passwd` has it.
    pub(super) fn user(&self) -> Option<&str> {
        self.passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(self.uid)).then_some(name)
        })
    }

    /// A folder of control groups.
    pub(super) fn cgroup(&self, path: &Path) -> CgroupFolder {
        self.cgroups.get(path).cloned().unwrap_or_default()
    }
}
