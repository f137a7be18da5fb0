//! What an operator looks at.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod queue;
pub(crate) mod workers;
