//! What a run says while it works: log chunks and progress, never lost silently.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
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
    /// A test of the archive's began or ended; only of [`crate::Job::Pytest`].
    Test(UnitTest),
    /// So many tests are not told of, as there were too many words; sent once,
    /// when the run has ended.
    TestsCut {
        /// How many were dropped.
        tests: u64,
    },
}

/// A test of the archive's `tests/`, by the words of [`crate::Job::Pytest`].
/// User code runs in the same process and may say the same.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct UnitTest {
    /// pytest's name for it.
    pub name: String,
    /// How it stands.
    pub outcome: TestOutcome,
    /// With its fixtures, in seconds.
    #[serde(rename = "duration")]
    pub duration_s: f64,
    /// The file of the archive in which it failed.
    pub file: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u32>,
    /// What failed, in a line.
    #[serde(default)]
    pub message: String,
    /// The traceback and what was printed.
    #[serde(default)]
    pub text: String,
}

/// How a test stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestOutcome {
    /// It begins; nothing else is known of it.
    Started,
    /// It is as expected.
    Passed,
    /// It failed.
    Failed,
    /// It could not be run, or a fixture failed.
    Error,
    /// It is not for here.
    Skipped,
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
    tests: VecDeque<UnitTest>,
    tests_room: usize,
    tests_cut: u64,
    closed: bool,
}

/// A stream that accepts at most `log_bytes` of log text and `test_bytes` of
/// words about tests over its whole life.
pub(crate) fn channel(log_bytes: u64, test_bytes: usize) -> (Sink, Events) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            logs: VecDeque::new(),
            progress: None,
            room: log_bytes,
            cut: 0,
            tests: VecDeque::new(),
            tests_room: test_bytes,
            tests_cut: 0,
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

    pub(crate) fn test(&self, test: UnitTest) {
        let mut state = self.shared.lock();
        match state.tests_room.checked_sub(test.cost()) {
            Some(left) => {
                state.tests_room = left;
                state.tests.push_back(test);
            }
            // That one began says nothing once it has ended.
            None => state.tests_cut += u64::from(test.outcome != TestOutcome::Started),
        }
        drop(state);
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

impl UnitTest {
    fn cost(&self) -> usize {
        let file = self.file.as_ref().map_or(0, String::len);
        size_of::<Self>() + self.name.len() + self.message.len() + self.text.len() + file
    }
}

impl State {
    fn take(&mut self) -> Option<Event> {
        if let Some((stream, bytes)) = self.logs.pop_front() {
            return Some(Event::Log { stream, bytes });
        }
        if let Some(test) = self.tests.pop_front() {
            return Some(Event::Test(test));
        }
        if let Some(progress) = self.progress.take() {
            return Some(progress);
        }
        if self.closed && self.cut > 0 {
            return Some(Event::Cut { bytes: std::mem::take(&mut self.cut) });
        }
        if self.closed && self.tests_cut > 0 {
            return Some(Event::TestsCut { tests: std::mem::take(&mut self.tests_cut) });
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
        let (sink, mut events) = channel(5, 0);
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
        let (sink, mut events) = channel(0, 0);
        sink.progress(1.0, None, None);
        sink.progress(2.0, Some(3.0), Some("two".into()));
        let seen = drain(&mut events);
        assert_eq!(seen.len(), 1);
        assert_eq!(
            seen.first().unwrap(),
            &Event::Progress { step: 2.0, total: Some(3.0), message: Some("two".into()) }
        );
    }

    #[test]
    fn tests_beyond_their_room_are_counted() {
        let test = UnitTest {
            name: "tests/test_a.py::test_b".into(),
            outcome: TestOutcome::Passed,
            duration_s: 0.1,
            file: None,
            line: None,
            message: String::new(),
            text: String::new(),
        };
        let (sink, mut events) = channel(0, 2 * test.cost());
        for _ in 0..5 {
            sink.test(test.clone());
        }
        drop(sink);
        let told = Event::Test(test);
        assert_eq!(drain(&mut events), [told.clone(), told, Event::TestsCut { tests: 3 }]);
    }
}
