//! Gives the files that a run left to the worker.
//!
//! Without root, the worker is none of the users that own them, and a file's
//! mode is its owner's to choose. In its user namespace the launcher may change
//! both, once nobody is left who could change anything.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};

use crate::outputs::{is_empty, open_beneath, open_folder, real_entry};
use crate::sys::fork;
use crate::wire::Id;

use super::super::{Launcher, Role};

/// The worker's user and group inside the launcher's user namespace.
const WORKER: u32 = 0;
/// Deeper folders stay the run's. The worker takes none that are half as deep.
const DEEPEST: usize = 64;

impl Launcher {
    /// The group that sees which outputs there are.
    pub(in super::super) fn outputs_group(&self, uid: u32) -> u32 {
        if self.rootless.is_some() { WORKER } else { uid }
    }

    /// Starts to give a dead run's outputs to the worker; false where there is
    /// nothing to give. Another process does it, as a run may leave many files.
    pub(in super::super) fn adopt_outputs(&mut self, id: Id, scratch: BorrowedFd<'_>) -> bool {
        if is_empty(scratch) {
            return false;
        }
        match fork::fork(0) {
            Ok(fork::Fork::Parent(pid, _)) => {
                self.roles.insert(pid, Role::Adopter(id));
                true
            }
            Ok(fork::Fork::Child) => {
                // What can't be given, the worker can't read, and says so.
                let _ = adopt(scratch);
                fork::exit(0)
            }
            Err(_) => false,
        }
    }
}

fn adopt(scratch: BorrowedFd<'_>) -> io::Result<()> {
    give_folder(open_folder(scratch, "outputs")?, 0)
}

fn give_folder(folder: OwnedFd, depth: usize) -> io::Result<()> {
    give(folder.as_fd(), Mode::RWXU)?;
    if depth == DEEPEST {
        return Ok(());
    }
    for entry in Dir::read_from(&folder)? {
        let Some(name) = real_entry(entry) else { continue };
        let Ok(name) = name.to_str() else { continue };
        let status = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => give_folder(open_folder(folder.as_fd(), name)?, depth + 1)?,
            FileType::RegularFile => {
                give(open_beneath(folder.as_fd(), name, OFlags::RDONLY)?.as_fd(), Mode::RUSR)?;
            }
            // The worker refuses these by what they are.
            _ => {}
        }
    }
    Ok(())
}

fn give(file: BorrowedFd<'_>, mode: Mode) -> io::Result<()> {
    rustix::fs::fchown(file, Some(Uid::from_raw(WORKER)), Some(Gid::from_raw(WORKER)))?;
    Ok(rustix::fs::fchmod(file, mode)?)
}
