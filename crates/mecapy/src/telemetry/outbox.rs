//! Sends what is told to others, on a thread of its own: nobody waits for it,
//! and what can't be sent in time is dropped.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ureq::Agent;

/// What waits at most; more is dropped.
const WAITING: usize = 4096;
/// How long the first of a batch waits for others.
const GATHERING: Duration = Duration::from_secs(1);
/// How long a receiver may take, and how long a stop waits for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// A request that is to be sent.
pub(super) struct Letter {
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

/// Where letters go.
pub(super) struct Address {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
}

/// A way to the thread; what can't be taken now is dropped.
#[derive(Debug)]
pub(super) struct Outbox<T>(SyncSender<Option<T>>);

/// The thread that sends, which ends with what it has when this is dropped.
#[derive(Debug)]
pub struct Sending {
    stop: Option<Box<dyn Stop>>,
    thread: Option<JoinHandle<()>>,
}

/// What ends a thread.
trait Stop: Send + Sync + std::fmt::Debug {
    fn stop(&self);
}

impl<T: Send + std::fmt::Debug> Stop for SyncSender<Option<T>> {
    fn stop(&self) {
        // Full is as good: the thread then sees the end of patience.
        let _ = self.try_send(None);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.stop();
        }
        if let Some(thread) = self.thread.take() {
            let since = Instant::now();
            while !thread.is_finished() && since.elapsed() < PATIENCE {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
    }
}

impl<T> Outbox<T> {
    pub(super) fn put(&self, item: T) {
        let _ = self.0.try_send(Some(item));
    }
}

/// Begins to send: `write` makes one letter of `most` items at most.
pub(super) fn open<T: Send + std::fmt::Debug + 'static>(
    name: &str,
    address: Address,
    most: usize,
    write: impl Fn(Vec<T>) -> Letter + Send + 'static,
) -> std::io::Result<(Outbox<T>, Sending)> {
    let (sender, receiver) = sync_channel(WAITING);
    let agent = Agent::config_builder()
        .http_status_as_error(true)
        .timeout_global(Some(PATIENCE))
        .user_agent(concat!("mecapy/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let mut failing = false;
        while let Some(batch) = gather(&receiver, most) {
            let last = batch.last;
            if !batch.items.is_empty() {
                let sent = send(&agent, &address, &write(batch.items));
                // Once, not for each batch: the receiver may be away for days.
                if let Err(error) = &sent
                    && !failing
                {
                    tracing::warn!("what is told to {} does not arrive: {error}", address.host());
                }
                failing = sent.is_err();
            }
            if last {
                return;
            }
        }
    })?;
    let stop: Box<dyn Stop> = Box::new(sender.clone());
    Ok((Outbox(sender), Sending { stop: Some(stop), thread: Some(thread) }))
}

struct Batch<T> {
    items: Vec<T>,
    last: bool,
}

/// The items of the next second; `None` where nobody sends any more.
fn gather<T>(receiver: &Receiver<Option<T>>, most: usize) -> Option<Batch<T>> {
    let Some(first) = receiver.recv().ok()? else {
        return Some(Batch { items: Vec::new(), last: true });
    };
    let until = Instant::now() + GATHERING;
    let mut items = vec![first];
    while items.len() < most {
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return Some(Batch { items, last: true }),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    Some(Batch { items, last: false })
}

fn send(agent: &Agent, address: &Address, letter: &Letter) -> Result<(), ureq::Error> {
    let mut request = agent.post(&address.url).header("content-type", letter.content_type);
    for (name, value) in &address.headers {
        request = request.header(name, value);
    }
    request.send(&letter.body[..]).map(drop)
}

impl Address {
    /// Without its path and whatever may be secret in it.
    fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().rsplit('@').next().unwrap_or_default()
    }
}
