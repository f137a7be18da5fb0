//! What is known of running tasks before it is durable: log and progress.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::TaskId;
use domain::task::Progress;

/// The running tasks of this process.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<TaskId, Arc<Mutex<Live>>>>);

/// What one running task told so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// Standard output and error, in the order they came.
    pub(crate) log: Vec<u8>,
    /// Bytes of the log that were beyond the limit.
    pub(crate) log_cut_bytes: u64,
    /// The last progress.
    pub(crate) progress: Option<Progress>,
}

impl Live {
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
    /// The task's live part, made where it is new.
    pub(crate) fn enter(&self, task: TaskId) -> Arc<Mutex<Live>> {
        self.lock().entry(task).or_default().clone()
    }

    /// The task's live part.
    pub(crate) fn get(&self, task: TaskId) -> Option<Live> {
        let live = self.lock().get(&task).cloned()?;
        let live = live.lock().unwrap_or_else(PoisonError::into_inner);
        Some(live.clone())
    }

    /// Forgets a task that ended.
    pub(crate) fn leave(&self, task: TaskId) {
        self.lock().remove(&task);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TaskId, Arc<Mutex<Live>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_past_its_limit_says_how_much_was_cut() {
        let mut live = Live::default();
        live.append(b"hello ", 8);
        live.append(b"world", 8);
        assert_eq!(live.text(), b"hello wo\n[mecapy: 3 more bytes were cut]\n");
    }
}
