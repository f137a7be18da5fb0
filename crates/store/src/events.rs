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
}
