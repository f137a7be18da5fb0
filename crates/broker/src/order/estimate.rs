//! How long a task will take, as far as its company is charged for it.

use std::collections::HashMap;

use domain::VersionId;

use super::account::sane;
use crate::Queued;

/// Most that a task is charged with of whose version nothing is known: its
/// expected time is then only its timeout, mostly far too much.
pub const UNKNOWN_AT_MOST_MS: f64 = 60_000.0;
/// Versions that are remembered; beyond, all are learned anew.
const REMEMBERED: usize = 10_000;
/// Weight of the newest run in the mean.
const NEWEST: f64 = 0.2;

/// The mean time of each version's recent runs.
///
/// A mean and not the 95th percentile that classes go by: companies are
/// charged for what they use on average.
#[derive(Debug, Default)]
pub struct Estimates(HashMap<VersionId, f64>);

impl Estimates {
    /// What to charge for a run.
    #[must_use]
    pub fn predict(&self, task: &Queued) -> f64 {
        match self.0.get(&task.version) {
            Some(mean_ms) => *mean_ms,
            None => sane(task.expected_ms).min(UNKNOWN_AT_MOST_MS),
        }
    }

    /// Takes the time of a run into the mean of its version.
    pub fn learn(&mut self, version: VersionId, actual_ms: f64) {
        let actual_ms = sane(actual_ms);
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&version) {
            self.0.clear();
        }
        self.0
            .entry(version)
            .and_modify(|mean_ms| *mean_ms += NEWEST * (actual_ms - *mean_ms))
            .or_insert(actual_ms);
    }
}
