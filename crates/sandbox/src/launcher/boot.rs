//! Starts a template: its first process, its file tree, its interpreter.
//!
//! Two processes make it. The *keeper* is pid 1 of the pid namespace; it builds
//! the file tree in a mount namespace that belongs to the host's user
//! namespace, gives up its privileges and only waits. The *template* is a
//! direct child of the launcher, too, joins the keeper's namespaces, enters a
//! user namespace of its own, where it has no capability, and executes Python.
//! So even a template that gained all capabilities of its user namespace would
//! own neither its mounts nor its network.

use std::ffi::{CString, OsStr};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, CapabilitySets, ThreadNameSpaceType, UnshareFlags};
use seccompiler::BpfProgram;

use crate::cgroup::Group;
use crate::sys::{fork, mounts};

use super::root::{RootPlan, SCRATCH};

/// The user and group id that processes see inside.
const INNER_ID: u32 = 1000;
/// Python is told to read no site configuration, so that no `.pth` file of a
/// wheel is ever executed, and to write no bytecode.
const PYTHON_FLAGS: [&str; 5] = ["-I", "-S", "-B", "-X", "utf8=1"];
/// Files that a template or a run may have open.
const MOST_FILES: u64 = 1024;
const ENVIRONMENT: [&str; 12] = [
    "HOME=/tmp",
    "LANG=C.UTF-8",
    // Each function that a run is the first to call would be looked up in it.
    "LD_BIND_NOW=1",
    "MPLBACKEND=Agg",
    "MPLCONFIGDIR=/tmp/matplotlib",
    "MKL_NUM_THREADS=1",
    "NUMEXPR_NUM_THREADS=1",
    "OMP_NUM_THREADS=1",
    "OPENBLAS_NUM_THREADS=1",
    // Idle threads of OpenBLAS sleep at once; by default each spins for
    // milliseconds, in every run.
    "OPENBLAS_THREAD_TIMEOUT=4",
    "PATH=/usr/bin:/bin",
    "TMPDIR=/tmp",
];

/// What a template is started from.
pub(super) struct Order<'a> {
    pub(super) root: &'a RootPlan,
    /// The interpreter; none to prove the isolation only.
    pub(super) executable: Option<&'a Path>,
    pub(super) group: &'a Group,
    pub(super) filter: &'a BpfProgram,
    /// User id of the template and its runs, as the launcher sees it.
    pub(super) uid: u32,
    /// That of the keeper: another, so that neither may signal it.
    pub(super) keeper_uid: u32,
    /// Whether the launcher runs without root.
    pub(super) rootless: bool,
    /// The group of the outputs folder; see [`mounts::scratch`].
    pub(super) outputs_group: u32,
    pub(super) scratch_bytes: u64,
    pub(super) scratch_inodes: u64,
    /// The template's end of the control socket, and of the log pipe.
    pub(super) control: OwnedFd,
    pub(super) log: OwnedFd,
}

/// The two processes.
pub(super) struct Booted {
    pub(super) keeper: Pid,
    pub(super) keeper_fd: OwnedFd,
    pub(super) template: Pid,
    pub(super) template_fd: OwnedFd,
}

/// Starts both processes; returns when the interpreter executes.
pub(super) fn boot(order: Order<'_>) -> io::Result<Booted> {
    let (keeper, keeper_fd) = start_keeper(&order)?;
    match start_template(&order, keeper_fd.as_fd()) {
        Ok((template, template_fd)) => Ok(Booted { keeper, keeper_fd, template, template_fd }),
        Err(error) => {
            // Takes the template's process along, whatever its state.
            let _ = rustix::process::pidfd_send_signal(keeper_fd, Signal::KILL);
            Err(error)
        }
    }
}

fn start_keeper(order: &Order<'_>) -> io::Result<(Pid, OwnedFd)> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let namespaces = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    match fork::fork(namespaces).map_err(during("making namespaces"))? {
        fork::Fork::Child => {
            drop(ours);
            keep(order, theirs)
        }
        fork::Fork::Parent(pid, pidfd) => {
            drop(theirs);
            let mut answer = String::new();
            let mut first = [0];
            if ours.read(&mut first)? == 1 && first == *b"K" {
                // Only now may it close its files and wait.
                ours.write_all(b"G")?;
                return Ok((pid, pidfd));
            }
            ours.read_to_string(&mut answer)?;
            Err(io::Error::other(format!("the sandbox's file tree: {answer}")))
        }
    }
}

