//! What is known of running tasks before it is durable: log and progress.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::task::Progress;
use domain::{CompanyId, TaskId};
use store::tasks::Lease;

/// The running tasks of this process.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<TaskId, Arc<Mutex<Live>>>>);

/// What one running task told so far.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// Which attempt tells it.
    pub(crate) lease: Lease,
    /// Standard output and error, in the order they came.
    pub(crate) log: Vec<u8>,
    /// Bytes of the log that were beyond the limit.
    pub(crate) log_cut_bytes: u64,
    /// The beginning of a character whose end has not come yet.
    begun: Vec<u8>,
    /// The last progress.
    pub(crate) progress: Option<Progress>,
    showing: Showing,
}

/// How far other processes see what a run told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Showing {
    /// All of it, or there is nothing yet.
    #[default]
    Done,
    /// It is being shown.
    Busy,
    /// It is being shown, and there is more.
    More,
}

impl Live {
    fn of(lease: Lease) -> Self {
        Self {
            lease,
            log: Vec::new(),
            log_cut_bytes: 0,
            begun: Vec::new(),
            progress: None,
            showing: Showing::Done,
        }
    }

    /// Appends to the log, up to `limit` bytes in all; what there is to tell
    /// of it as text. Bytes that are no UTF-8 are told as U+FFFD.
    pub(crate) fn append(&mut self, chunk: &[u8], limit: u64) -> String {
        let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(self.log.len());
        let kept = chunk.len().min(room);
        self.log.extend_from_slice(&chunk[..kept]);
        self.log_cut_bytes += (chunk.len() - kept) as u64;
        let mut bytes = std::mem::take(&mut self.begun);
        bytes.extend_from_slice(&chunk[..kept]);
        let mut told = String::with_capacity(bytes.len());
        let mut pieces = bytes.utf8_chunks().peekable();
        while let Some(piece) = pieces.next() {
            told.push_str(piece.valid());
            let invalid = piece.invalid();
            // Only at the end of all bytes can more make a character of them.
            let last = pieces.peek().is_none();
            match std::str::from_utf8(invalid) {
                Err(error) if last && error.error_len().is_none() => {
                    self.begun = invalid.to_vec();
                }
                Err(_) => told.push(char::REPLACEMENT_CHARACTER),
                Ok(_) => {}
            }
        }
        told
    }

    /// The log with last lines that say how much of it was cut, where it was.
    pub(crate) fn text(&self, limit: u64) -> Vec<u8> {
        let mut text = self.log.clone();
        if let Some(notice) = self.notice(limit) {
            text.extend_from_slice(notice.as_bytes());
        }
        text
    }

    /// What the log says of the part that was cut, in both languages, as
    /// nobody knows who will read it.
    pub(crate) fn notice(&self, limit: u64) -> Option<String> {
        let cut = self.log_cut_bytes;
        (cut > 0).then(|| {
            format!(
                "\n[mecapy: a log holds {limit} bytes at most; {cut} more were cut]\n\
                 [mecapy : un journal contient au plus {limit} octets ; {cut} de plus ont été coupés]\n"
            )
        })
    }
}

impl Running {
    /// The attempt begins to tell; what an earlier one told is forgotten.
    pub(crate) fn enter(&self, lease: Lease) {
        self.lock().insert(lease.task, Arc::new(Mutex::new(Live::of(lease))));
    }

    /// Changes what the attempt told; `false` where it is not the one that
    /// runs: it was lost, and another may be on its way.
    pub(crate) fn update(&self, lease: &Lease, change: impl FnOnce(&mut Live)) -> bool {
        let Some(live) = self.lock().get(&lease.task).cloned() else { return false };
        let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
        let current = live.lease == *lease;
        if current {
            change(&mut live);
        }
        current
    }

    /// There is something new to show of the attempt; `true` where nobody is
    /// showing it, and the caller is to begin.
    pub(crate) fn begins_to_show(&self, lease: &Lease) -> bool {
        let mut begins = false;
        self.update(lease, |live| {
            begins = live.showing == Showing::Done;
            live.showing = Showing::More;
        });
        begins
    }

    /// What is to be shown now of the attempt; `None` where there is nothing
    /// more, or it has ended.
    pub(crate) fn to_show(&self, lease: &Lease) -> Option<Live> {
        let mut shown = None;
        self.update(lease, |live| {
            if live.showing == Showing::More {
                live.showing = Showing::Busy;
                shown = Some(live.clone());
            } else {
                live.showing = Showing::Done;
            }
        });
        shown
    }

    /// The task's live part, for its own company.
    pub(crate) fn get(&self, company: CompanyId, task: TaskId) -> Option<Live> {
        let live = self.lock().get(&task).cloned()?;
        let live = live.lock().unwrap_or_else(PoisonError::into_inner);
        (live.lease.company == company).then(|| live.clone())
    }

    /// Whether the task runs here, for its own company.
    pub(crate) fn is_running(&self, company: CompanyId, task: TaskId) -> bool {
        let Some(live) = self.lock().get(&task).cloned() else { return false };
        let live = live.lock().unwrap_or_else(PoisonError::into_inner);
        live.lease.company == company
    }

    /// Forgets an attempt that ended; a later one of its task stays.
    pub(crate) fn leave(&self, lease: &Lease) {
        let mut tasks = self.lock();
        let current = tasks.get(&lease.task).is_some_and(|live| {
            live.lock().unwrap_or_else(PoisonError::into_inner).lease == *lease
        });
        if current {
            tasks.remove(&lease.task);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TaskId, Arc<Mutex<Live>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use domain::LeaseToken;

    use super::*;

    fn lease(attempt: u32) -> Lease {
        let (company, task) = (CompanyId::new(), TaskId::new());
        Lease { company, task, attempt, token: LeaseToken::random() }
    }

    #[test]
    fn a_lost_attempt_tells_nothing_and_takes_nothing_away() {
        let running = Running::default();
        let lost = lease(1);
        let second = Lease { attempt: 2, token: LeaseToken::random(), ..lost };
        running.enter(lost);
        running.enter(second);
        assert!(!running.update(&lost, |live| drop(live.append(b"late", 8))));
        assert!(running.update(&second, |live| drop(live.append(b"now", 8))));
        running.leave(&lost);
        assert_eq!(running.get(second.company, second.task).unwrap().log, b"now");
        assert!(running.get(CompanyId::new(), second.task).is_none());
        running.leave(&second);
        assert!(!running.is_running(second.company, second.task));
    }

    #[test]
    fn a_log_past_its_limit_says_how_much_was_cut() {
        let mut live = Live::of(lease(1));
        live.append(b"hello ", 8);
        live.append(b"world", 8);
        let notice = "[mecapy: a log holds 8 bytes at most; 3 more were cut]\n\
                      [mecapy : un journal contient au plus 8 octets ; 3 de plus ont été coupés]\n";
        assert_eq!(String::from_utf8(live.text(8)).unwrap(), format!("hello wo\n{notice}"));
    }

    #[test]
    fn a_character_that_comes_in_two_pieces_is_told_whole() {
        let mut live = Live::of(lease(1));
        let (text, mut told) = ("aé€😀z".as_bytes(), String::new());
        for byte in text {
            told += &live.append(&[*byte], 100);
        }
        assert_eq!(told, "aé€😀z");
        assert_eq!(live.append(b"\xff\xc3", 100), "\u{fffd}");
        assert_eq!(live.append(b"z\0", 100), "\u{fffd}z\0");
        assert_eq!(live.log, [text, b"\xff\xc3z\0"].concat(), "the log itself is as it came");
    }
}
