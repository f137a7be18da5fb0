//! What an operator looks at.

pub(crate) mod health;
pub(crate) mod metrics;
mod process;
pub(crate) mod queue;
pub(crate) mod queue_events;
pub(crate) mod workers;
