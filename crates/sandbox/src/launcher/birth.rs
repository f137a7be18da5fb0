//! Checks from outside what a process claims by offering itself as a run.
//!
//! The template is in the user's hands, so a run counts as isolated only by
//! what the kernel says about it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Dev, Dir, FileType, Mode, OFlags, Stat};
use rustix::process::Pid;

use crate::sys::maps;

use super::root::SCRATCH;

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

/// Which file an open file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

/// A run's open files by number: `/dev/null`, its stdout and stderr, its
/// control socket, its result pipe.
pub(super) type RunFiles = [FileId; 4];

/// What is open at the numbers 0 to 4, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenFiles {
    /// Whether 0 is the null device.
    pub(super) null: bool,
    pub(super) others: RunFiles,
}

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

    /// What the process has open; says so where that is more or less than the
    /// numbers 0 to 4.
    pub(super) fn open_files(&self) -> io::Result<Result<OpenFiles, String>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.0, "fd", flags, Mode::empty())?;
        let mut numbers = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                numbers.push(name.into_owned());
            }
        }
        numbers.sort();
        if numbers != ["0", "1", "2", "3", "4"] {
            return Ok(Err(format!(
                "it has the files {} open, expected 0 to 4",
                numbers.join(", ")
            )));
        }
        let status = |name: &str| rustix::fs::statat(&folder, name, AtFlags::empty());
        let null = status("0")?;
        let is_null = FileType::from_raw_mode(null.st_mode) == FileType::CharacterDevice
            && null.st_rdev == rustix::fs::makedev(1, 3);
        let of = |name: &str| Ok::<_, io::Error>(FileId::from(&status(name)?));
        let others = [of("1")?, of("2")?, of("3")?, of("4")?];
        Ok(Ok(OpenFiles { null: is_null, others }))
    }

    /// Whether it has memory that another process may write to or see written.
    /// Read-only views of files of `memory` are no less than that; those of
    /// the read-only tree, such as libc's table of character sets, are none.
    pub(super) fn has_shared_memory(&self, memory: &[Dev]) -> io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let maps = rustix::fs::openat(&self.0, "maps", flags, Mode::empty())?;
        let shared = maps::shared_mappings(&maps, || {
            let mut text = String::new();
            io::Read::read_to_string(&mut std::fs::File::from(maps.try_clone()?), &mut text)?;
            Ok(text)
        })?;
        Ok(shared.iter().any(|mapping| mapping.writable || memory.contains(&mapping.device)))
    }

    /// Whether its working folder is its root.
    pub(super) fn stands_at_its_root(&self) -> io::Result<bool> {
        let of = |name: &str| rustix::fs::statat(&self.0, name, AtFlags::empty());
        Ok(FileId::from(&of("cwd")?) == FileId::from(&of("root")?))
    }

    /// The device of the process's scratch space.
    pub(super) fn scratch_device(&self) -> io::Result<Dev> {
        Ok(rustix::fs::statat(&self.0, format!("root/{SCRATCH}"), AtFlags::empty())?.st_dev)
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

impl FileId {
    pub(super) fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::from(&rustix::fs::fstat(file)?))
    }
}

impl From<&Stat> for FileId {
    fn from(status: &Stat) -> Self {
        Self { device: status.st_dev, inode: status.st_ino }
    }
}

/// What is known of a candidate from outside.
pub(super) struct Candidate<'a> {
    pub(super) status: &'a str,
    pub(super) namespaces: &'a Namespaces,
    pub(super) in_its_group: bool,
    pub(super) files: &'a OpenFiles,
    pub(super) at_its_root: bool,
    pub(super) shares_memory: bool,
}

/// What a candidate has to be.
pub(super) struct Expected<'a> {
    pub(super) template: &'a Namespaces,
    pub(super) launcher: i32,
    pub(super) uid: u32,
    pub(super) files: &'a RunFiles,
}

