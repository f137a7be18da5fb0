//! The row of a task, column by column.

use domain::Digest;
use domain::manifest::RetryPolicy;
use domain::task::Measured;

use super::rows::{Cells, Failure};
use crate::tasks::{InputsRef, ResultRef, Task};

/// The columns of a task without its inline result, as [`task`] reads them.
pub(super) const TASK: &str = "company_id, id, name, user_id, function_id, version_id, \
    version_number, state, priority, class, expected_ms, timeout_ms, retry_max_attempts, \
    retry_backoff_s, retry_on_user_error, attempt, worker_id, cancel_requested, created_at, \
    available_at, started_at, completed_at, progress, non_finite, error, warnings, startup_ms, \
    execution_ms, cpu_ms, peak_memory_bytes, warm, cached, result_bytes, result_digest";

/// The columns of a result: size, digest, bytes.
pub(super) fn parts(result: Option<&ResultRef>) -> (Option<u64>, Option<Digest>, Option<&[u8]>) {
    match result {
        None => (None, None, None),
        Some(ResultRef::Inline(body)) => (Some(length(body)), None, Some(body)),
        Some(ResultRef::Blob { digest, bytes }) => (Some(*bytes), Some(*digest), None),
    }
}

/// Reads the columns of a task's inputs: bytes, digest, body.
pub(super) fn inputs(cells: &mut Cells<'_>) -> Result<InputsRef, Failure> {
    let bytes: u64 = cells.next()?;
    let digest: Option<Digest> = cells.next()?;
    let body: Option<Vec<u8>> = cells.next()?;
    Ok(match digest {
        Some(digest) => InputsRef::Blob { digest, bytes },
        None => InputsRef::Inline(body.unwrap_or_default()),
    })
}

/// Reads [`TASK`] and, after it, the inline result.
pub(super) fn task_with_result(cells: &mut Cells<'_>) -> Result<Task, Failure> {
    let (mut task, inline) = task(cells)?;
    if inline {
        task.result = cells.next::<Option<Vec<u8>>>()?.map(ResultRef::Inline);
    }
    Ok(task)
}

/// Reads [`TASK`]; also answers whether a result stands in the row, unread.
pub(super) fn task(cells: &mut Cells<'_>) -> Result<(Task, bool), Failure> {
    let mut task = Task {
        company: cells.next()?,
        id: cells.next()?,
        name: cells.next()?,
        user: cells.next()?,
        function: cells.next()?,
        version: cells.next()?,
        version_number: cells.next()?,
        state: cells.next()?,
        priority: cells.next()?,
        class: cells.next()?,
        expected_ms: cells.next()?,
        timeout_ms: cells.next()?,
        retry: RetryPolicy {
            max_attempts: cells.next()?,
            backoff_s: cells.next()?,
            on_user_error: cells.next()?,
        },
        attempt: cells.next()?,
        worker: cells.next()?,
        cancel_requested: cells.next()?,
        created_at: cells.next()?,
        available_at: cells.next()?,
        started_at: cells.next()?,
        completed_at: cells.next()?,
        progress: cells.json_or_null()?,
        result: None,
        non_finite: cells.json()?,
        error: cells.json_or_null()?,
        warnings: cells.json()?,
        measured: measured(cells)?,
        cached: cells.next()?,
    };
    let bytes: Option<u64> = cells.next()?;
    let digest: Option<Digest> = cells.next()?;
    task.result = bytes.zip(digest).map(|(bytes, digest)| ResultRef::Blob { digest, bytes });
    Ok((task, bytes.is_some() && digest.is_none()))
}

fn measured(cells: &mut Cells<'_>) -> Result<Option<Measured>, Failure> {
    let startup_ms: Option<f64> = cells.next()?;
    let execution_ms: Option<f64> = cells.next()?;
    let cpu_ms: Option<f64> = cells.next()?;
    let peak_memory_bytes: Option<u64> = cells.next()?;
    let warm: Option<bool> = cells.next()?;
    Ok((|| {
        Some(Measured {
            startup_ms: startup_ms?,
            execution_ms: execution_ms?,
            cpu_ms: cpu_ms?,
            peak_memory_bytes: peak_memory_bytes?,
            warm: warm?,
        })
    })())
}

pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
