//! A sorted list that knows how many entries are below one.

use std::collections::VecDeque;

use domain::{TaskId, Timestamp};

/// A task's place within its company and class: lower is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// 0 for the most urgent priority.
    pub rank: u8,
    /// When it was accepted.
    pub submitted_at: Timestamp,
    /// Its id, which breaks ties.
    pub task: TaskId,
}

/// Entries of one chunk; it is halved when it reaches twice as many.
const CHUNK: usize = 256;

/// Keys in order, in chunks: to count below a key is to sum the lengths of
/// some hundred chunks at 100,000 entries, to add or remove one is to move
/// some kilobytes, and both stay under a microsecond or two.
#[derive(Debug, Default)]
pub struct Ranked {
    /// None of them empty.
    chunks: VecDeque<VecDeque<Key>>,
    len: usize,
}

impl Ranked {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The lowest entry.
    #[must_use]
    pub fn first(&self) -> Option<Key> {
        self.chunks.front()?.front().copied()
    }

    /// All entries, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = Key> {
        self.chunks.iter().flatten().copied()
    }

    /// Adds a key; `false` where it is there already.
    pub fn insert(&mut self, key: Key) -> bool {
        // Above all others it goes to the end of the last chunk.
        let at = self.chunk_of(key).min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push_back(VecDeque::from([key]));
            self.len = 1;
            return true;
        };
        let Err(within) = chunk.binary_search(&key) else { return false };
        chunk.insert(within, key);
        self.len += 1;
        if chunk.len() >= 2 * CHUNK {
            let upper = chunk.split_off(CHUNK);
            self.chunks.insert(at + 1, upper);
        }
        true
    }

    /// Takes a key out; `false` where it is not there.
    pub fn remove(&mut self, key: Key) -> bool {
        let at = self.chunk_of(key);
        let Some(chunk) = self.chunks.get_mut(at) else { return false };
        let Ok(within) = chunk.binary_search(&key) else { return false };
        chunk.remove(within);
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        true
    }

    /// How many entries are lower than `key`, whether it is there or not.
    #[must_use]
    pub fn count_below(&self, key: Key) -> usize {
        let at = self.chunk_of(key);
        let before: usize = self.chunks.iter().take(at).map(VecDeque::len).sum();
        let within = self.chunks.get(at).map_or(0, |chunk| chunk.partition_point(|k| *k < key));
        before + within
    }

    /// The chunk that holds `key` or would: the first whose last entry is not
    /// lower.
    fn chunk_of(&self, key: Key) -> usize {
        self.chunks.partition_point(|chunk| chunk.back().is_some_and(|last| *last < key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn key(n: u16) -> Key {
        Key {
            rank: (n % 3) as u8,
            submitted_at: Timestamp(i64::from(n / 3)),
            task: TaskId(uuid::Uuid::from_u128(u128::from(n))),
        }
    }

    proptest! {
        #[test]
        fn it_counts_as_a_plain_set_does(steps in proptest::collection::vec((any::<bool>(), 0u16..3000), 1..4000)) {
            let mut ranked = Ranked::default();
            let mut plain = BTreeSet::new();
            for (add, n) in steps {
                let key = key(n);
                if add {
                    prop_assert_eq!(ranked.insert(key), plain.insert(key));
                } else {
                    prop_assert_eq!(ranked.remove(key), plain.remove(&key));
                }
                prop_assert_eq!(ranked.len(), plain.len());
                prop_assert_eq!(ranked.first(), plain.first().copied());
            }
            prop_assert!(ranked.iter().eq(plain.iter().copied()));
            for n in (0..3000).step_by(17) {
                prop_assert_eq!(ranked.count_below(key(n)), plain.range(..key(n)).count());
            }
        }
    }
}
