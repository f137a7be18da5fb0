//! The places in which tasks run.

use broker::Want;
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
pub(crate) struct Taken {
    slots: Arc<Inner>,
    want: Want,
}

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

    /// Takes a free place.
    pub(crate) fn try_take(&self) -> Option<Taken> {
        let mut free = self.0.lock();
        let want = Want::slot(*free, self.0.total);
        *free = free.checked_sub(1)?;
        Some(Taken { slots: self.0.clone(), want })
    }

    /// Takes a place as soon as one is free.
    pub(crate) async fn take(&self) -> Taken {
        loop {
            let freed = self.0.freed.notified();
            if let Some(taken) = self.try_take() {
                return taken;
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

impl Taken {
    /// What the place is good for.
    pub(crate) fn want(&self) -> Want {
        self.want
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, u32> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        *self.slots.lock() += 1;
        // A waiter that registered before its look at the count is in this
        // set, so waking all of them loses none.
        self.slots.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_slots_knows_that_it_is() {
        let slots = Slots::new(2);
        let first = slots.try_take().unwrap();
        assert_eq!(first.want(), Want::ANY);
        let last = slots.try_take().unwrap();
        assert_eq!(last.want(), Want::LAST);
        assert!(slots.try_take().is_none());
        drop(first);
        assert_eq!(slots.free(), 1);
    }

    #[test]
    fn the_only_slot_is_for_everybody() {
        assert_eq!(Slots::new(1).try_take().unwrap().want(), Want::ANY);
    }

    #[tokio::test]
    async fn a_freed_slot_wakes_who_waits() {
        let slots = Slots::new(1);
        let taken = slots.try_take();
        let waiting = slots.take();
        tokio::pin!(waiting);
        assert!(futures_pending(&mut waiting).await);
        drop(taken);
        waiting.await;
        assert_eq!(slots.free(), 1);
    }

    async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())
        })
        .await
    }
}