/// Says what an error interrupted.
fn during(what: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// The keeper's life.
fn keep(order: &Order<'_>, mut launcher: UnixStream) -> ! {
    fork::reset_signals();
    if let Err(error) = prepare_keeper(order) {
        let _ = launcher.write_all(format!("E{error}").as_bytes());
        fork::exit(1);
    }
    let mut go = [0];
    // The end of the stream means that the launcher died before the kernel
    // was told to end this process with it.
    if launcher.write_all(b"K").is_err() || launcher.read(&mut go).ok() != Some(1) {
        fork::exit(1);
    }
    // Nothing is left that could be read from this process's files.
    let _ = fork::close_from(0);
    fork::ignore_children();
    loop {
        // Ends only by a signal: the launcher's kill or its death.
        rustix::event::pause();
    }
}

fn prepare_keeper(order: &Order<'_>) -> io::Result<()> {
    order.group.join()?;
    build(order)
        .map_err(|(step, error)| io::Error::new(error.kind(), format!("{step}: {error}")))?;
    rustix::system::sethostname(b"sandbox")?;
    fork::leave_namespace(UnshareFlags::NEWCGROUP)?;
    drop_privileges(order.keeper_uid)?;
    if order.rootless {
        // What this process executes was loaded in the host's user namespace,
        // over which the launcher has no power. So that it may enter this
        // process's namespaces, it must count as one without secrets. No user
        // of a sandbox is this one.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    }
    Ok(())
}

/// Builds the file tree and makes it this process's root.
fn build(order: &Order<'_>) -> Result<(), (String, io::Error)> {
    let step = |what: &str| {
        let what = what.to_owned();
        move |error: rustix::io::Errno| (what, io::Error::from(error))
    };
    let io_step = |what: String| move |error: io::Error| (what, error);
    rustix::process::umask(Mode::empty());
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(step("making mounts private"))?;

    let root = mounts::tmpfs(32 << 20, 4096, MountAttrFlags::MOUNT_ATTR_NOSUID)
        .map_err(io_step("a memory file system for the root".into()))?;
    // `/proc` exists on every host and isn't needed below.
    mounts::attach(root.as_fd(), CWD, "/proc").map_err(io_step("attaching the root".into()))?;
    for folder in &order.root.folders {
        rustix::fs::mkdirat(&root, folder, Mode::from_raw_mode(0o755))
            .map_err(step(&format!("folder {}", folder.display())))?;
    }
    for (path, target) in &order.root.links {
        rustix::fs::symlinkat(target, &root, path)
            .map_err(step(&format!("link {}", path.display())))?;
    }
    for (path, content) in &order.root.files {
        write(root.as_fd(), path, content).map_err(io_step(format!("file {}", path.display())))?;
    }
    for (name, minor) in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)] {
        device(order, root.as_fd(), name, minor).map_err(io_step(format!("device {name}")))?;
    }
    for bind in &order.root.binds {
        let io_step = || io_step(format!("showing {}", bind.source.display()));
        if bind.is_file {
            write(root.as_fd(), &bind.target, b"").map_err(io_step())?;
        }
        let view = mounts::bind_read_only(&bind.source).map_err(io_step())?;
        mounts::attach(view.as_fd(), root.as_fd(), &bind.target).map_err(io_step())?;
    }
    let (bytes, inodes) = (order.scratch_bytes, order.scratch_inodes);
    let scratch = mounts::scratch(bytes, inodes, order.uid, order.outputs_group)
        .map_err(io_step("scratch space".into()))?;
    mounts::attach(scratch.as_fd(), root.as_fd(), SCRATCH)
        .map_err(io_step("scratch space".into()))?;
    let proc = mounts::proc(None).map_err(io_step("/proc".into()))?;
    mounts::attach(proc.as_fd(), root.as_fd(), "proc").map_err(io_step("/proc".into()))?;
    mounts::seal(root.as_fd()).map_err(io_step("sealing the root".into()))?;

    // The old root ends up on top of the new one and is taken away.
    rustix::process::fchdir(&root).map_err(step("entering the root"))?;
    rustix::process::pivot_root(".", ".").map_err(step("pivot_root"))?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).map_err(step("leaving the host's files"))?;
    rustix::process::chdir("/").map_err(step("entering the root"))
}

