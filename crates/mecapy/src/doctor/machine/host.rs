//! The kernel and the system.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::disk::{may, writable};
use crate::doctor::checks::{cgroups, namespaces};
use crate::doctor::facts::{CgroupFolder, Host, MapProgram};

/// The longest text that is read; a list of users may be long.
const LONGEST: u64 = 16 << 20;
const SETUID: u32 = 0o4000;

pub(super) fn read(search_path: Option<&OsStr>) -> Host {
    let uname = rustix::system::uname();
    let (mountinfo, own_cgroup) = (text("/proc/self/mountinfo"), text("/proc/self/cgroup"));
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("mecapy"));
    Host {
        release: uname.release().to_string_lossy().into_owned(),
        machine: uname.machine().to_string_lossy().into_owned(),
        os_release: text("/etc/os-release"),
        uid: rustix::process::geteuid().as_raw(),
        in_container: ["/.dockerenv", "/run/.containerenv"]
            .map(Path::new)
            .iter()
            .any(|p| p.exists()),
        with_systemd: Path::new("/run/systemd/system").exists(),
        status: text("/proc/self/status"),
        cgroups: cgroups::Places::of(&mountinfo, &own_cgroup)
            .folders()
            .map(|folder| (folder.to_owned(), cgroup(folder)))
            .collect(),
        mountinfo,
        own_cgroup,
        namespaces: names("/proc/self/ns"),
        sysctls: sysctls(),
        seccomp_actions: text("/proc/sys/kernel/seccomp/actions_avail"),
        apparmor: text("/proc/self/attr/apparmor/current"),
        uid_map: text("/proc/self/uid_map"),
        gid_map: text("/proc/self/gid_map"),
        passwd: text("/etc/passwd"),
        group: text("/etc/group"),
        subuid: text("/etc/subuid"),
        subgid: text("/etc/subgid"),
        newuidmap: map_program("newuidmap", search_path),
        newgidmap: map_program("newgidmap", search_path),
        first_uid: sandbox::Settings::new(program.clone()).first_uid,
        program,
    }
}

/// The text of a file; one that can't be read is empty.
pub(super) fn text(path: impl AsRef<Path>) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is all that can be known.
    let _ = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn sysctls() -> BTreeMap<&'static str, String> {
    let read = |name: &str| text(Path::new("/proc/sys").join(name.replace('.', "/")));
    namespaces::sysctls()
        .map(|name| (name, read(name)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn cgroup(folder: &Path) -> CgroupFolder {
    // A group is handed to a user with its folder and these files; v1 has only
    // the first of them.
    let files = ["cgroup.procs", "cgroup.subtree_control"].map(|name| folder.join(name));
    let open = |file: &PathBuf| !file.exists() || may(file, Access::WRITE_OK);
    CgroupFolder {
        controllers: text(folder.join("cgroup.controllers")),
        writable: writable(folder) && files.iter().all(open),
    }
}

fn map_program(name: &str, search_path: Option<&OsStr>) -> MapProgram {
    let folders = search_path.map(std::env::split_paths).into_iter().flatten();
    let usual = ["/usr/bin", "/bin", "/usr/local/bin"].map(PathBuf::from);
    let mut programs = folders.chain(usual).map(|folder| folder.join(name));
    let found = programs.find_map(|path| Some((path.metadata().ok()?, path)));
    let Some((metadata, path)) = found else { return MapProgram::default() };
    // Some distributions give file capabilities instead.
    let capabilities =
        || rustix::fs::getxattr(&path, "security.capability", &mut [0u8; 64]).is_ok_and(|n| n > 0);
    let setuid = metadata.mode() & SETUID != 0 && metadata.uid() == 0;
    let privileged = setuid || capabilities();
    MapProgram { privileged, path: Some(path) }
}
