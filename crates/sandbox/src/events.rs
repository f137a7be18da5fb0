//! What a run says while it works: log chunks and progress, never lost silently.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Events are told this often at most, all that came in between together: a
/// run that writes or reports without a pause costs no more than its words.
const PACE: Duration = Duration::from_millis(25);
/// The longest message of a progress report.
const MESSAGE_CHARACTERS: usize = 500;

/// The live stream of one run. Reading it is optional: it is bounded by the
/// run's log limit and never slows the run down.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    /// What came together and was not told yet.
    round: VecDeque<Event>,
    /// When the next round may begin.
    next_at: Option<Instant>,
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
    /// The log limit is reached, and something was dropped since the last time
    /// that this was told.
    Cut {
        /// How many bytes of both streams were dropped since.
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
            if let Some(event) = self.round.pop_front() {
                return Some(event);
            }
            let shared = Arc::clone(&self.shared);
            let woken = shared.changed.notified();
            let is_closed = shared.lock().closed;
            let early = self.next_at.filter(|at| !is_closed && *at > Instant::now());
            if let Some(next_at) = early {
                // An end ends the wait; whatever else came waits for its round.
                let _ = timeout_at(next_at, woken).await;
                continue;
            }
            self.round = shared.lock().take_all();
            if !self.round.is_empty() {
                self.next_at = Some(Instant::now() + PACE);
            } else if is_closed {
                return None;
            } else {
                woken.await;
            }
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
    (Sink { shared: shared.clone() }, Events { shared, round: VecDeque::new(), next_at: None })
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
        // The wrapper cuts it too, but who calculates may go past the wrapper.
        let message = message.map(|text| match text.char_indices().nth(MESSAGE_CHARACTERS) {
            Some((end, _)) => text[..end].to_owned(),
            None => text,
        });
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
    /// Everything that was not told yet.
    fn take_all(&mut self) -> VecDeque<Event> {
        let logs = self.logs.drain(..).map(|(stream, bytes)| Event::Log { stream, bytes });
        let mut all: VecDeque<_> =
            logs.chain(self.tests.drain(..).map(Event::Test)).chain(self.progress.take()).collect();
        if self.cut > 0 {
            all.push_back(Event::Cut { bytes: std::mem::take(&mut self.cut) });
        }
        if self.closed && self.tests_cut > 0 {
            all.push_back(Event::TestsCut { tests: std::mem::take(&mut self.tests_cut) });
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(events: &mut Events) -> Vec<Event> {
        events.shared.lock().take_all().into()
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
        sink.progress(3.0, None, Some("é".repeat(100_000)));
        let Some(Event::Progress { message: Some(cut), .. }) = drain(&mut events).pop() else {
            panic!("no progress");
        };
        assert_eq!(cut, "é".repeat(500), "whatever the wrapper let through");
    }

    #[tokio::test]
    async fn a_flood_is_told_in_rounds_and_its_last_word_is_not_lost() {
        const LAST: f64 = 999_999.0;
        let (sink, mut events) = channel(1 << 20, 0);
        let began = Instant::now();
        let flood = async {
            for step in 0..1_000_000_u32 {
                sink.progress(step.into(), None, None);
                if step % 100 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        };
        // The run goes on without another word.
        let listen = async {
            let mut told = 1;
            while events.next().await
                != Some(Event::Progress { step: LAST, total: None, message: None })
            {
                told += 1;
            }
            told
        };
        let ((), told) = tokio::join!(flood, listen);
        let rounds = began.elapsed().as_millis() / PACE.as_millis() + 2;
        assert!(told <= rounds, "{told} in {rounds} rounds");
    }

    #[tokio::test]
    async fn the_first_word_and_the_last_do_not_wait() {
        let (sink, mut events) = channel(1 << 20, 0);
        let next_is_there = async |events: &mut Events| {
            tokio::select! { biased; event = events.next() => Some(event), () = async {} => None }
        };
        sink.log(Stream::Out, b"first");
        assert!(matches!(next_is_there(&mut events).await, Some(Some(Event::Log { .. }))));
        sink.log(Stream::Out, b"second");
        assert_eq!(next_is_there(&mut events).await, None);
        drop(sink);
        assert!(matches!(next_is_there(&mut events).await, Some(Some(Event::Log { .. }))));
        assert_eq!(next_is_there(&mut events).await, Some(None));
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
