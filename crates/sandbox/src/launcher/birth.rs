//! Checks from outside what a process claims by offering itself as a run.
//!
//! The template is in the user's hands, so a run counts as isolated only by
//! what the kernel says about it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::process::Pid;

/// The namespaces of a process, by inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Namespaces {
    /// A run must have these for itself.
    pub(super) own: [u64; 4],
    /// These it shares with its template, and with nobody else.
    pub(super) shared: [u64; 3],
}

const OWN: [&str; 4] = ["user", "pid", "mnt", "ipc"];
const SHARED: [&str; 3] = ["net", "uts", "cgroup"];

/// What the kernel tells of a process. Opened once: each walk through `/proc`
/// costs as much as what is read there.
pub(super) struct Facts(OwnedFd);

impl Facts {
    pub(super) fn of(pid: Pid) -> io::Result<Self> {
        let path = format!("/proc/{}", pid.as_raw_nonzero());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    pub(super) fn read(&self, name: &str) -> io::Result<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        let mut text = vec![0; 8 << 10];
        let mut length = 0;
        while length < text.len() {
            match rustix::io::read(&file, &mut text[length..])? {
                0 => break,
                more => length += more,
            }
        }
        text.truncate(length);
        String::from_utf8(text).map_err(io::Error::other)
    }

    pub(super) fn namespaces(&self) -> io::Result<Namespaces> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.0, "ns", flags, Mode::empty())?;
        let inode = |name: &str| {
            let status = rustix::fs::statat(&folder, name, AtFlags::empty())?;
            Ok::<_, io::Error>(status.st_ino)
        };
        let mut namespaces = Namespaces { own: [0; 4], shared: [0; 3] };
        for (slot, name) in namespaces.own.iter_mut().zip(OWN) {
            *slot = inode(name)?;
        }
        for (slot, name) in namespaces.shared.iter_mut().zip(SHARED) {
            *slot = inode(name)?;
        }
        Ok(namespaces)
    }
}

/// What is known of a candidate from outside.
pub(super) struct Candidate<'a> {
    pub(super) status: &'a str,
    pub(super) namespaces: &'a Namespaces,
    pub(super) in_its_group: bool,
}

/// Says which promise a candidate breaks.
pub(super) fn verify(
    candidate: &Candidate<'_>,
    template: &Namespaces,
    launcher: i32,
    uid: u32,
) -> Result<(), String> {
    let field = |name: &str| {
        candidate
            .status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .unwrap_or("absent")
    };
    let expect = |name: &str, wanted: &str| match field(name) {
        found if found == wanted => Ok(()),
        found => Err(format!("{name} is {found}, expected {wanted}")),
    };
    expect("PPid", &launcher.to_string())?;
    expect("Threads", "1")?;
    expect("NoNewPrivs", "1")?;
    expect("Seccomp", "2")?;
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        expect(set, "0000000000000000")?;
    }
    for ids in ["Uid", "Gid"] {
        if field(ids).split_whitespace().any(|id| id != uid.to_string()) {
            return Err(format!("{ids} is {}, expected {uid} only", field(ids)));
        }
    }
    if field("NSpid").split_whitespace().last() != Some("1") {
        return Err(format!("NSpid is {}, expected to end in 1", field("NSpid")));
    }
    // Kernels before 5.9 don't count; the template's own filter is certain.
    let filters = field("Seccomp_filters");
    if filters != "absent" && !filters.parse::<u32>().is_ok_and(|count| count >= 2) {
        return Err(format!(
            "it has {filters} system call filters, expected the template's and its own"
        ));
    }
    for ((name, run), template) in OWN.iter().zip(candidate.namespaces.own).zip(template.own) {
        if run == template {
            return Err(format!("its {name} namespace is the template's"));
        }
    }
    if candidate.namespaces.shared != template.shared {
        return Err("its network, host name or cgroup namespace is not the template's".into());
    }
    if !candidate.in_its_group {
        return Err("it has not joined its control group".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Name:\tpython\nPPid:\t10\nUid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nNSpid:\t40\t9\t1\n\
        Threads:\t1\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
        CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n\
        Seccomp_filters:\t2\n";
    const TEMPLATE: Namespaces = Namespaces { own: [1, 2, 3, 4], shared: [5, 6, 7] };
    const RUN: Namespaces = Namespaces { own: [11, 12, 13, 14], shared: [5, 6, 7] };

    fn verdict(status: &str, namespaces: &Namespaces, in_its_group: bool) -> Result<(), String> {
        verify(&Candidate { status, namespaces, in_its_group }, &TEMPLATE, 10, 7)
    }

    #[test]
    fn an_isolated_run_passes() {
        assert_eq!(verdict(GOOD, &RUN, true), Ok(()));
    }

    #[test]
    fn every_broken_promise_is_noticed() {
        for (kept, broken) in [
            ("PPid:\t10", "PPid:\t11"),
            ("Threads:\t1", "Threads:\t2"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            ("Seccomp:\t2", "Seccomp:\t0"),
            ("Seccomp_filters:\t2", "Seccomp_filters:\t1"),
            ("CapEff:\t0000000000000000", "CapEff:\t0000000000200000"),
            ("CapPrm:\t0000000000000000", "CapPrm:\t000001ffffffffff"),
            ("Uid:\t7\t7\t7\t7", "Uid:\t7\t0\t7\t7"),
            ("NSpid:\t40\t9\t1", "NSpid:\t40\t9"),
            ("NSpid:\t40\t9\t1", "NSpid:\t40\t9\t2"),
        ] {
            let status = GOOD.replace(kept, broken);
            assert!(verdict(&status, &RUN, true).is_err(), "{broken}");
        }
        assert!(verdict(GOOD, &RUN, false).is_err());
        for index in 0..4 {
            let mut namespaces = RUN;
            namespaces.own[index] = TEMPLATE.own[index];
            assert!(verdict(GOOD, &namespaces, true).is_err());
        }
        let network = Namespaces { shared: [50, 6, 7], ..RUN };
        assert!(verdict(GOOD, &network, true).is_err());
    }
}
