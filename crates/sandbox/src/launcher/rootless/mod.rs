//! The launcher without root: a user namespace of its own, in which it may do
//! what root may on the host, and in which the subordinate ids of the worker's
//! user are those of sandboxes.
//!
//! Inside, 0 is the worker's user and 1 to 65,536 are its subordinate range.
//! Sandboxes get ids of that range only, so that neither the worker's user nor
//! the host's root exists in any of them. The namespaces that a sandbox has on
//! top are the same as with root.

mod adopt;
mod needs;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::MountPropagationFlags;
use rustix::process::{Pid, WaitOptions};
use rustix::thread::UnshareFlags;

use crate::cgroup;
use crate::sys::fork;

use needs::{Facts, IDS, Lack, Plan, Step};

/// The first id of sandboxes inside the launcher's user namespace.
const FIRST_UID: u32 = 1;

/// A launcher that has left root's user namespace.
pub(super) struct Rootless {
    facts: Facts,
    plan: Plan,
}

impl Rootless {
    /// Looks whether the host offers what is needed, and enters the namespaces;
    /// the error says what is missing and the remedy.
    pub(super) fn enter() -> Result<Self, Lack> {
        let facts = look();
        let plan = needs::decide(&facts)?;
        enter(&plan).map_err(|(step, error)| needs::explain(step, &error.to_string(), &facts))?;
        Ok(Self { facts, plan })
    }

    /// See [`FIRST_UID`].
    pub(super) fn first_uid(&self) -> u32 {
        FIRST_UID
    }

    /// Why a sandbox could not be set up here.
    pub(super) fn explain(&self, error: &io::Error) -> Lack {
        needs::explain(Step::Act, &error.to_string(), &self.facts)
    }

    /// For the report on the host.
    pub(super) fn note(&self) -> String {
        let (first, last) = (self.plan.uids, self.plan.uids + (IDS - 1));
        format!("without root: sandboxes have the user ids {first} to {last} of the host")
    }
}

/// Looks at the running system.
fn look() -> Facts {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let number = |path: &str| text(path).trim().parse::<u64>().ok();
    let uid = rustix::process::geteuid().as_raw();
    Facts {
        user: user_name(&text("/etc/passwd"), uid),
        uid,
        gid: rustix::process::getegid().as_raw(),
        unified: cgroup::unified(),
        subuid: text("/etc/subuid"),
        subgid: text("/etc/subgid"),
        newuidmap: find("newuidmap"),
        newgidmap: find("newgidmap"),
        no_new_privs: rustix::thread::no_new_privs().unwrap_or(false),
        most_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
        userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
        apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
            == Some(1),
        masked: masked(&text("/proc/self/mountinfo")),
    }
}

/// The user's name, or its number where it has none.
fn user_name(passwd: &str, uid: u32) -> String {
    let number = uid.to_string();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    named.unwrap_or(number)
}

/// A program of the system; the launcher has no `PATH`.
fn find(program: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/run/wrappers/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}

/// What is mounted over parts of `/proc`. That on the empty folder for
/// `binfmt_misc` hides nothing, and the kernel says so, too.
fn masked(mountinfo: &str) -> Vec<String> {
    mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|point| point.starts_with("/proc/") && *point != "/proc/sys/fs/binfmt_misc")
        .map(str::to_owned)
        .collect()
}

fn enter(plan: &Plan) -> Result<(), (Step, io::Error)> {
    let at = |step| move |error: io::Error| (step, error);
    let (mut ours, theirs) = UnixStream::pair().map_err(at(Step::Enter))?;
    // Only a process that stays outside can ask the setuid programs to map.
    let helper = match fork::fork(0).map_err(at(Step::Enter))? {
        fork::Fork::Parent(helper, _) => helper,
        fork::Fork::Child => {
            drop(ours);
            map(plan, theirs)
        }
    };
    drop(theirs);
    let entered = fork::leave_namespace(UnshareFlags::NEWUSER | UnshareFlags::NEWNS);
    let mut complaint = String::new();
    let mapped = match &entered {
        Ok(()) => ours.write_all(b"M").and_then(|()| ours.read_to_string(&mut complaint)).map(drop),
        Err(_) => Ok(()),
    };
    // Without a word from this side, its end is the helper's.
    drop(ours);
    let ended = rustix::process::waitpid(Some(helper), WaitOptions::empty());
    entered.map_err(at(Step::Enter))?;
    mapped.and(ended.map(drop).map_err(io::Error::from)).map_err(at(Step::Map))?;
    if complaint != DONE {
        return Err((Step::Map, io::Error::other(complaint)));
    }
    let act = |what: &str| {
        let what = what.to_owned();
        move |error: rustix::io::Errno| {
            (Step::Act, io::Error::other(format!("{what}: {}", io::Error::from(error))))
        }
    };
    // The groups of the worker's user are not the launcher's.
    rustix::thread::set_thread_groups(&[]).map_err(act("leaving the user's groups"))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(act("making mounts private"))
}

/// The helper's answer when both maps are written.
const DONE: &str = "mapped";

/// The helper's life: waits until its parent is in its new user namespace, has
/// the ids mapped, and says how that went.
fn map(plan: &Plan, mut launcher: UnixStream) -> ! {
    let mut go = [0];
    if launcher.read_exact(&mut go).is_ok() {
        let mapped = rustix::process::getppid()
            .ok_or_else(|| "the launcher is gone".to_owned())
            .and_then(|parent| {
                map_ids(&plan.newuidmap, parent, plan.uid, plan.uids)?;
                map_ids(&plan.newgidmap, parent, plan.gid, plan.gids)
            });
        let answer = mapped.map_or_else(|complaint| complaint, |()| DONE.to_owned());
        let _ = launcher.write_all(answer.as_bytes());
    }
    fork::exit(0)
}

/// Maps 0 to the worker's own id, and the rest to its subordinate range.
fn map_ids(program: &Path, process: Pid, own: u32, first: u32) -> Result<(), String> {
    let numbers = [0, own, 1, FIRST_UID, first, IDS];
    let done = Command::new(program)
        .arg(process.as_raw_nonzero().to_string())
        .args(numbers.map(|number| number.to_string()))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", program.display(), String::from_utf8_lossy(&done.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_named_as_in_the_password_file() {
        let passwd = "root:x:0:0::/:/bin/sh\nworker:x:1000:100::/home:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000), "worker");
        assert_eq!(user_name(passwd, 100), "100");
    }

    #[test]
    fn what_covers_proc_is_found() {
        let mountinfo = "22 1 0:21 / /proc rw - proc proc rw\n\
            30 22 0:28 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n\
            31 22 0:29 /null /proc/kcore rw - tmpfs tmpfs rw\n";
        assert_eq!(masked(mountinfo), ["/proc/kcore"]);
    }
}
