//! The worker's end of the socket to the launcher.

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::error::Error;
use crate::sys::message;
use crate::wire::{self, Id, Reply, Request};

/// A reply and the files that came with it.
pub(crate) type News = (Reply, Vec<OwnedFd>);

/// Sends requests and hands each reply to whoever waits for it.
#[derive(Debug)]
pub(crate) struct Link {
    socket: AsyncFd<OwnedFd>,
    waiting: Mutex<Waiting>,
    alive: AtomicBool,
    last_id: AtomicU64,
    runtime: Handle,
}

#[derive(Debug, Default)]
struct Waiting {
    templates: HashMap<Id, mpsc::UnboundedSender<News>>,
    runs: HashMap<Id, mpsc::UnboundedSender<News>>,
}

impl Link {
    /// Takes over the socket; must be called inside a runtime.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            socket: message::watch(socket)?,
            waiting: Mutex::default(),
            alive: AtomicBool::new(true),
            last_id: AtomicU64::new(0),
            runtime: Handle::current(),
        }))
    }

    /// A new name for a template, and what will be said about it.
    pub(crate) fn new_template(&self) -> (Id, mpsc::UnboundedReceiver<News>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let id = self.next_id();
        self.waiting().templates.insert(id, sender);
        (id, receiver)
    }

    /// A new name for a run, and what will be said about it.
    pub(crate) fn new_run(&self) -> (Id, mpsc::UnboundedReceiver<News>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let id = self.next_id();
        self.waiting().runs.insert(id, sender);
        (id, receiver)
    }

    /// Sends a request, waiting while the launcher is busy.
    pub(crate) async fn send(&self, request: &Request, raw: &[u8]) -> Result<(), Error> {
        loop {
            match wire::send(&self.socket, request, raw, &[]) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut ready = self.socket.writable().await.map_err(|e| self.gone(&e))?;
                    ready.clear_ready();
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(Error::host("telling the launcher", &error));
                }
                Err(error) => return Err(self.gone(&error)),
            }
        }
    }

    /// Sends a request from where nobody can wait.
    pub(crate) fn post(self: &Arc<Self>, request: Request) {
        if let Err(error) = wire::send(&self.socket, &request, &[], &[])
            && error.kind() == io::ErrorKind::WouldBlock
        {
            let link = self.clone();
            self.runtime.spawn(async move {
                // A launcher that is gone has released everything.
                let _ = link.send(&request, &[]).await;
            });
        }
    }

    /// Where background work runs.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// No longer wants to hear of a run.
    pub(crate) fn forget_run(&self, run: Id) {
        self.waiting().runs.remove(&run);
    }

    /// No longer wants to hear of a template.
    pub(crate) fn forget_template(&self, template: Id) {
        self.waiting().templates.remove(&template);
    }

    /// Whether the launcher still answers.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Receives one reply.
    pub(crate) async fn receive(&self, packet: &mut [u8]) -> Result<News, Error> {
        loop {
            let mut ready = self.socket.readable().await.map_err(|error| self.gone(&error))?;
            match message::receive(&self.socket, packet) {
                Ok(received) if received.length == 0 => {
                    let error =
                        io::Error::new(io::ErrorKind::UnexpectedEof, "its socket was closed");
                    return Err(self.gone(&error));
                }
                Ok(received) => {
                    let (reply, _) = wire::parse(&packet[..received.length])
                        .map_err(|error| self.gone(&error))?;
                    return Ok((reply, received.files));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.gone(&error)),
            }
        }
    }

    /// Hands replies on until the launcher is gone.
    pub(crate) async fn dispatch(self: Arc<Self>) {
        let mut packet = vec![0; wire::PACKET_BYTES];
        while let Ok((reply, files)) = self.receive(&mut packet).await {
            let mut waiting = self.waiting();
            match &reply {
                Reply::Host(_) | Reply::Unsupported { .. } => {}
                Reply::TemplateBooted { template, .. }
                | Reply::Imported { template, .. }
                | Reply::TemplateEnded { template, .. } => {
                    if let Some(waiter) = waiting.templates.get(template) {
                        // Nobody listening any more is as good.
                        let _ = waiter.send((reply, files));
                    }
                }
                Reply::Prepared { run }
                | Reply::PrepareFailed { run, .. }
                | Reply::Assigned { run }
                | Reply::AssignFailed { run, .. }
                | Reply::Ended { run, .. } => {
                    let run = *run;
                    let last = matches!(reply, Reply::PrepareFailed { .. } | Reply::Ended { .. });
                    if let Some(waiter) = waiting.runs.get(&run) {
                        let _ = waiter.send((reply, files));
                    }
                    if last {
                        waiting.runs.remove(&run);
                    }
                }
            }
        }
        self.alive.store(false, Ordering::Release);
        // Whoever still waits sees the end of its channel.
        *self.waiting() = Waiting::default();
    }

    /// Closes the sending side: the launcher ends everything and then itself.
    pub(crate) fn close(&self) {
        let socket: BorrowedFd<'_> = std::os::fd::AsFd::as_fd(self.socket.get_ref());
        let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Write);
    }

    fn gone(&self, error: &io::Error) -> Error {
        self.alive.store(false, Ordering::Release);
        Error::LauncherGone(error.to_string())
    }

    fn next_id(&self) -> Id {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
