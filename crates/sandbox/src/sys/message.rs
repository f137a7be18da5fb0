//! Messages with files over UNIX sockets.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, UCred,
};

/// Most files one message carries.
pub(crate) const MAX_FILES: usize = 16;

/// What came in one message.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) length: usize,
    pub(crate) files: Vec<OwnedFd>,
    /// Who wrote it, by the kernel's word; only on sockets that ask for it.
    pub(crate) sender: Option<UCred>,
}

/// Sends one message, without waiting.
pub(crate) fn send(
    socket: impl AsFd,
    parts: &[IoSlice<'_>],
    files: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many files for one message"));
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(rustix::net::sendmsg(socket, parts, &mut ancillary, flags)?)
}

/// Receives one message, without waiting. Length 0 is the end of the stream.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space =
        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES), ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let message =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, flags)?;
    let (mut files, mut sender) = (Vec::new(), None);
    for part in ancillary.drain() {
        match part {
            RecvAncillaryMessage::ScmRights(received) => files.extend(received),
            RecvAncillaryMessage::ScmCredentials(credentials) => sender = Some(credentials),
            _ => {}
        }
    }
    Ok(Received { length: message.bytes, files, sender })
}

/// Watches a socket in the current runtime.
pub(crate) fn watch(socket: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: the file is owned by the value that watches it, so it is open
    // for as long as it is watched.
    Ok(unsafe { tokio::io::unix::AsyncFd::register(socket) }?)
}
