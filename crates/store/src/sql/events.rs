//! Durable events.

use async_trait::async_trait;
use domain::CompanyId;
use domain::event::Kind;
use serde_json::Value;
use uuid::Uuid;

use super::Database;
use super::rows::{Cells, Db, Failure, Json, bind, only};
use crate::Error;
use crate::events::{Bounds, Event, Events};

#[async_trait]
impl<D: Database> Events for D {
    async fn events_after(
        &self,
        company: CompanyId,
        resource: Option<Uuid>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<Event>, Error> {
        self.scan("read events", move |db| match resource {
            Some(resource) => db.all(
                "SELECT seq, kind, resource_id, payload, at FROM events
                 WHERE company_id = ? AND resource_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                bind![company, resource, seq, limit],
                event,
            ),
            None => db.all(
                "SELECT seq, kind, resource_id, payload, at FROM events
                 WHERE company_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                bind![company, seq, limit],
                event,
            ),
        })
        .await
    }

    async fn event_bounds(&self, company: CompanyId) -> Result<Bounds, Error> {
        self.scan("read events", move |db| {
            let last = db.one(
                "SELECT last_seq FROM event_counters WHERE company_id = ?",
                bind![company],
                only::<i64>,
            )?;
            let first = db.one(
                "SELECT seq FROM events WHERE company_id = ? ORDER BY seq LIMIT 1",
                bind![company],
                only::<i64>,
            )?;
            let last = last.unwrap_or_default();
            Ok(Bounds { first: first.unwrap_or(last + 1), last })
        })
        .await
    }
}

/// Appends an event to the company's order, in the transaction of the change
/// that it tells of.
pub(super) fn append(
    db: &Db<'_>,
    company: CompanyId,
    kind: Kind,
    resource: Uuid,
    payload: &Value,
) -> Result<(), Failure> {
    append_all(db, company, resource, &[(kind, payload)])
}

/// Appends several events of one resource, one behind the other.
pub(super) fn append_all(
    db: &Db<'_>,
    company: CompanyId,
    resource: Uuid,
    events: &[(Kind, &Value)],
) -> Result<(), Failure> {
    let count = events.len() as u64;
    let last = db.one(
        "INSERT INTO event_counters (company_id, last_seq) VALUES (?1, ?2)
         ON CONFLICT (company_id) DO UPDATE SET last_seq = event_counters.last_seq + ?2 RETURNING last_seq",
        bind![company, count],
        only::<u64>,
    )?;
    let first = last.unwrap_or(count) - count + 1;
    for (seq, (kind, payload)) in (first..).zip(events) {
        db.execute(
            "INSERT INTO events (company_id, seq, kind, resource_id, payload, at)
             VALUES (?, ?, ?, ?, ?, ?)",
            bind![company, seq, *kind, resource, Json(*payload), db.now],
        )?;
    }
    Ok(())
}

fn event(cells: &mut Cells<'_>) -> Result<Event, Failure> {
    Ok(Event {
        seq: cells.next()?,
        kind: cells.next()?,
        resource: cells.next()?,
        payload: cells.json()?,
        at: cells.next()?,
    })
}
