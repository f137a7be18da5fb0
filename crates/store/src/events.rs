//! Durable events, read in order.

use async_trait::async_trait;
use domain::event::Kind;
use domain::{CompanyId, Timestamp};
use uuid::Uuid;

use crate::Error;

/// One state change.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place in the company's order, from 1, without gaps.
    pub seq: i64,
    /// What happened.
    pub kind: Kind,
    /// To which task or deployment.
    pub resource: Uuid,
    /// What there is to tell, as a JSON object.
    pub payload: serde_json::Value,
    /// When.
    pub at: Timestamp,
}

/// Which events of a company there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The number of the oldest that is kept; one more than `last` where none
    /// is.
    pub first: i64,
    /// The number of the newest that there ever was; 0 for none.
    pub last: i64,
}

impl Bounds {
    /// Whether events after `seen` are kept no more, or `seen` was never one.
    #[must_use]
    pub fn is_gap(&self, seen: i64) -> bool {
        seen > self.last || seen + 1 < self.first
    }
}

/// Events of a company.
#[async_trait]
pub trait Events: Send + Sync {
    /// Events after `seq`, oldest first, of one resource where given.
    async fn events_after(
        &self,
        company: CompanyId,
        resource: Option<Uuid>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<Event>, Error>;

    /// Which events of a company there are.
    async fn event_bounds(&self, company: CompanyId) -> Result<Bounds, Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_erased_or_never_was_is_a_gap() {
        let bounds = Bounds { first: 5, last: 9 };
        let gaps: Vec<_> = (1..=11).filter(|seen| bounds.is_gap(*seen)).collect();
        assert_eq!(gaps, [1, 2, 3, 10, 11]);
        assert!(!Bounds { first: 1, last: 0 }.is_gap(0));
        assert!(Bounds { first: 1, last: 0 }.is_gap(1));
    }
}
