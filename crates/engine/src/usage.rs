//! What companies use of their quotas, counted beside the database.
//!
//! Only companies with such a quota are counted. Their counts are read from
//! the database once, kept up while tasks come and go, and read anew every few
//! minutes: accepting a task costs no query and no commit for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{CompanyId, Timestamp};
use moka::sync::Cache;
use store::accounts::{Company, Used};

use crate::{Engine, Error};

/// How long counts are kept up before they are read anew.
const KEPT: Duration = Duration::from_secs(600);
/// A day of the quotas, from midnight to midnight in UTC, in microseconds.
const DAY: i64 = 86_400_000_000;

/// The counts of companies.
pub(crate) struct Books(Cache<CompanyId, Arc<Mutex<Counts>>>);

impl Default for Books {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(KEPT).build())
    }
}

/// A quota that is used up until the day ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// `tasks_per_day` or `cpu_s_per_day`.
    pub quota: &'static str,
    /// The company's bound.
    pub limit: f64,
    /// What it has used today.
    pub used: f64,
    /// When it begins anew.
    pub resets_at: Timestamp,
    /// How long that is from now.
    pub resets_in: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    /// The midnight that they count from.
    since: Timestamp,
    used: Used,
}

impl Counts {
    /// Begins anew where the day has passed.
    fn on(&mut self, now: Timestamp) -> &mut Used {
        let since = midnight(now);
        if self.since != since {
            self.since = since;
            self.used = Used { bytes: self.used.bytes, ..Used::default() };
        }
        &mut self.used
    }
}

impl Engine {
    /// Counts a task to be accepted, or says which quota of the day is used
    /// up. [`Engine::uncount_task`] takes it back.
    pub(crate) async fn count_task(&self, company: &Company) -> Result<(), Error> {
        let budget = company.budget;
        if budget.tasks_per_day.is_none() && budget.cpu_s_per_day.is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        let counts = self.counts(company.id, now).await?;
        let mut counts = locked(&counts);
        let used = counts.on(now);
        let tasks =
            budget.tasks_per_day.map(|limit| ("tasks_per_day", limit as f64, used.tasks as f64));
        let cpu = budget.cpu_s_per_day.map(|limit| ("cpu_s_per_day", limit, used.cpu_ms / 1e3));
        let reached = [tasks, cpu].into_iter().flatten().find(|(_, limit, used)| used >= limit);
        if let Some((quota, limit, used)) = reached {
            let resets_at = Timestamp(midnight(now).0 + DAY);
            let resets_in = resets_at.since(now);
            return Err(Error::QuotaReached(Reached { quota, limit, used, resets_at, resets_in }));
        }
        used.tasks += 1;
        Ok(())
    }

    /// A task that was counted was not accepted.
    pub(crate) fn uncount_task(&self, company: CompanyId) {
        self.kept_up(company, |used| used.tasks = used.tasks.saturating_sub(1));
    }

    /// Counts what a run used and left.
    pub(crate) fn count_run(&self, company: CompanyId, cpu_ms: f64, bytes: u64) {
        self.kept_up(company, |used| {
            used.cpu_ms += cpu_ms;
            used.bytes += bytes;
        });
    }

    /// The storage that an upload will take, counted as its bytes come, so that
    /// many at once have no more room than one after the other. `None` where
    /// the company has no bound of its own.
    pub(crate) async fn take_storage(&self, company: CompanyId) -> Result<Option<Taken>, Error> {
        let Some(limit_bytes) = self.company_seen(company).await?.budget.storage_bytes else {
            return Ok(None);
        };
        let counts = self.counts(company, self.clock.now()).await?;
        Ok(Some(Taken { counts, limit_bytes, bytes: 0 }))
    }

    /// What was taken stays: it is stored.
    pub(crate) fn keep_storage(&self, company: CompanyId, mut taken: Taken) {
        taken.bytes = 0;
        // Counts that were read meanwhile may know of it or not.
        if self.books.0.get(&company).is_none_or(|now| !Arc::ptr_eq(&now, &taken.counts)) {
            self.recount(company);
        }
    }

