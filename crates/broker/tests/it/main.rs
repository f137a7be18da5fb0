//! The broker's laws: of its order by properties, of the port by one suite
//! for every implementation.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

#[macro_use]
mod world;

mod away;
mod contract;
mod fairness;
mod forgotten;
mod order;
mod processes;
mod same_order;
mod scale;
mod settings;
mod warmth;

use broker::Queued;
use domain::task::{Priority, QueueClass};
use domain::{CompanyId, TaskId, Timestamp, VersionId};
use uuid::Uuid;

/// A task that is available at once; ids are given by number.
fn queued(company: u32, number: u32) -> Queued {
    Queued {
        company: company_id(company),
        company_weight: 1,
        max_running: None,
        task: task_id(number),
        version: VersionId(Uuid::from_u128(u128::from(company))),
        class: QueueClass::HighPriority,
        priority: Priority::default(),
        expected_ms: 10.0,
        submitted_at: Timestamp(i64::from(number)),
        available_at: Timestamp(0),
    }
}

fn company_id(number: u32) -> CompanyId {
    CompanyId(Uuid::from_u128(u128::from(number)))
}

fn task_id(number: u32) -> TaskId {
    TaskId(Uuid::from_u128(u128::from(number)))
}