/// Makes a device of the memory driver (major number 1). Only root may make
/// one; else the host's is shown.
fn device(order: &Order<'_>, root: BorrowedFd<'_>, name: &str, minor: u32) -> io::Result<()> {
    let (mode, device) = (Mode::from_raw_mode(0o666), rustix::fs::makedev(1, minor));
    let target = format!("dev/{name}");
    if !order.rootless {
        return Ok(rustix::fs::mknodat(root, target, FileType::CharacterDevice, mode, device)?);
    }
    write(root, target.as_ref(), b"")?;
    let view = mounts::bind_device(format!("/dev/{name}").as_ref(), device)?;
    mounts::attach(view.as_fd(), root, target)
}

fn write(root: BorrowedFd<'_>, path: &Path, content: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(root, path, flags, Mode::from_raw_mode(0o755))?;
    std::fs::File::from(file).write_all(content)
}

fn start_template(order: &Order<'_>, keeper: BorrowedFd<'_>) -> io::Result<(Pid, OwnedFd)> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let Some(pid) = fork_beside(keeper).map_err(during("entering a process namespace"))? else {
        drop(ours);
        become_template(order, keeper, theirs);
    };
    // A dead child keeps its number until it is reaped, so this is the one.
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    drop(theirs);
    let mut first = [0];
    if ours.read(&mut first)? == 1 && first == *b"U" {
        map_ids(pid, INNER_ID, order.uid).map_err(during("mapping ids"))?;
        ours.write_all(b"G")?;
    }
    // The stream ends silently when the interpreter executes.
    let mut complaint = String::new();
    ours.read_to_string(&mut complaint)?;
    if first == *b"U" && complaint.is_empty() {
        return Ok((pid, pidfd));
    }
    Err(io::Error::other(format!("starting the interpreter: {complaint}")))
}

/// Makes a child of this process in another's pid namespace; `None` in it.
///
/// Who has asked that its children start elsewhere can't take that back where
/// its own pid namespace isn't its user namespace's, which is so without root.
/// So a helper asks, makes the child as its sibling, and ends.
pub(super) fn fork_beside(process: BorrowedFd<'_>) -> io::Result<Option<Pid>> {
    let (mut ours, mut theirs) = UnixStream::pair()?;
    let helper = match fork::fork(0)? {
        fork::Fork::Parent(helper, _) => helper,
        fork::Fork::Child => {
            let space = ThreadNameSpaceType::PROCESS_ID;
            let forked = rustix::thread::move_into_thread_name_spaces(process, space)
                .map_err(io::Error::from)
                .and_then(|()| fork::fork(libc::CLONE_PARENT));
            let told = match forked {
                Ok(fork::Fork::Child) => return Ok(None),
                Ok(fork::Fork::Parent(pid, _)) => pid.as_raw_nonzero().get(),
                Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
            };
            let _ = theirs.write_all(&told.to_ne_bytes());
            fork::exit(0);
        }
    };
    drop(theirs);
    let mut told = [0; 4];
    let read = ours.read_exact(&mut told);
    rustix::process::waitpid(Some(helper), WaitOptions::empty())?;
    read?;
    let told = i32::from_ne_bytes(told);
    match Pid::from_raw(told).filter(|_| told > 0) {
        Some(pid) => Ok(Some(pid)),
        None => Err(io::Error::from_raw_os_error(-told)),
    }
}

/// Maps one user and one group id of a process's new user namespace.
/// `outer` is seen from the launcher.
fn map_ids(pid: Pid, inner: u32, outer: u32) -> io::Result<()> {
    let pid = pid.as_raw_nonzero();
    std::fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
    std::fs::write(format!("/proc/{pid}/gid_map"), format!("{inner} {outer} 1"))?;
    std::fs::write(format!("/proc/{pid}/uid_map"), format!("{inner} {outer} 1"))
}