    /// What the company may still store; no bound of its own where `None`.
    pub(crate) async fn room(&self, company: CompanyId) -> Result<Option<Room>, Error> {
        let Some(limit_bytes) = self.company_seen(company).await?.budget.storage_bytes else {
            return Ok(None);
        };
        let now = self.clock.now();
        let used_bytes = locked(&*self.counts(company, now).await?).on(now).bytes;
        Ok(Some(Room { limit_bytes, used_bytes }))
    }

    /// Has the counts read anew: something was deleted.
    pub(crate) fn recount(&self, company: CompanyId) {
        self.books.0.invalidate(&company);
    }

    fn kept_up(&self, company: CompanyId, change: impl FnOnce(&mut Used)) {
        if let Some(counts) = self.books.0.get(&company) {
            change(locked(&counts).on(self.clock.now()));
        }
    }

    async fn counts(
        &self,
        company: CompanyId,
        now: Timestamp,
    ) -> Result<Arc<Mutex<Counts>>, Error> {
        if let Some(counts) = self.books.0.get(&company) {
            return Ok(counts);
        }
        let since = midnight(now);
        let used = self.store.used(company, since).await?;
        Ok(self.books.0.get_with(company, || Arc::new(Mutex::new(Counts { since, used }))))
    }
}

/// Storage that was taken for something that is not stored yet; given back
/// when it is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    counts: Arc<Mutex<Counts>>,
    limit_bytes: u64,
    bytes: u64,
}

impl Taken {
    /// Takes more, or says what the company stores already.
    pub(crate) fn more(&mut self, bytes: u64) -> Result<(), Room> {
        let mut counts = locked(&self.counts);
        let room = Room { limit_bytes: self.limit_bytes, used_bytes: counts.used.bytes };
        if bytes > room.left() {
            return Err(Room { used_bytes: room.used_bytes - self.bytes, ..room });
        }
        counts.used.bytes += bytes;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut counts = locked(&self.counts);
        counts.used.bytes = counts.used.bytes.saturating_sub(self.bytes);
    }
}

/// What a company stores, and may store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    limit_bytes: u64,
    used_bytes: u64,
}

impl Room {
    /// Bytes that still fit.
    pub(crate) fn left(self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }

    /// Refuses what does not fit.
    pub(crate) fn check(self, bytes: u64) -> Result<(), Error> {
        if bytes <= self.left() { Ok(()) } else { Err(self.full()) }
    }

    /// Why something was refused.
    pub(crate) fn full(self) -> Error {
        Error::StorageFull { limit_bytes: self.limit_bytes, used_bytes: self.used_bytes }
    }
}

fn midnight(now: Timestamp) -> Timestamp {
    Timestamp(now.0 - now.0.rem_euclid(DAY))
}

fn locked(counts: &Mutex<Counts>) -> std::sync::MutexGuard<'_, Counts> {
    // Numbers are whole whatever panicked beside them.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_what_is_stored_stays() {
        let day = Timestamp(20_000 * DAY);
        let used = Used { tasks: 3, cpu_ms: 5.0, bytes: 7 };
        let mut counts = Counts { since: day, used };
        assert_eq!(*counts.on(Timestamp(day.0 + DAY - 1)), used);
        let next = Used { tasks: 0, cpu_ms: 0.0, bytes: 7 };
        assert_eq!(*counts.on(Timestamp(day.0 + DAY)), next);
    }

    #[test]
    fn what_is_taken_counts_at_once_and_is_given_back_unless_it_is_kept() {
        let used = Used { bytes: 40, ..Used::default() };
        let counts = Arc::new(Mutex::new(Counts { since: Timestamp(0), used }));
        let taking = || Taken { counts: Arc::clone(&counts), limit_bytes: 100, bytes: 0 };
        let (mut first, mut second) = (taking(), taking());
        first.more(30).unwrap();
        second.more(20).unwrap();
        first.more(10).unwrap();
        assert_eq!(second.more(1), Err(Room { limit_bytes: 100, used_bytes: 80 }));
        drop(first);
        second.more(40).unwrap();
        second.bytes = 0;
        drop(second);
        assert_eq!(locked(&counts).used.bytes, 100);
    }
}
