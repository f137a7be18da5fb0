//! Attaches mounts to a run from outside, through its mount namespace.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::CWD;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType};

use crate::sys::{fork, message, mounts};

use super::root::{CODE, INPUTS, SCRATCH};
use super::{Launcher, boot};

impl Launcher {
    /// Gives a waiting run its scratch space and `/proc`; the scratch space's
    /// file reads it after the run's death.
    pub(super) fn attach_own(
        &self,
        pid: Pid,
        process: BorrowedFd<'_>,
        uid: u32,
    ) -> io::Result<OwnedFd> {
        let (bytes, inodes) = (self.begin.tmp_bytes, self.begin.tmp_inodes);
        let scratch = mounts::scratch(bytes, inodes, uid, self.outputs_group(uid))?;
        let proc = if self.proc_from_outside {
            mounts::proc(Some(&format!("/proc/{}/ns/pid", pid.as_raw_nonzero())))?
        } else {
            self.proc_from_inside(process)?
        };
        self.inside(process, || {
            mounts::attach(scratch.as_fd(), CWD, format!("/{SCRATCH}"))?;
            mounts::attach(proc.as_fd(), CWD, "/proc")
        })?;
        Ok(scratch)
    }

    /// Gives an assigned run its code and input files.
    pub(super) fn attach_work(
        &self,
        process: BorrowedFd<'_>,
        code: &Path,
        inputs: Option<&Path>,
    ) -> io::Result<()> {
        let view = |path: &Path| {
            mounts::bind_read_only(path).map_err(|error| {
                io::Error::new(error.kind(), format!("showing {}: {error}", path.display()))
            })
        };
        let mode = std::fs::metadata(code)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", code.display())))?
            .permissions()
            .mode();
        if mode & 0o005 != 0o005 {
            return Err(io::Error::other(format!(
                "{} has mode {mode:o}, expected it to be readable by everybody, as sandboxes \
                 have users of their own; make it 0755 and its files 0644",
                code.display()
            )));
        }
        let code = view(code)?;
        let inputs = inputs.map(view).transpose()?;
        self.inside(process, || {
            mounts::attach(code.as_fd(), CWD, format!("/{CODE}"))?;
            match &inputs {
                Some(inputs) => mounts::attach(inputs.as_fd(), CWD, format!("/{INPUTS}")),
                None => Ok(()),
            }
        })
    }

    /// Does something in a run's mount namespace and comes back.
    fn inside(
        &self,
        process: BorrowedFd<'_>,
        work: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        rustix::thread::move_into_thread_name_spaces(process, ThreadNameSpaceType::MOUNT)?;
        let done = work();
        let mount = Some(LinkNameSpaceType::Mount);
        if rustix::thread::move_into_link_name_space(self.own_mounts.as_fd(), mount).is_err() {
            // All paths would now be a sandbox's: better to end everything.
            fork::exit(2);
        }
        done
    }

    /// Before Linux 6.18 only a member of a pid namespace can make its `/proc`.
    fn proc_from_inside(&self, process: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        if self.fork_into(process)?.is_none() {
            if let Ok(mount) = mounts::proc(None) {
                let _ = message::send(&theirs, &[io::IoSlice::new(b"P")], &[mount.as_fd()]);
            }
            fork::exit(0);
        }
        // The helper is reaped with all other children.
        drop(theirs);
        super::wait_for(ours.as_fd(), rustix::event::PollFlags::IN);
        let received = message::receive(&ours, &mut [0; 8])?;
        received.files.into_iter().next().ok_or_else(|| io::Error::other("/proc could not be made"))
    }
    /// Makes a child in a process's pid namespace; `None` in it.
    fn fork_into(&self, process: BorrowedFd<'_>) -> io::Result<Option<Pid>> {
        let Some(own_pids) = &self.own_pids else { return boot::fork_beside(process) };
        rustix::thread::move_into_thread_name_spaces(process, ThreadNameSpaceType::PROCESS_ID)?;
        let forked = fork::fork(0);
        if let Ok(fork::Fork::Child) = forked {
            return Ok(None);
        }
        let own = Some(LinkNameSpaceType::ProcessID);
        rustix::thread::move_into_link_name_space(own_pids.as_fd(), own)?;
        match forked? {
            fork::Fork::Parent(pid, _) => Ok(Some(pid)),
            fork::Fork::Child => Ok(None),
        }
    }
}