fn become_template(order: &Order<'_>, keeper: BorrowedFd<'_>, mut launcher: UnixStream) -> ! {
    let error = match (enter(order, keeper, &mut launcher), order.executable) {
        (Ok(()), Some(executable)) => execute(order, executable),
        (Ok(()), None) => match seccompiler::apply_filter(order.filter) {
            Ok(()) => fork::exit(0),
            Err(error) => io::Error::other(error),
        },
        (Err(error), _) => error,
    };
    let _ = launcher.write_all(format!(" {error}").as_bytes());
    fork::exit(1)
}

fn enter(order: &Order<'_>, keeper: BorrowedFd<'_>, launcher: &mut UnixStream) -> io::Result<()> {
    fork::reset_signals();
    order.group.join()?;
    let namespaces = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::CONTROL_GROUP;
    rustix::thread::move_into_thread_name_spaces(keeper, namespaces)?;
    rustix::process::chdir("/")?;
    rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::thread::set_thread_groups(&[])?;
    // Not in the launcher's: SIGCONT reaches all of a session, whosever it is.
    rustix::process::setsid()?;
    let limit = |resource, most: Option<u64>| {
        rustix::process::setrlimit(resource, Rlimit { current: most, maximum: most })
    };
    // Each run limits itself: what holds here holds for all of them together.
    // Where the host doesn't let this be raised, they share what it gives.
    let _ = limit(Resource::Sigpending, None);
    fork::leave_namespace(UnshareFlags::NEWUSER)?;
    let mut go = [0];
    launcher.write_all(b"U")?;
    launcher.read_exact(&mut go)?;
    drop_privileges(INNER_ID)?;
    limit(Resource::Core, Some(0))?;
    limit(Resource::Memlock, Some(64 << 10))?;
    limit(Resource::Msgqueue, Some(0))?;
    Ok(())
}

/// Becomes `id`, without capabilities, ended by the kernel when the launcher ends.
fn drop_privileges(id: u32) -> io::Result<()> {
    let (uid, gid) = (rustix::fs::Uid::from_raw(id), rustix::fs::Gid::from_raw(id));
    rustix::thread::clear_ambient_capability_set()?;
    for capability in 0..64 {
        // Past the last capability the kernel knows.
        if rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(
            1 << capability,
        ))
        .is_err()
        {
            break;
        }
    }
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)?;
    rustix::thread::set_no_new_privs(true)?;
    // Last, as a change of ids clears it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}

/// Executes the interpreter with its four files; returns only on failure.
fn execute(order: &Order<'_>, executable: &Path) -> io::Error {
    let prepared = || -> io::Result<()> {
        let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        // Above the targets first: one of them may be another's source.
        let null = fork::raise(null.as_raw_fd(), 16)?;
        let control = fork::raise(order.control.as_raw_fd(), 16)?;
        let log = fork::raise(order.log.as_raw_fd(), 16)?;
        for (source, target) in [(null, 0), (log, 1), (log, 2), (control, 3)] {
            fork::place(source, target)?;
        }
        // Only now: the launcher's own files, of which there may be more, were
        // inherited and end here.
        fork::close_from(4)?;
        let most = Some(MOST_FILES);
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
        seccompiler::apply_filter(order.filter).map_err(io::Error::other)
    };
    if let Err(error) = prepared() {
        return error;
    }
    let text = |value: &OsStr| CString::new(value.as_bytes()).map_err(io::Error::other);
    let arguments: io::Result<Vec<CString>> = [executable.as_os_str()]
        .into_iter()
        .chain(PYTHON_FLAGS.iter().map(OsStr::new))
        .chain([OsStr::new("/runner/template.py")])
        .map(text)
        .collect();
    let environment: io::Result<Vec<CString>> =
        ENVIRONMENT.iter().map(|entry| text(OsStr::new(entry))).collect();
    match (text(executable.as_os_str()), arguments, environment) {
        (Ok(program), Ok(arguments), Ok(environment)) => {
            fork::execve(&program, &arguments, &environment)
        }
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => error,
    }
}
