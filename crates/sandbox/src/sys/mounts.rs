//! Mounts made detached from any path, and moved where they belong.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dev, FileType, Mode, Uid};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// A read-only view of a host path, submounts not included.
pub(crate) fn bind_read_only(source: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, source, flags)?;
    let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    set_attributes(tree.as_fd(), attributes)?;
    Ok(tree)
}

/// The host's device node at `source`, when it is that device.
pub(crate) fn bind_device(source: &Path, device: Dev) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let node = open_tree(CWD, source, flags)?;
    let status = rustix::fs::fstat(&node)?;
    let is_character = FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice;
    if !is_character || status.st_rdev != device {
        return Err(io::Error::other(format!("the host's {} is another file", source.display())));
    }
    // Read-only protects the node itself; the device can be written to.
    let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
    set_attributes(node.as_fd(), attributes)?;
    Ok(node)
}

/// A new memory file system.
pub(crate) fn tmpfs(bytes: u64, inodes: u64, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "size", bytes.to_string())?;
    fsconfig_set_string(context.as_fd(), "nr_inodes", inodes.to_string())?;
    fsconfig_set_string(context.as_fd(), "mode", "0755")?;
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// The scratch space of one sandbox: `tmp`, `outputs` and `shm`, owned by
/// `uid`. The members of `outputs_group` see what is in `outputs`: a worker
/// without root is none of the users that own a sandbox's files.
pub(crate) fn scratch(
    bytes: u64,
    inodes: u64,
    uid: u32,
    outputs_group: u32,
) -> io::Result<OwnedFd> {
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = tmpfs(bytes, inodes, attributes)?;
    for (name, mode, group) in
        [("tmp", 0o700, uid), ("outputs", 0o750, outputs_group), ("shm", 0o700, uid)]
    {
        rustix::fs::mkdirat(mount.as_fd(), name, Mode::empty())?;
        // Apart, as the worker's umask is the operator's.
        let mode = Mode::from_raw_mode(mode);
        rustix::fs::chmodat(mount.as_fd(), name, mode, rustix::fs::AtFlags::empty())?;
        let owner = Some(Uid::from_raw(uid));
        let group = Some(rustix::fs::Gid::from_raw(group));
        rustix::fs::chownat(mount.as_fd(), name, owner, group, rustix::fs::AtFlags::empty())?;
    }
    Ok(mount)
}

/// A `/proc` that shows only processes, of the caller's own pid namespace or
/// of `pid_namespace` (a path below `/proc`, since Linux 6.18).
pub(crate) fn proc(pid_namespace: Option<&str>) -> io::Result<OwnedFd> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    if let Some(namespace) = pid_namespace {
        fsconfig_set_string(context.as_fd(), "pidns", namespace)?;
    }
    fsconfig_set_string(context.as_fd(), "subset", "pid")?;
    fsconfig_set_string(context.as_fd(), "hidepid", "invisible")?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Whether `/proc` can be made for another pid namespace from outside.
pub(crate) fn proc_takes_a_namespace() -> bool {
    fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)
        .is_ok_and(|context| fsconfig_set_string(context, "pidns", "/proc/self/ns/pid").is_ok())
}

/// Puts a detached mount at `target`, seen from `at`.
pub(crate) fn attach(
    mount: BorrowedFd<'_>,
    at: BorrowedFd<'_>,
    target: impl rustix::path::Arg,
) -> io::Result<()> {
    Ok(move_mount(mount, c"", at, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Makes a mount read-only.
pub(crate) fn seal(mount: BorrowedFd<'_>) -> io::Result<()> {
    set_attributes(mount, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID)
}

fn set_attributes(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    let wanted =
        libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    const HERE: &CStr = c"";
    // SAFETY: the path and the attributes outlive the call, and the size is
    // that of the structure.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            HERE.as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const wanted,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
