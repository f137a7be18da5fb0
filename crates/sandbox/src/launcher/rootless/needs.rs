//! What running without root needs of a host, and what to do where it is
//! missing: decisions from values to values.

use std::path::PathBuf;

use crate::cgroup::Unified;

/// User and group ids that sandboxes need.
pub(super) const IDS: u32 = 65_536;

const SERVICE: &str = "run the worker as a systemd service with User= and Delegate=yes, or for a \
                       trial with `systemd-run --user --scope -p Delegate=yes mecapy up`";

/// What is missing, and the remedy.
pub(super) type Lack = (String, String);

/// What was found on the host.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) user: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Where this process is in the unified hierarchy of cgroups, if mounted.
    pub(super) unified: Option<Unified>,
    /// The texts of `/etc/subuid` and `/etc/subgid`.
    pub(super) subuid: String,
    pub(super) subgid: String,
    pub(super) newuidmap: Option<PathBuf>,
    pub(super) newgidmap: Option<PathBuf>,
    pub(super) no_new_privs: bool,
    /// `user.max_user_namespaces`.
    pub(super) most_user_namespaces: Option<u64>,
    /// Debian's `kernel.unprivileged_userns_clone`, where the kernel has it.
    pub(super) userns_clone: Option<u64>,
    /// Ubuntu's `kernel.apparmor_restrict_unprivileged_userns`.
    pub(super) apparmor_restricts: bool,
    /// Paths below `/proc` that something covers, as containers do.
    pub(super) masked: Vec<String>,
}

/// How the launcher's own user namespace is mapped: 0 to the worker's user,
/// 1 to 65,536 to the subordinate ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// First host ids of the subordinate ranges.
    pub(super) uids: u32,
    pub(super) gids: u32,
    pub(super) newuidmap: PathBuf,
    pub(super) newgidmap: PathBuf,
}

/// Where the launcher failed although nothing was known to be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Entering a user and a mount namespace.
    Enter,
    /// `newuidmap` or `newgidmap`.
    Map,
    /// The first act in the new namespaces, or the proof of a whole sandbox.
    Act,
}

/// Whether the host offers all that is needed; the first thing that it doesn't.
pub(super) fn decide(facts: &Facts) -> Result<Plan, Lack> {
    limits(facts)?;
    switches(facts)?;
    let (newuidmap, newgidmap) = match (&facts.newuidmap, &facts.newgidmap) {
        (Some(newuidmap), Some(newgidmap)) => (newuidmap.clone(), newgidmap.clone()),
        (newuidmap, _) => {
            let program = if newuidmap.is_none() { "newuidmap" } else { "newgidmap" };
            return Err((
                format!("the program {program}, which maps subordinate ids, is not installed"),
                "as root, install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora), \
                 or start the worker as root"
                    .into(),
            ));
        }
    };
    if facts.no_new_privs {
        return Err((
            "the worker may gain no privileges (no_new_privs), so newuidmap can't map ids".into(),
            "remove NoNewPrivileges=yes from its service, and what implies it there; in a \
             container, remove --security-opt no-new-privileges or allowPrivilegeEscalation: false"
                .into(),
        ));
    }
    Ok(Plan {
        uid: facts.uid,
        gid: facts.gid,
        uids: range(facts, &facts.subuid, "user", "/etc/subuid")?,
        gids: range(facts, &facts.subgid, "group", "/etc/subgid")?,
        newuidmap,
        newgidmap,
    })
}

fn limits(facts: &Facts) -> Result<(), Lack> {
    let Some(unified) = &facts.unified else {
        return Err((
            "without root, limits need cgroup v2, which is not mounted".into(),
            "boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line, or start \
             the worker as root"
                .into(),
        ));
    };
    let base = unified.base.display();
    if !unified.lacking.is_empty() {
        return Err((
            format!(
                "without root, limits need cgroup v2 with memory, cpu and pids, and {base} lacks {}",
                unified.lacking.join(", ")
            ),
            "where cgroup v1 holds them, boot with systemd.unified_cgroup_hierarchy=1; in a \
             systemd service, write Delegate=yes; for services of a user, give the user's manager \
             Delegate=cpu memory pids (systemctl edit user@.service); or start the worker as root"
                .into(),
        ));
    }
    match &unified.closed {
        None => Ok(()),
        Some(closed) => Err((
            format!(
                "the control group {base} is not delegated to user {}: {} can't be written",
                facts.user,
                closed.display()
            ),
            format!("{SERVICE}; or start the worker as root"),
        )),
    }
}

