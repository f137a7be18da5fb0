//! The server's clock, by which the leases of all machines compare.
//!
//! A machine whose own clock is wrong would otherwise take back the tasks of
//! others, or believe that it holds its own for too long. How far the given
//! clock is from the server's is measured at every connection, then every 30 s
//! where statements run, and at once after somebody set the machine's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::{Clock, Timestamp};

/// What the server is asked: microseconds since 1970.
pub(super) const NOW: &str =
    "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";

/// How old a measurement may be.
const AGE: Duration = Duration::from_secs(30);
/// How far the given clock may run from the steady one before it counts as
/// set by hand.
const STEP: Duration = Duration::from_secs(1);

/// The given clock, put right by the server's.
#[derive(Debug)]
pub(super) struct ServerClock {
    given: Arc<dyn Clock>,
    ahead: AtomicI64,
    measured: Mutex<Option<Measured>>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    steady: Instant,
    given: Timestamp,
}

impl ServerClock {
    pub(super) fn over(given: Arc<dyn Clock>) -> Self {
        Self { given, ahead: AtomicI64::new(0), measured: Mutex::new(None) }
    }

    /// Whether it is time to ask the server.
    pub(super) fn is_due(&self) -> bool {
        let Some(last) = *self.measured() else { return true };
        let steady = last.steady.elapsed();
        let given = self.given.now().0.saturating_sub(last.given.0);
        let steady_us = i64::try_from(steady.as_micros()).unwrap_or(i64::MAX);
        steady > AGE || given.abs_diff(steady_us) > STEP.as_micros() as u64
    }

    /// The given clock's instant, to be told to [`Self::learn`] after the
    /// server answered.
    pub(super) fn asks(&self) -> Timestamp {
        self.given.now()
    }

    /// Takes the server's answer to a question that was `asked`; it was read
    /// about midway between question and answer.
    pub(super) fn learn(&self, asked: Timestamp, server: Timestamp) {
        let given = self.given.now();
        let midway = asked.0 + given.0.saturating_sub(asked.0) / 2;
        self.ahead.store(server.0.saturating_sub(midway), Ordering::SeqCst);
        *self.measured() = Some(Measured { steady: Instant::now(), given });
    }

    fn measured(&self) -> std::sync::MutexGuard<'_, Option<Measured>> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.given.now().0.saturating_add(self.ahead.load(Ordering::SeqCst)))
    }
}

#[cfg(test)]
mod tests {
    use domain::clock::Manual;

    use super::*;

    #[test]
    fn the_given_clock_is_put_right_and_measured_anew_once_it_was_set() {
        let given = Manual::at(Timestamp(1_000_000));
        let clock = ServerClock::over(Arc::new(given.clone()));
        assert!(clock.is_due());
        let asked = clock.asks();
        given.advance(Duration::from_micros(200));
        clock.learn(asked, Timestamp(301_000_100));
        assert_eq!(clock.now(), Timestamp(301_000_200), "half of the question's time lies behind");
        assert!(!clock.is_due());
        given.advance(Duration::from_mins(5));
        assert!(clock.is_due());
    }
}
