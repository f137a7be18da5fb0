//! Learning of children's ends: signalfd and wait4, which tells what they used.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use rustix::process::Pid;

/// A dead child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dead {
    pub(crate) pid: Pid,
    /// The exit code, or the signal that killed it.
    pub(crate) exit: Exit,
    /// CPU time of it and of the descendants it had reaped.
    pub(crate) cpu: Duration,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Blocks SIGCHLD and gives a file that is readable when one arrives.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is plain old data that sigemptyset initialises, and it
    // outlives the calls; the new file belongs to us alone.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Reaps one dead child, when there is one.
pub(crate) fn next_dead() -> Option<Dead> {
    let mut status: libc::c_int = 0;
    // SAFETY: rusage is plain old data, all zeroes is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both out-pointers are valid for the call.
    let pid = unsafe { libc::wait4(-1, &mut status, libc::WNOHANG, &mut usage) };
    let pid = Pid::from_raw(pid).filter(|_| pid > 0)?;
    let exit = if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Code(libc::WEXITSTATUS(status))
    };
    let time = |t: libc::timeval| {
        Duration::new(t.tv_sec.unsigned_abs(), (t.tv_usec.unsigned_abs() * 1000) as u32)
    };
    Some(Dead { pid, exit, cpu: time(usage.ru_utime) + time(usage.ru_stime) })
}