fn switches(facts: &Facts) -> Result<(), Lack> {
    let sysctl = |name: &str, value: &str| {
        format!("as root: sysctl -w {name}={value} (and a line in /etc/sysctl.d to keep it)")
    };
    if facts.userns_clone == Some(0) {
        return Err((
            "kernel.unprivileged_userns_clone is 0: users may make no namespaces".into(),
            sysctl("kernel.unprivileged_userns_clone", "1"),
        ));
    }
    // One of the launcher's, one of each template and of each run.
    match facts.most_user_namespaces {
        Some(most @ 0..=15) => Err((
            format!("user.max_user_namespaces is {most}, and each run needs one"),
            sysctl("user.max_user_namespaces", "65536"),
        )),
        _ => Ok(()),
    }
}

/// The first id of the user's first range that is long enough.
fn range(facts: &Facts, text: &str, kind: &str, file: &str) -> Result<u32, Lack> {
    let ranges = || {
        text.lines().filter_map(|line| {
            let mut fields = line.trim().split(':');
            let (owner, first, count) = (fields.next()?, fields.next()?, fields.next()?);
            Some((owner, first.parse::<u32>().ok()?, count.parse::<u32>().ok()?))
        })
    };
    let number = facts.uid.to_string();
    let own = || ranges().filter(|(owner, ..)| *owner == facts.user || *owner == number);
    if let Some((_, first, _)) = own().find(|(.., count)| *count >= IDS) {
        return Ok(first);
    }
    let largest = own().map(|(.., count)| count).max().unwrap_or(0);
    let free = ranges().map(|(_, first, count)| u64::from(first) + u64::from(count)).max();
    let free = free.unwrap_or(0).max(100_000);
    Err((
        format!(
            "user {} needs a range of {IDS} subordinate {kind} ids, and the largest in {file} has {largest}",
            facts.user
        ),
        format!("as root: echo {}:{free}:{IDS} >> {file}", facts.user),
    ))
}

