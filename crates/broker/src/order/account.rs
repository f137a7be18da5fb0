//! What a company was given, in worker-time divided by its weight.

use domain::Timestamp;

/// Nanoseconds of worker time per unit of weight: 584 years fit.
pub type Tag = u64;

/// The account of one company.
#[derive(Clone, Debug)]
pub struct Account {
    weight: u32,
    /// What ended tasks used.
    used: Tag,
    /// What running tasks are predicted to use.
    charged: Tag,
    running: u64,
    /// Sum of the running tasks' starts in microseconds, so that the time
    /// they have used by now is known without a look at each.
    started_us: i128,
}

/// What a dispatch was charged with, kept to be corrected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Charge {
    tag: Tag,
    started_at: Timestamp,
}

impl Charge {
    /// When the task was given out.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }
}

impl Default for Account {
    fn default() -> Self {
        Self { weight: 1, used: 0, charged: 0, running: 0, started_us: 0 }
    }
}

impl Account {
    /// Sets the weight for what is charged from now on; 0 counts as 1.
    pub fn set_weight(&mut self, weight: u32) {
        self.weight = weight.max(1);
    }

    /// How many tasks run.
    #[must_use]
    pub fn running(&self) -> u64 {
        self.running
    }

    /// Where the company stands against others: lower is served first.
    #[must_use]
    pub fn tag(&self) -> Tag {
        self.used.saturating_add(self.charged)
    }

    /// What it has really had by `now`: ended tasks, and of running ones the
    /// time that has passed.
    #[must_use]
    pub fn received(&self, now: Timestamp) -> Tag {
        self.used.saturating_add(self.elapsed(now))
    }

    /// Charges a dispatch with its predicted time.
    pub fn charge(&mut self, predicted_ms: f64, now: Timestamp) -> Charge {
        let charge = Charge { tag: self.tag_of(predicted_ms), started_at: now };
        self.charged = self.charged.saturating_add(charge.tag);
        self.running += 1;
        self.started_us += i128::from(now.0);
        charge
    }

    /// Replaces a charge by the time that was used.
    pub fn settle(&mut self, charge: Charge, actual_ms: f64) {
        self.refund(charge);
        self.used = self.used.saturating_add(self.tag_of(actual_ms));
    }

    /// Undoes a charge.
    pub fn refund(&mut self, charge: Charge) {
        self.charged = self.charged.saturating_sub(charge.tag);
        self.running = self.running.saturating_sub(1);
        self.started_us -= i128::from(charge.started_at.0);
    }

    /// Raises what was received to `level`; forgives nothing above it.
    pub fn lift(&mut self, level: Tag, now: Timestamp) {
        self.used = self.used.max(level.saturating_sub(self.elapsed(now)));
    }

    fn elapsed(&self, now: Timestamp) -> Tag {
        let us = i128::from(self.running) * i128::from(now.0) - self.started_us;
        let per_weight = us.max(0).saturating_mul(1000) / i128::from(self.weight);
        Tag::try_from(per_weight).unwrap_or(Tag::MAX)
    }

    fn tag_of(&self, ms: f64) -> Tag {
        // Casting saturates: the account ends at 584 years.
        (sane(ms) * 1e6) as Tag / Tag::from(self.weight)
    }
}

/// A duration that was measured or predicted; nonsense counts as none.
#[must_use]
pub fn sane(ms: f64) -> f64 {
    if ms.is_finite() { ms.max(0.0) } else { 0.0 }
}
