//! What a run told so far, where a process other than its own is asked.
//!
//! Live events reach who watches; this is for who asks in between. It stands in
//! the broker's cache, no more than a moment old, and counts for nothing once
//! the task has ended.

use std::time::Duration;

use bytes::Bytes;
use domain::task::Progress;
use domain::{CompanyId, Digest, TaskId};
use sha2::Digest as _;
use store::tasks::Lease;

use crate::Engine;
use crate::running::Live;

/// How often it is renewed at most.
const EVERY: Duration = Duration::from_millis(200);
/// How long it outlives a worker that died.
const KEPT: Duration = Duration::from_secs(600);
/// Room for progress and lengths beside the log.
const HEAD: usize = 8 << 10;

/// Progress and log of a running task.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub(crate) progress: Option<Progress>,
    pub(crate) log: Bytes,
}

impl Shown {
    /// What a run of this process told.
    pub(crate) fn of(live: &Live, log_limit: u64) -> Self {
        Self { progress: live.progress.clone(), log: live.text(log_limit).into() }
    }

    /// One line of JSON, then the log; the end of a log that does not fit is
    /// left out.
    fn write(&self) -> Bytes {
        let mut bytes = serde_json::to_vec(&self.progress).unwrap_or_default();
        bytes.truncate(HEAD);
        bytes.push(b'\n');
        let room = broker::cache::LARGEST - bytes.len();
        bytes.extend_from_slice(&self.log[..self.log.len().min(room)]);
        bytes.into()
    }

    fn read(bytes: &Bytes) -> Self {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let progress = serde_json::from_slice(&bytes[..end]).unwrap_or_default();
        let log = bytes.slice((end + 1).min(bytes.len())..);
        Self { progress, log }
    }
}

impl Engine {
    /// Puts what a run of this process told where other processes find it,
    /// soon; nothing where there are none.
    pub(crate) fn show(&self, lease: &Lease) {
        if !self.shared || !self.running.begins_to_show(lease) {
            return;
        }
        let (engine, lease) = (self.clone(), *lease);
        self.jobs.spawn(async move {
            while let Some(live) = engine.running.to_show(&lease) {
                let shown = Shown::of(&live, engine.limits.log_bytes).write();
                let key = key(lease.task);
                if let Err(error) = engine.broker.cache_put(lease.company, key, shown, KEPT).await {
                    tracing::debug!(task.id = %lease.task, "others can't see a run: {error}");
                }
                tokio::time::sleep(EVERY).await;
            }
        });
    }

    /// What a running task told, wherever it runs.
    pub(crate) async fn shown(&self, company: CompanyId, task: TaskId) -> Option<Shown> {
        if let Some(live) = self.running.get(company, task) {
            return Some(Shown::of(&live, self.limits.log_bytes));
        }
        if !self.shared {
            return None;
        }
        match self.broker.cache_get(company, key(task)).await {
            Ok(found) => found.as_ref().map(Shown::read),
            Err(error) => {
                tracing::debug!(task.id = %task, "a run elsewhere can't be seen: {error}");
                None
            }
        }
    }
}

fn key(task: TaskId) -> Digest {
    Digest(sha2::Sha256::digest(format!("shown {task}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_long_log_is_cut() {
        let progress = Progress { step: 3.0, total: None, message: Some("a\nb".to_owned()) };
        let shown = Shown { progress: Some(progress), log: Bytes::from_static(b"one\ntwo\n") };
        assert_eq!(Shown::read(&shown.write()), shown);
        assert_eq!(Shown::read(&Shown::default().write()), Shown::default());
        let long = Shown { progress: None, log: vec![b'x'; broker::cache::LARGEST].into() };
        let written = long.write();
        assert_eq!(written.len(), broker::cache::LARGEST);
        assert_eq!(Shown::read(&written).log.len(), broker::cache::LARGEST - b"null\n".len());
    }
}
