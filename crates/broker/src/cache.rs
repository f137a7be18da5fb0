//! Results that are kept for a while in this process.

use std::time::Duration;

use bytes::Bytes;
use domain::{CompanyId, Digest, Timestamp};
use moka::sync::Cache;

/// The largest value that is kept, in bytes.
pub const LARGEST: usize = 1 << 20;
/// What one process keeps, in bytes.
const CAPACITY: u64 = 64 << 20;
/// What an entry costs beside its value, about.
const OVERHEAD: usize = 200;

type Key = (CompanyId, Digest);

/// The values of one process; who was asked for longest ago goes first.
pub(crate) struct Values(Cache<Key, (Timestamp, Bytes)>);

impl Values {
    pub(crate) fn new() -> Self {
        let weight = |_: &Key, (_, value): &(Timestamp, Bytes)| (value.len() + OVERHEAD) as u32;
        Self(Cache::builder().max_capacity(CAPACITY).weigher(weight).build())
    }

    pub(crate) fn get(&self, key: Key, now: Timestamp) -> Option<Bytes> {
        let (until, value) = self.0.get(&key)?;
        if until > now {
            return Some(value);
        }
        self.0.invalidate(&key);
        None
    }

    pub(crate) fn put(&self, key: Key, value: Bytes, ttl: Duration, now: Timestamp) {
        if value.len() <= LARGEST {
            self.0.insert(key, (now.after(ttl), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_for_its_time_and_no_more_than_fits() {
        let values = Values::new();
        let key = |n: u8| (CompanyId(uuid::Uuid::nil()), Digest([n; 32]));
        let (now, ttl) = (Timestamp(0), Duration::from_secs(1));
        values.put(key(1), Bytes::from_static(b"384.0"), ttl, now);
        assert_eq!(values.get(key(1), Timestamp(999_999)).as_deref(), Some(&b"384.0"[..]));
        assert_eq!(values.get(key(1), Timestamp(1_000_000)), None);
        values.put(key(2), vec![0; LARGEST + 1].into(), ttl, now);
        assert_eq!(values.get(key(2), now), None, "it is too large");
        for n in 0..100 {
            values.put(key(n), vec![n; LARGEST].into(), ttl, now);
        }
        values.0.run_pending_tasks();
        assert!(values.0.weighted_size() <= CAPACITY);
        assert!(values.0.entry_count() > 50);
    }
}
