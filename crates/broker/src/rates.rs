//! Rate limits, each a GCRA: the leaky bucket that needs one instant for each
//! key, that of the next request had they come evenly. A caller may be ahead
//! of it by the whole window, so that all its requests may come at once.

use std::time::Duration;

use domain::Timestamp;
use moka::ops::compute::Op;
use moka::sync::Cache;

/// Keys that one process remembers; who is forgotten begins anew.
const REMEMBERED: u64 = 100_000;
/// The longest that a key is remembered without a request.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// How much may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests of each window; 0 counts as 1.
    pub requests: u32,
    /// The window.
    pub window: Duration,
}

/// Whether a request is let through, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is; then it was counted.
    pub allowed: bool,
    /// When it will be, where it is not; zero where it is.
    pub retry_after: Duration,
    /// How many more of cost 1 would be let through now.
    pub remaining: u32,
    /// When all of them are there again.
    pub full_in: Duration,
}

impl Rate {
    /// The time for each request, and the window, in microseconds. A request
    /// that costs more than the window holds is let through by none.
    pub(crate) fn in_us(self) -> (i64, i64) {
        let window = i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX).max(1);
        ((window / i64::from(self.requests.max(1))).max(1), window)
    }

    /// What is left for a caller who is `ahead_us` of an even pace, and has to
    /// wait for `wait_us`.
    pub(crate) fn decision(self, allowed: bool, ahead_us: i64, wait_us: i64) -> Decision {
        let (each, window) = self.in_us();
        let time = |us: i64| Duration::from_micros(u64::try_from(us).unwrap_or(0));
        Decision {
            allowed,
            retry_after: time(wait_us),
            remaining: u32::try_from((window - ahead_us).max(0) / each).unwrap_or(u32::MAX),
            full_in: time(ahead_us),
        }
    }
}

/// The counts of one process.
pub(crate) struct Limiter(Cache<String, Timestamp>);

impl Limiter {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_idle(IDLE).build())
    }

    pub(crate) fn allow(&self, key: &str, rate: Rate, cost: u32, now: Timestamp) -> Decision {
        let (each, window) = rate.in_us();
        let mut decision = rate.decision(false, 0, 0);
        self.0.entry_by_ref(key).and_compute_with(|known| {
            let ahead = known.map_or(0, |known| (known.into_value().0 - now.0).max(0));
            let next = ahead.saturating_add(each.saturating_mul(i64::from(cost)));
            if next > window {
                decision = rate.decision(false, ahead, next - window);
                return Op::Nop;
            }
            decision = rate.decision(true, next, 0);
            Op::Put(Timestamp(now.0 + next))
        });
        decision
    }
}
