//! The places in which tasks run.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A fixed number of places.
#[derive(Clone, Debug)]
pub(crate) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: u32,
    free: Mutex<u32>,
    freed: Notify,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken(Arc<Inner>);

impl Slots {
    pub(crate) fn new(total: u32) -> Self {
        let total = total.max(1);
        Self(Arc::new(Inner { total, free: Mutex::new(total), freed: Notify::new() }))
    }

    pub(crate) fn total(&self) -> u32 {
        self.0.total
    }

    pub(crate) fn free(&self) -> u32 {
        *self.0.lock()
    }

    /// Takes a free place; the last one of several only where `last` says
    /// that it may be.
    pub(crate) fn try_take(&self, last: bool) -> Option<Taken> {
        let mut free = self.0.lock();
        let may = *free > 0 && (last || *free > 1 || self.0.total == 1);
        if !may {
            return None;
        }
        *free -= 1;
        Some(Taken(self.0.clone()))
    }

    /// Takes a place as soon as one is free. Says how many were.
    pub(crate) async fn take(&self) -> (Taken, u32) {
        loop {
            let freed = self.0.freed.notified();
            let free = self.free();
            if let Some(taken) = self.try_take(true) {
                return (taken, free);
            }
            freed.await;
        }
    }

    /// Resolves when nothing runs.
    pub(crate) async fn all_free(&self) {
        loop {
            let freed = self.0.freed.notified();
            if self.free() == self.0.total {
                return;
            }
            freed.await;
        }
    }

    /// Wakes everybody who waits for a place, to look at the world anew.
    pub(crate) fn wake(&self) {
        self.0.freed.notify_waiters();
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, u32> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        // A waiter that registered before its look at the count is in this
        // set, so waking all of them loses none.
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_never_takes_the_last_of_several_slots() {
        let slots = Slots::new(2);
        let long = slots.try_take(false);
        assert!(long.is_some());
        assert!(slots.try_take(false).is_none());
        let short = slots.try_take(true);
        assert!(short.is_some());
        assert!(slots.try_take(true).is_none());
        drop(long);
        assert_eq!(slots.free(), 1);
    }

    #[test]
    fn the_only_slot_is_for_every_class() {
        assert!(Slots::new(1).try_take(false).is_some());
    }

    #[tokio::test]
    async fn a_freed_slot_wakes_who_waits() {
        let slots = Slots::new(1);
        let taken = slots.try_take(true);
        let waiting = slots.take();
        tokio::pin!(waiting);
        assert!(futures_pending(&mut waiting).await);
        drop(taken);
        let (_second, free) = waiting.await;
        assert_eq!(free, 1);
    }

    async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())
        })
        .await
    }
}
