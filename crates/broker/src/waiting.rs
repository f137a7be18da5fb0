//! Waiting without polling: for work, for a task's end, for a request.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::TaskId;
use tokio::sync::{oneshot, watch};

/// Wakes its holder when there may be work. Take until nothing comes, then
/// wait: what came in between ends the wait at once.
#[derive(Debug)]
pub struct Work(watch::Receiver<u64>);

impl Work {
    pub(crate) fn new(receiver: watch::Receiver<u64>) -> Self {
        Self(receiver)
    }

    /// Ends when something changed since the last call, or since this was
    /// made; `false` where the broker is gone.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

/// One thing that will be told once, registered from the moment it was made.
#[derive(Debug)]
pub struct Waiter<T> {
    receiver: oneshot::Receiver<T>,
    /// Deregisters when dropped.
    _registered: OnDrop,
}

impl<T> Waiter<T> {
    /// What was told; `None` where the broker is gone or can't say, because it
    /// lost its server for a while: who waits then reads the state, and waits
    /// anew where it is not what they wait for. May be awaited again after a
    /// timeout of the caller's, until it has answered.
    pub async fn told(&mut self) -> Option<T> {
        (&mut self.receiver).await.ok()
    }

    /// What was told already, without waiting.
    pub fn told_already(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

/// A place in the queue, given back when dropped.
#[derive(Debug)]
#[must_use = "the place is given back as soon as this is dropped"]
pub struct Admission {
    _place: OnDrop,
}

impl Admission {
    pub(crate) fn new(give_back: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { _place: OnDrop::new(give_back) }
    }
}

/// Who waits for what becomes of a task.
pub(crate) struct Waiters<T>(Arc<Mutex<Registry<T>>>);

struct Registry<T> {
    next: u64,
    by_task: HashMap<TaskId, Vec<(u64, oneshot::Sender<T>)>>,
}

impl<T: Clone + Send + 'static> Waiters<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Registry { next: 0, by_task: HashMap::new() })))
    }

    pub(crate) fn register(&self, task: TaskId) -> Waiter<T> {
        let (sender, receiver) = oneshot::channel();
        let number = {
            let mut registry = lock(&self.0);
            registry.next += 1;
            let number = registry.next;
            registry.by_task.entry(task).or_default().push((number, sender));
            number
        };
        let registry = Arc::clone(&self.0);
        let deregister = OnDrop::new(move || lock(&registry).forget(task, number));
        Waiter { receiver, _registered: deregister }
    }

    /// Tells all who wait for this task; how many did.
    pub(crate) fn tell(&self, task: TaskId, what: &T) -> usize {
        let waiting = lock(&self.0).by_task.remove(&task).unwrap_or_default();
        waiting.into_iter().filter_map(|(_, sender)| sender.send(what.clone()).ok()).count()
    }

    /// Ends every wait without an answer.
    pub(crate) fn give_up(&self) {
        lock(&self.0).by_task.clear();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).by_task.len()
    }
}

impl<T> Registry<T> {
    fn forget(&mut self, task: TaskId, number: u64) {
        if let Some(waiting) = self.by_task.get_mut(&task) {
            waiting.retain(|(other, _)| *other != number);
            if waiting.is_empty() {
                self.by_task.remove(&task);
            }
        }
    }
}

/// What every lock here guards stays consistent through a panic: nothing is
/// left half done between two statements that can fail.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs once, when dropped.
pub(crate) struct OnDrop(Option<Box<dyn FnOnce() + Send + Sync>>);

impl OnDrop {
    pub(crate) fn new(act: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(act)))
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

impl fmt::Debug for OnDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDrop")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_that_is_dropped_leaves_nothing_behind() {
        let waiters = Waiters::<()>::new();
        let task = TaskId::new();
        let first = waiters.register(task);
        let mut second = waiters.register(task);
        drop(first);
        assert_eq!(waiters.tell(task, &()), 1);
        assert_eq!(second.told_already(), Some(()));
        drop(waiters.register(TaskId::new()));
        assert_eq!(waiters.len(), 0);
    }
}
