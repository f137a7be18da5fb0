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
    /// The last progress.
    pub(crate) progress: Option<Progress>,
}

impl Live {
    fn of(lease: Lease) -> Self {
        Self { lease, log: Vec::new(), log_cut_bytes: 0, progress: None }
    }

    /// Appends to the log, up to `limit` bytes in all.
    pub(crate) fn append(&mut self, chunk: &[u8], limit: u64) {
        let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(self.log.len());
        let kept = chunk.len().min(room);
        self.log.extend_from_slice(&chunk[..kept]);
        self.log_cut_bytes += (chunk.len() - kept) as u64;
    }

    /// The log with a last line that says how much of it was cut.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = self.log.clone();
        if self.log_cut_bytes > 0 {
            text.extend_from_slice(
                format!("\n[mecapy: {} more bytes were cut]\n", self.log_cut_bytes).as_bytes(),
            );
        }
        text
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
        assert!(!running.update(&lost, |live| live.append(b"late", 8)));
        assert!(running.update(&second, |live| live.append(b"now", 8)));
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
        assert_eq!(live.text(), b"hello wo\n[mecapy: 3 more bytes were cut]\n");
    }
}
