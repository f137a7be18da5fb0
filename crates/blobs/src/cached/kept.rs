//! Which files there are, who holds them, and which go first.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::shelf::Shelf;
use crate::{Error, Key};

#[derive(Debug)]
pub(super) struct Kept {
    max_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Of the files and of those that are being fetched.
    bytes: u64,
    /// Counts uses.
    uses: u64,
    turns: HashMap<Key, Weak<tokio::sync::Mutex<()>>>,
}

#[derive(Debug)]
struct Entry {
    bytes: u64,
    /// Tells it from another of the same key, before or after.
    id: u64,
    used: u64,
    holders: u32,
    /// Whether this process has seen that it is right.
    is_proved: bool,
}

impl Kept {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { max_bytes, state: Mutex::default() }
    }

    /// Takes in a file of an earlier process, as used after all before.
    pub(super) fn found(&self, key: Key, bytes: u64) {
        let mut state = self.state();
        state.add(key, Entry { bytes, id: 0, used: 0, holders: 0, is_proved: false });
        state.bytes += bytes;
    }

    /// One caller at a time looks after a key.
    pub(super) fn turn(&self, key: Key) -> Arc<tokio::sync::Mutex<()>> {
        let mut state = self.state();
        if let Some(turn) = state.turns.get(&key).and_then(Weak::upgrade) {
            return turn;
        }
        state.turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        state.turns.insert(key, Arc::downgrade(&turn));
        turn
    }

    /// Holds a file that is there; says whether it was proved.
    pub(super) fn hold(self: &Arc<Self>, key: Key) -> Option<(Held, bool)> {
        let mut state = self.state();
        state.uses += 1;
        let used = state.uses;
        let entry = state.entries.get_mut(&key)?;
        entry.holders += 1;
        entry.used = used;
        let held = Held { kept: Arc::clone(self), key, id: entry.id, bytes: entry.bytes };
        Some((held, entry.is_proved))
    }

    /// Forgets a file that is not what it should be.
    pub(super) fn forget(&self, key: Key, shelf: &Shelf) {
        self.state().remove(key, shelf);
    }

    /// Sets room aside, for which files that nobody holds go, the least
    /// recently used first.
    pub(super) fn make_room(self: &Arc<Self>, bytes: u64, shelf: &Shelf) -> Result<Room, Error> {
        let mut state = self.state();
        while state.bytes.saturating_add(bytes) > self.max_bytes {
            let idle = state.entries.iter().filter(|(_, entry)| entry.holders == 0);
            let Some((&oldest, _)) = idle.min_by_key(|(_, entry)| entry.used) else {
                return Err(Error::CacheFull { limit: self.max_bytes, needed: bytes });
            };
            state.remove(oldest, shelf);
        }
        state.bytes += bytes;
        Ok(Room { kept: Arc::clone(self), bytes, is_free: true })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Answers the entry's id.
    fn add(&mut self, key: Key, mut entry: Entry) -> u64 {
        self.uses += 1;
        (entry.id, entry.used) = (self.uses, self.uses);
        self.entries.insert(key, entry);
        self.uses
    }

    fn remove(&mut self, key: Key, shelf: &Shelf) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.bytes;
            shelf.remove(key);
        }
    }
}

/// Room for a file that is being fetched, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    kept: Arc<Kept>,
    bytes: u64,
    is_free: bool,
}

impl Room {
    /// The file has its place.
    pub(super) fn fill(mut self, key: Key) -> Held {
        self.is_free = false;
        let entry = Entry { bytes: self.bytes, id: 0, used: 0, holders: 1, is_proved: true };
        let id = self.kept.state().add(key, entry);
        Held { kept: Arc::clone(&self.kept), key, id, bytes: self.bytes }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.is_free {
            self.kept.state().bytes -= self.bytes;
        }
    }
}

/// Keeps a file where it is.
pub(super) struct Held {
    kept: Arc<Kept>,
    key: Key,
    id: u64,
    bytes: u64,
}

impl Held {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Nothing where it was forgotten in the meantime.
    fn with_entry(&self, act: impl FnOnce(&mut Entry)) {
        let mut state = self.kept.state();
        if let Some(entry) = state.entries.get_mut(&self.key).filter(|entry| entry.id == self.id) {
            act(entry);
        }
    }

    pub(super) fn prove(&self) {
        self.with_entry(|entry| entry.is_proved = true);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.with_entry(|entry| entry.holders -= 1);
    }
}

/// A read-only file that stays while this is held.
pub struct LocalFile {
    path: PathBuf,
    held: Option<Held>,
}

impl LocalFile {
    pub(super) fn new(path: PathBuf, held: Option<Held>) -> Self {
        Self { path, held }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for LocalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalFile")
            .field("path", &self.path)
            .field("is_copy", &self.held.is_some())
            .finish()
    }
}
