//! What happened to a request, stage by stage, for whoever collects traces.
//!
//! A span is told as one event once it is over, under a target that nobody
//! listens to unless traces are collected: then it costs one look at a flag.

use domain::Timestamp;
use domain::origin::Trace;
use store::tasks::{Ending, Task};

/// The target of these events; no log shows it.
pub const TARGET: &str = "mecapy::trace";

/// Whether anybody collects traces.
#[must_use]
pub fn is_on() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

/// The span that a request begins: in its caller's trace, else in one of its
/// own.
#[must_use]
pub fn begin(caller: Option<Trace>) -> Trace {
    Trace { id: caller.map_or_else(random, |caller| caller.id), span: random() }
}

/// A random number that is not 0.
fn random<T: Default + PartialEq>() -> T
where
    rand::distr::StandardUniform: rand::distr::Distribution<T>,
{
    loop {
        let number: T = rand::random();
        if number != T::default() {
            return number;
        }
    }
}

/// Tells a stage that is over, between two instants.
pub(crate) fn stage(parent: Trace, task: &Task, name: &str, began: Timestamp, ended: Timestamp) {
    tracing::info!(
        target: TARGET,
        name,
        trace = %Trace { id: parent.id, span: random() },
        parent = parent.span,
        began_us = began.0,
        ended_us = ended.0,
        task.id = %task.id,
        function = task.name,
        version = task.version_number,
        class = task.class.as_str(),
    );
}

/// Tells the stages of an attempt that ended: how long it waited, prepared,
/// ran, and was stored.
pub(crate) fn attempt(
    parent: Trace,
    task: &Task,
    ending: &Ending,
    reported: Timestamp,
    stored: Timestamp,
) {
    let millis = |ms: f64| std::time::Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
    let measured = &ending.measured;
    let ran = reported.before(millis(measured.execution_ms));
    let claimed = ran.before(millis(measured.startup_ms));
    stage(parent, task, "queue", task.created_at, task.started_at.unwrap_or(claimed));
    stage(parent, task, "startup", claimed, ran);
    tracing::info!(
        target: TARGET,
        name = "run",
        trace = %Trace { id: parent.id, span: random() },
        parent = parent.span,
        began_us = ran.0,
        ended_us = reported.0,
        failed = crate::finish::kind_of(&ending.outcome).is_some(),
        task.id = %task.id,
        function = task.name,
        version = task.version_number,
        attempt = task.attempt,
        warm = measured.warm,
        cpu_ms = measured.cpu_ms,
        peak_memory_bytes = measured.peak_memory_bytes,
    );
    stage(parent, task, "store", reported, stored);
}