/// What to do when a step failed that nothing spoke against.
pub(super) fn explain(step: Step, detail: &str, facts: &Facts) -> Lack {
    let denied = detail.contains("not permitted") || detail.contains("denied");
    let missing = match step {
        Step::Enter => format!("a user namespace can't be made: {detail}"),
        Step::Map => format!("the subordinate ids can't be mapped: {detail}"),
        Step::Act => format!("a sandbox can't be set up without root: {detail}"),
    };
    let remedy = match step {
        Step::Map => format!(
            "newuidmap and newgidmap have to be setuid root (reinstall the package uidmap) on a \
             file system without nosuid, and /etc/subuid and /etc/subgid have to name {}",
            facts.user
        ),
        Step::Enter | Step::Act if denied && facts.apparmor_restricts => {
            "AppArmor restricts user namespaces here. As root: sysctl -w \
             kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for the \
             program with the rule `userns,` and flags=(unconfined)"
                .into()
        }
        Step::Enter if detail.contains("No space left") => {
            "raise user.max_user_namespaces (sysctl), or nest containers less deeply".into()
        }
        Step::Act if denied && !facts.masked.is_empty() => format!(
            "/proc is covered in part ({}), so no other may be mounted. In a container: \
             --security-opt systempaths=unconfined (Docker), --security-opt unmask=ALL (Podman), \
             procMount: Unmasked (Kubernetes)",
            facts.masked.join(", ")
        ),
        Step::Enter | Step::Act => {
            "use Linux 5.14 or newer; in a container, allow unshare, mount, pivot_root and setns \
             in its seccomp profile (--security-opt seccomp=unconfined shows whether that is it); \
             or start the worker as root"
                .into()
        }
    };
    (missing, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            user: "worker".into(),
            uid: 1000,
            gid: 1000,
            unified: Some(Unified {
                base: "/sys/fs/cgroup/a".into(),
                lacking: Vec::new(),
                closed: None,
            }),
            subuid: "root:1:5\nother:100000:65536\nworker:200000:10\nworker:300000:65536\n".into(),
            subgid: "1000:400000:70000\n".into(),
            newuidmap: Some("/usr/bin/newuidmap".into()),
            newgidmap: Some("/usr/bin/newgidmap".into()),
            no_new_privs: false,
            most_user_namespaces: Some(7000),
            userns_clone: None,
            apparmor_restricts: false,
            masked: Vec::new(),
        }
    }

    #[test]
    fn a_host_with_all_of_it_gives_the_first_ranges_that_are_long_enough() {
        let plan = decide(&good()).unwrap();
        assert_eq!((plan.uid, plan.gid, plan.uids, plan.gids), (1000, 1000, 300_000, 400_000));
    }

    #[test]
    fn each_missing_thing_is_named_with_its_own_remedy() {
        let unified = good().unified.unwrap();
        let closed =
            Unified { closed: Some("/sys/fs/cgroup/a/cgroup.procs".into()), ..unified.clone() };
        let lacking = Unified { lacking: vec!["cpu"], ..unified };
        for (facts, missing, remedy) in [
            (
                Facts { unified: None, ..good() },
                "not mounted",
                "systemd.unified_cgroup_hierarchy=1",
            ),
            (Facts { unified: Some(lacking), ..good() }, "lacks cpu", "Delegate=cpu memory pids"),
            (
                Facts { unified: Some(closed), ..good() },
                "cgroup.procs can't be written",
                "systemd-run --user --scope -p Delegate=yes",
            ),
            (
                Facts { userns_clone: Some(0), ..good() },
                "kernel.unprivileged_userns_clone is 0",
                "sysctl -w kernel.unprivileged_userns_clone=1",
            ),
            (
                Facts { most_user_namespaces: Some(0), ..good() },
                "user.max_user_namespaces is 0",
                "sysctl -w user.max_user_namespaces=",
            ),
            (Facts { newuidmap: None, ..good() }, "newuidmap", "package uidmap"),
            (Facts { newgidmap: None, ..good() }, "newgidmap", "package uidmap"),
            (Facts { no_new_privs: true, ..good() }, "no_new_privs", "NoNewPrivileges=yes"),
            (
                Facts { subuid: String::new(), ..good() },
                "65536 subordinate user ids",
                "echo worker:100000:65536 >> /etc/subuid",
            ),
            (
                Facts { subgid: "worker:100000:1000\nother:165536:65536\n".into(), ..good() },
                "the largest in /etc/subgid has 1000",
                "echo worker:231072:65536 >> /etc/subgid",
            ),
        ] {
            let (found, said) = decide(&facts).unwrap_err();
            assert!(found.contains(missing), "{found}");
            assert!(said.contains(remedy), "{said}");
        }
    }

    #[test]
    fn a_failure_is_explained_by_what_the_host_is_known_to_restrict() {
        let denied = "Operation not permitted (os error 1)";
        let apparmor = Facts { apparmor_restricts: true, ..good() };
        let masked = Facts { masked: vec!["/proc/kcore".into()], ..good() };
        for (step, detail, facts, remedy) in [
            (Step::Enter, denied, &good(), "seccomp profile"),
            (Step::Enter, denied, &apparmor, "apparmor_restrict_unprivileged_userns=0"),
            (Step::Act, "Permission denied (os error 13)", &apparmor, "the rule `userns,`"),
            (Step::Act, "Invalid argument (os error 22)", &apparmor, "Linux 5.14"),
            (Step::Enter, "No space left on device", &good(), "user.max_user_namespaces"),
            (Step::Map, "newuidmap: write failed", &good(), "setuid root"),
            (Step::Act, denied, &masked, "unmask=ALL"),
            (Step::Act, denied, &good(), "start the worker as root"),
        ] {
            let (missing, said) = explain(step, detail, facts);
            assert!(missing.contains(detail), "{missing}");
            assert!(said.contains(remedy), "{step:?}: {said}");
        }
    }
}
