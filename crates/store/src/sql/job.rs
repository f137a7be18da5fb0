//! One write on its way to a database's writer and back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use super::rows::{Db, Failure};
use crate::Error;

/// One write of whatever type, from its closure to its answer.
pub(crate) trait Write: Send {
    /// Runs it; whether it is to be kept.
    fn run(&mut self, db: &Db<'_>) -> bool;
    /// Answers it: with its own outcome, or with the reason why what it did
    /// was not committed.
    fn answer(self: Box<Self>, lost: Option<&str>);
}

/// A write, what came of it, and who waits for that.
pub(crate) struct Job<F, T> {
    action: &'static str,
    work: Option<F>,
    outcome: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Job<F, T>
where
    F: FnOnce(&Db<'_>) -> Result<T, Failure> + Send,
    T: Send,
{
    /// The write, and where its answer will come.
    pub(crate) fn new(
        action: &'static str,
        work: F,
    ) -> (Box<Self>, oneshot::Receiver<Result<T, Error>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self { action, work: Some(work), outcome: None, reply }), answer)
    }
}

impl<F, T> Write for Job<F, T>
where
    F: FnOnce(&Db<'_>) -> Result<T, Failure> + Send,
    T: Send,
{
    fn run(&mut self, db: &Db<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A panic in one write must not take the writer from all others.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(db)))
            .unwrap_or_else(|_| Err(Failure::Content("a panic in the query's code".to_owned())))
            .map_err(|e| e.at(self.action));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(mut self: Box<Self>, lost: Option<&str>) {
        let outcome = match (lost, self.outcome.take()) {
            (None, Some(outcome)) => outcome,
            // What failed by itself knows better why.
            (Some(_), Some(Err(error))) => Err(error),
            (Some(reason), _) => {
                Err(Error::Backend { action: self.action, reason: reason.to_owned() })
            }
            (None, None) => Err(Error::Closed),
        };
        // Nobody may listen any more; the write stands all the same.
        let _ = self.reply.send(outcome);
    }
}