/// Says which promise a candidate breaks.
pub(super) fn verify(candidate: &Candidate<'_>, expected: &Expected<'_>) -> Result<(), String> {
    let Expected { template, launcher, uid, files } = expected;
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
    // Without a session and a group of its own, it could signal those of all.
    for ids in ["NSpid", "NSpgid", "NSsid"] {
        if field(ids).split_whitespace().last() != Some("1") {
            return Err(format!("{ids} is {}, expected to end in 1", field(ids)));
        }
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
    // Whatever else it had open or mapped, or whatever folder it stood in,
    // another run of the template could have, too.
    if !candidate.at_its_root {
        return Err("its working folder is not its root".into());
    }
    if !candidate.files.null || candidate.files.others != **files {
        return Err("its open files are not those that it was given".into());
    }
    if candidate.shares_memory {
        return Err(
            "it shares memory with its template, as a package made a shared mapping when it was \
             imported"
                .into(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Name:\tpython\nPPid:\t10\nUid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nNSpid:\t40\t9\t1\n\
        NSpgid:\t40\t9\t1\nNSsid:\t40\t9\t1\nThreads:\t1\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
        CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n\
        Seccomp_filters:\t2\n";
    const TEMPLATE: Namespaces = Namespaces { own: [1, 2, 3, 4], shared: [5, 6, 7] };
    const RUN: Namespaces = Namespaces { own: [11, 12, 13, 14], shared: [5, 6, 7] };

    const GIVEN: RunFiles = [file(1), file(2), file(3), file(4)];

    const fn file(inode: u64) -> FileId {
        FileId { device: 1, inode }
    }

    fn good(status: &str) -> Candidate<'_> {
        static FILES: OpenFiles = OpenFiles { null: true, others: GIVEN };
        Candidate {
            status,
            namespaces: &RUN,
            in_its_group: true,
            files: &FILES,
            at_its_root: true,
            shares_memory: false,
        }
    }

    fn verdict(candidate: &Candidate<'_>) -> Result<(), String> {
        let expected = Expected { template: &TEMPLATE, launcher: 10, uid: 7, files: &GIVEN };
        verify(candidate, &expected)
    }

    #[test]
    fn an_isolated_run_passes() {
        assert_eq!(verdict(&good(GOOD)), Ok(()));
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
            ("CapInh:\t0000000000000000", "CapInh:\t0000000000000001"),
            ("CapAmb:\t0000000000000000", "CapAmb:\t0000000000000001"),
            ("Uid:\t7\t7\t7\t7", "Uid:\t7\t0\t7\t7"),
            ("Gid:\t7\t7\t7\t7", "Gid:\t7\t7\t7\t0"),
            ("NSpid:\t40\t9\t1", "NSpid:\t40\t9"),
            ("NSpid:\t40\t9\t1", "NSpid:\t40\t9\t2"),
            ("NSpgid:\t40\t9\t1", "NSpgid:\t39\t8\t0"),
            ("NSsid:\t40\t9\t1", "NSsid:\t39\t8\t0"),
        ] {
            let status = GOOD.replace(kept, broken);
            assert!(verdict(&good(&status)).is_err(), "{broken}");
        }
        assert!(verdict(&Candidate { in_its_group: false, ..good(GOOD) }).is_err());
        for index in 0..4 {
            let mut namespaces = RUN;
            namespaces.own[index] = TEMPLATE.own[index];
            assert!(verdict(&Candidate { namespaces: &namespaces, ..good(GOOD) }).is_err());
        }
        for index in 0..3 {
            let mut namespaces = RUN;
            namespaces.shared[index] += 50;
            assert!(verdict(&Candidate { namespaces: &namespaces, ..good(GOOD) }).is_err());
        }
        for index in 0..4 {
            let mut files = OpenFiles { null: true, others: GIVEN };
            files.others[index] = file(9);
            assert!(verdict(&Candidate { files: &files, ..good(GOOD) }).is_err());
        }
        let files = OpenFiles { null: false, others: GIVEN };
        assert!(verdict(&Candidate { files: &files, ..good(GOOD) }).is_err());
        assert!(verdict(&Candidate { at_its_root: false, ..good(GOOD) }).is_err());
        assert!(verdict(&Candidate { shares_memory: true, ..good(GOOD) }).is_err());
    }
}
