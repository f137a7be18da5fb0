//! Making processes: clone into namespaces, and execve with chosen arguments.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::process::Pid;

/// Which side of the clone this is.
pub(crate) enum Fork {
    /// The calling process, with its new child or, by `CLONE_PARENT`, sibling.
    Parent(Pid, OwnedFd),
    /// The child.
    Child,
}

/// Clones this process like `fork`, into the new namespaces of `flags`.
///
/// The caller must have one thread: the child goes on in a copy of the whole
/// address space, and a lock that another thread held would stay locked.
pub(crate) fn fork(flags: libc::c_int) -> io::Result<Fork> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain old data, all zeroes is its empty value.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = (flags | libc::CLONE_PIDFD) as u64;
    arguments.pidfd = ptr::from_mut(&mut pidfd) as u64;
    // A sibling tells its parent by the signal that this process would.
    let sibling = flags & libc::CLONE_PARENT != 0;
    arguments.exit_signal = if sibling { 0 } else { libc::SIGCHLD as u64 };
    // SAFETY: the arguments live across the call, the stack is the caller's
    // own (copied, as without CLONE_VM), and the launcher has one thread.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            ptr::from_mut(&mut arguments),
            size_of::<libc::clone_args>(),
        )
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            // SAFETY: the kernel has just put a new file into `pidfd` for us alone.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Fork::Parent(pid.expect("clone3 gives the parent a positive pid"), pidfd))
        }
    }
}

/// Replaces this process; returns only on failure.
pub(crate) fn execve(program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let list = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
    };
    let (arguments, environment) = (list(arguments), list(environment));
    // SAFETY: both lists end with a null pointer, and they and the strings
    // they point to outlive the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Moves this process into a new namespace of a kind that shares no memory or files.
pub(crate) fn leave_namespace(namespace: rustix::thread::UnshareFlags) -> io::Result<()> {
    // SAFETY: the callers pass NEWUSER, NEWNS or NEWCGROUP, which leave the
    // file table as it is.
    Ok(unsafe { rustix::thread::unshare_unsafe(namespace) }?)
}

/// Closes every file from `first` on, those of other owners included; only for
/// a process that ends or executes without touching them again.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: closing is no memory operation; the callers hold no `OwnedFd`
    // from `first` on that they use or drop afterwards.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes `target` refer to what `fd` does, surviving execve.
pub(crate) fn place(fd: RawFd, target: RawFd) -> io::Result<()> {
    // SAFETY: both are numbers; `target` is one of 0 to 3, which the calling
    // child owns alone and never drops.
    match unsafe { libc::dup2(fd, target) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Copies `fd` to a number of at least `lowest`, so that [`place`] can't hit it.
pub(crate) fn raise(fd: RawFd, lowest: RawFd) -> io::Result<RawFd> {
    // SAFETY: F_DUPFD_CLOEXEC only makes a new file number.
    match unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) } {
        -1 => Err(io::Error::last_os_error()),
        raised => Ok(raised),
    }
}

/// Ends this process without running anything on the way out.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: _exit takes no pointer and never returns.
    unsafe { libc::_exit(code) }
}

/// Lets the kernel reap this process's children by itself.
pub(crate) fn ignore_children() {
    // SAFETY: SIG_IGN is a valid disposition and no handler runs Rust code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// Raises this process's limit on open files as far as it may.
pub(crate) fn raise_file_limit() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it can't be raised, fewer runs fit, and each that doesn't is told.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}

/// Leaves the end of this process to the end of its control socket: a service
/// manager's SIGTERM or a terminal must not kill runs before the drain.
pub(crate) fn ignore_requests_to_end() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: SIG_IGN is a valid disposition and no handler runs Rust code.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Gives every signal its default action and unblocks all of them.
pub(crate) fn reset_signals() {
    // SAFETY: the set is plain old data that sigemptyset initialises; SIG_DFL
    // is a valid disposition, and signals that can't be changed are refused
    // without effect.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}
