//! One server that the tests of a class attack in turn.
//!
//! It has to stand all of them one after another, and none waits for a server
//! of its own. The last test in it takes it along.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Fortress;

/// Where the tests of a class meet.
pub(crate) struct Arena {
    make: fn() -> Fortress,
    fortress: Mutex<Option<Fortress>>,
    /// Tests that are in it or wait for their turn.
    tests: AtomicUsize,
}

/// The time in which a test has the server for itself.
pub(crate) struct Turn {
    arena: &'static Arena,
    fortress: MutexGuard<'static, Option<Fortress>>,
}

impl Arena {
    pub(crate) const fn new(make: fn() -> Fortress) -> Self {
        Self { make, fortress: Mutex::new(None), tests: AtomicUsize::new(0) }
    }

    /// Waits for a turn.
    pub(crate) fn enter(&'static self) -> Turn {
        self.tests.fetch_add(1, Ordering::SeqCst);
        let fortress = self.fortress.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turn = Turn { arena: self, fortress };
        turn.fortress.get_or_insert_with(self.make);
        turn
    }
}

impl Deref for Turn {
    type Target = Fortress;

    fn deref(&self) -> &Fortress {
        self.fortress.as_ref().unwrap()
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut Fortress {
        self.fortress.as_mut().unwrap()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let is_last = self.arena.tests.fetch_sub(1, Ordering::SeqCst) == 1;
        // One that did not stand is no start for others.
        if is_last || std::thread::panicking() {
            self.fortress.take();
        }
    }
}
