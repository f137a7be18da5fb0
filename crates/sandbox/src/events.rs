//! What a run says while it works: log chunks and progress, never lost silently.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The live stream of one run. Reading it is optional: it is bounded by the
/// run's log limit and never slows the run down.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

/// Something a run said.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Bytes written to stdout or stderr, in order within a stream, as the
    /// program wrote them (UTF-8 is not guaranteed, and a chunk may end inside
    /// a character).
    Log {
        /// Where they were written.
        stream: Stream,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The log limit was reached; sent once, when the run has ended.
    Cut {
        /// How many bytes of both streams were dropped after the limit.
        bytes: u64,
    },
    /// The newest progress report; older unread ones are replaced by it.
    Progress {
        /// Steps done.
        step: f64,
        /// Steps in all, when known.
        total: Option<f64>,
        /// A short text for people, at most 500 characters.
        message: Option<String>,
    },
}

/// One of the two text streams of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Events {
    /// The next event, or `None` when the run has ended and all was read.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let woken = self.shared.changed.notified();
            {
                let mut state = self.shared.lock();
                if let Some(event) = state.take() {
                    return Some(event);
                }
                if state.closed {
                    return None;
                }
            }
            woken.await;
        }
    }
}

/// The writing side, held by the run's driver; dropping it ends the stream.
#[derive(Debug)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    logs: VecDeque<(Stream, Vec<u8>)>,
    progress: Option<Event>,
    room: u64,
    cut: u64,
    closed: bool,
}

/// A stream that accepts at most `log_bytes` of log text over its whole life.
pub(crate) fn channel(log_bytes: u64) -> (Sink, Events) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            logs: VecDeque::new(),
            progress: None,
            room: log_bytes,
            cut: 0,
            closed: false,
        }),
        changed: Notify::new(),
    });
    (Sink { shared: shared.clone() }, Events { shared })
}

impl Sink {
    pub(crate) fn log(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.shared.lock();
        let kept = usize::try_from(state.room).unwrap_or(usize::MAX).min(bytes.len());
        state.room -= kept as u64;
        state.cut += (bytes.len() - kept) as u64;
        if kept > 0 {
            // Unread chunks of one stream are joined, so that a run that
            // writes single bytes costs no more memory than its bytes.
            match state.logs.back_mut() {
                Some((last, chunk)) if *last == stream => chunk.extend_from_slice(&bytes[..kept]),
                _ => state.logs.push_back((stream, bytes[..kept].to_vec())),
            }
        }
        drop(state);
        self.shared.changed.notify_one();
    }

    pub(crate) fn progress(&self, step: f64, total: Option<f64>, message: Option<String>) {
        self.shared.lock().progress = Some(Event::Progress { step, total, message });
        self.shared.changed.notify_one();
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Event> {
        if let Some((stream, bytes)) = self.logs.pop_front() {
            return Some(Event::Log { stream, bytes });
        }
        if let Some(progress) = self.progress.take() {
            return Some(progress);
        }
        if self.closed && self.cut > 0 {
            return Some(Event::Cut { bytes: std::mem::take(&mut self.cut) });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(events: &mut Events) -> Vec<Event> {
        let mut seen = Vec::new();
        while let Some(event) = events.shared.lock().take() {
            seen.push(event);
        }
        seen
    }

    #[test]
    fn what_exceeds_the_log_limit_is_counted_not_lost_silently() {
        let (sink, mut events) = channel(5);
        sink.log(Stream::Out, b"abc");
        sink.log(Stream::Out, b"defg");
        sink.log(Stream::Err, b"hi");
        drop(sink);
        assert_eq!(
            drain(&mut events),
            [Event::Log { stream: Stream::Out, bytes: b"abcde".to_vec() }, Event::Cut { bytes: 4 }]
        );
    }

    #[test]
    fn only_the_newest_progress_is_kept() {
        let (sink, mut events) = channel(0);
        sink.progress(1.0, None, None);
        sink.progress(2.0, Some(3.0), Some("two".into()));
        let seen = drain(&mut events);
        assert_eq!(seen.len(), 1);
        assert_eq!(
            seen.first().unwrap(),
            &Event::Progress { step: 2.0, total: Some(3.0), message: Some("two".into()) }
        );
    }
}
