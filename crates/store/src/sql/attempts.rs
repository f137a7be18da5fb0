//! Attempts and their leases: begun, renewed, ended, lost.
//!
//! One thing holds throughout: a task is `running` exactly while the row of
//! its current attempt has no `ended_at`, and whoever sets that wins the task.

use std::time::Duration;

use domain::event::Kind;
use domain::task::{ErrorKind, State, TaskError};
use domain::{CompanyId, TaskId, Text, Timestamp};
use serde_json::{Value, json};

use super::events;
use super::files::store_artifacts;
use super::rows::{Cells, Db, Failure, Json, JsonOrNull, bind, only};
use super::task_rows::{TASK, inputs, parts, task};
use super::tasks::ended;
use crate::operator::{Queued, Reaped};
use crate::tasks::{Claim, Ending, Finished, InputsRef, Lease, Outcome, Task};

/// How far the clocks of two processes may be apart though both were put right:
/// what one made available now, the other may claim now.
const LEEWAY: Duration = Duration::from_millis(250);

/// Gives a queued task to a worker.
pub(super) fn claim(
    db: &Db<'_>,
    company: CompanyId,
    id: TaskId,
    claim: &Claim,
) -> Result<Option<(Task, InputsRef)>, Failure> {
    let claimed = db.one(
        &format!(
            "UPDATE tasks SET state = 'running', attempt = ?1, worker_id = ?2, started_at = ?3,
                 progress = NULL
             WHERE company_id = ?4 AND id = ?5 AND deleted_at IS NULL AND state = 'queued'
             AND available_at <= ?6 AND attempt = ?1 - 1
             RETURNING {TASK}"
        ),
        bind![claim.attempt, claim.worker, db.now, company, id, db.now.after(LEEWAY)],
        |cells| task(cells).map(|(task, _)| task),
    )?;
    let Some(claimed) = claimed else { return Ok(None) };
    begin(db, company, id, claim)?;
    let inputs = db.one(
        "SELECT bytes, digest, body FROM task_inputs WHERE company_id = ? AND task_id = ?",
        bind![company, id],
        inputs,
    )?;
    let missing = || Failure::Content(format!("expected the inputs of task {id}, found none"));
    Ok(Some((claimed, inputs.ok_or_else(missing)?)))
}

/// Stores the attempt that a claim begins, and tells of it.
fn begin(db: &Db<'_>, company: CompanyId, id: TaskId, claim: &Claim) -> Result<(), Failure> {
    insert(db, company, id, claim, db.now, None)?;
    events::append(db, company, Kind::TaskRunning, id.0, &begun(claim))
}

/// Stores an attempt; with its end where that is known already.
pub(super) fn insert(
    db: &Db<'_>,
    company: CompanyId,
    id: TaskId,
    claim: &Claim,
    started_at: Timestamp,
    ended: Option<(State, Option<&TaskError>)>,
) -> Result<(), Failure> {
    db.execute(
        "INSERT INTO attempts (company_id, kind, resource_id, number, token, worker_id,
             lease_until, started_at, ended_at, outcome, error)
         VALUES (?, 'task', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        bind![
            company,
            id,
            claim.attempt,
            claim.token,
            claim.worker,
            db.now.after(claim.lease),
            started_at,
            ended.map(|_| db.now),
            ended.map(|(state, _)| state),
            JsonOrNull(ended.and_then(|(_, error)| error)),
        ],
    )?;
    Ok(())
}

/// What is told of an attempt that began.
pub(super) fn begun(claim: &Claim) -> Value {
    json!({ "status": State::Running, "attempt": claim.attempt, "worker": claim.worker })
}

/// Ends an attempt, if it is still the task's.
pub(super) fn finish(db: &Db<'_>, lease: &Lease, ending: &Ending) -> Result<Finished, Failure> {
    if !is_held(db, lease)? {
        return Ok(Finished::Fenced);
    }
    let cancel_requested = db.one(
        "SELECT cancel_requested FROM tasks WHERE company_id = ? AND id = ?",
        bind![lease.company, lease.task],
        only::<bool>,
    )?;
    // What completed or failed all the same stays so; but nothing that was to
    // be cancelled starts again.
    let cancelled = Outcome::Cancelled;
    let outcome = match &ending.outcome {
        Outcome::Retry { .. } | Outcome::HandBack if cancel_requested == Some(true) => &cancelled,
        outcome => outcome,
    };
    let state = match outcome {
        Outcome::Completed { .. } => State::Completed,
        Outcome::Failed(_) => State::Failed,
        Outcome::Cancelled => State::Cancelled,
        Outcome::Retry { .. } | Outcome::HandBack => State::Queued,
    };
    match outcome {
        Outcome::Retry { error, delay } => retry(db, lease, ending, error, db.now.after(*delay))?,
        Outcome::HandBack => hand_back(db, lease)?,
        outcome => end(db, lease, ending, outcome, state)?,
    }
    Ok(Finished::Stored(state))
}

/// Renews a lease; whether it is still held.
pub(super) fn renew(db: &Db<'_>, lease: &Lease, until: Timestamp) -> Result<bool, Failure> {
    let renewed = db.execute(
        "UPDATE attempts SET lease_until = ?
         WHERE company_id = ? AND kind = 'task' AND resource_id = ? AND number = ? AND token = ?
         AND ended_at IS NULL",
        bind![until, lease.company, lease.task, lease.attempt, lease.token],
    )?;
    Ok(renewed == 1)
}

/// Takes a task back from a worker that is lost.
pub(super) fn lose(db: &Db<'_>, lease: Lease) -> Result<Reaped, Failure> {
    let sql = format!("SELECT {TASK} FROM tasks WHERE company_id = ? AND id = ?");
    let lost = db.one(&sql, bind![lease.company, lease.task], task)?;
    let Some((task, _)) = lost else {
        return Err(Failure::Content(format!("expected task {}, found none", lease.task)));
    };
    let error = lost_worker(lease.attempt, task.retry.max_attempts);
    end_attempt(db, &lease, "lost", Some(&error))?;
    let state = if task.cancel_requested {
        State::Cancelled
    } else if lease.attempt >= task.retry.max_attempts {
        State::Failed
    } else {
        State::Queued
    };
    if state == State::Queued {
        requeue(db, &lease, lease.attempt, db.now, Some(&error))?;
        let queued = Queued {
            company: task.company,
            task: task.id,
            version: task.version,
            class: task.class,
            priority: task.priority,
            expected_ms: task.expected_ms,
            next_attempt: lease.attempt + 1,
            available_at: db.now,
        };
        return Ok(Reaped { lease, state, queued: Some(queued) });
    }
    let error = Some(&error).filter(|_| state == State::Failed);
    db.execute(
        "UPDATE tasks SET state = ?, completed_at = ?, error = ? WHERE company_id = ? AND id = ?",
        bind![state, db.now, JsonOrNull(error), lease.company, lease.task],
    )?;
    tell_end(db, &lease, state, error)?;
    Ok(Reaped { lease, state, queued: None })
}

/// The lease that a row of `attempts` holds: company, task, number, token.
pub(super) fn lease(cells: &mut Cells<'_>) -> Result<Lease, Failure> {
    Ok(Lease {
        company: cells.next()?,
        task: cells.next()?,
        attempt: cells.next()?,
        token: cells.next()?,
    })
}

fn is_held(db: &Db<'_>, lease: &Lease) -> Result<bool, Failure> {
    Ok(deadline(db, lease)?.is_some())
}

/// When the lease of an attempt ends; nothing where the attempt has ended.
pub(super) fn deadline(db: &Db<'_>, lease: &Lease) -> Result<Option<Timestamp>, Failure> {
    db.one(
        "SELECT lease_until FROM attempts
         WHERE company_id = ? AND kind = 'task' AND resource_id = ? AND number = ? AND token = ?
         AND ended_at IS NULL",
        bind![lease.company, lease.task, lease.attempt, lease.token],
        only,
    )
}

fn end_attempt(
    db: &Db<'_>,
    lease: &Lease,
    outcome: &str,
    error: Option<&TaskError>,
) -> Result<(), Failure> {
    db.execute(
        "UPDATE attempts SET ended_at = ?, outcome = ?, error = ?
         WHERE company_id = ? AND kind = 'task' AND resource_id = ? AND number = ?",
        bind![db.now, outcome, JsonOrNull(error), lease.company, lease.task, lease.attempt],
    )?;
    Ok(())
}

/// Ends the task with its attempt.
fn end(
    db: &Db<'_>,
    lease: &Lease,
    ending: &Ending,
    outcome: &Outcome,
    state: State,
) -> Result<(), Failure> {
    let mut result = None;
    let mut error = None;
    let (mut non_finite, mut warnings) = (&Vec::new(), &Vec::new());
    match outcome {
        Outcome::Completed { result: r, non_finite: n, warnings: w } => {
            result = Some(r);
            (non_finite, warnings) = (n, w);
        }
        Outcome::Failed(e) => error = Some(e),
        Outcome::Cancelled | Outcome::Retry { .. } | Outcome::HandBack => {}
    }
    let (result_bytes, result_digest, body) = parts(result);
    let measured = &ending.measured;
    end_attempt(db, lease, state.as_str(), error)?;
    db.execute(
        "UPDATE tasks SET state = ?, completed_at = ?, progress = ?, non_finite = ?, error = ?,
             warnings = ?, startup_ms = ?, execution_ms = ?, cpu_ms = ?, peak_memory_bytes = ?,
             warm = ?, result_bytes = ?, result_digest = ?, result = ?
         WHERE company_id = ? AND id = ?",
        bind![
            state,
            db.now,
            JsonOrNull(ending.progress.as_ref()),
            Json(non_finite),
            JsonOrNull(error),
            Json(warnings),
            measured.startup_ms,
            measured.execution_ms,
            measured.cpu_ms,
            measured.peak_memory_bytes,
            measured.warm,
            result_bytes,
            result_digest,
            body,
            lease.company,
            lease.task,
        ],
    )?;
    store_artifacts(db, lease.company, lease.task, &ending.artifacts)?;
    tell_end(db, lease, state, error)
}

fn tell_end(
    db: &Db<'_>,
    lease: &Lease,
    state: State,
    error: Option<&TaskError>,
) -> Result<(), Failure> {
    let Some(kind) = ended(state) else { return Ok(()) };
    let payload = end_of(state, lease.attempt, error);
    events::append(db, lease.company, kind, lease.task.0, &payload)
}

/// What is told of a task that ended.
pub(super) fn end_of(state: State, attempt: u32, error: Option<&TaskError>) -> Value {
    let mut payload = json!({ "status": state, "attempt": attempt });
    if let Some(error) = error {
        payload["error"] = json!({ "kind": error.kind, "message": error.message });
    }
    payload
}

/// The attempt counts, and the task waits for the next one.
fn retry(
    db: &Db<'_>,
    lease: &Lease,
    ending: &Ending,
    error: &TaskError,
    available_at: Timestamp,
) -> Result<(), Failure> {
    let measured = &ending.measured;
    end_attempt(db, lease, "retried", Some(error))?;
    db.execute(
        "UPDATE tasks SET progress = ?, startup_ms = ?, execution_ms = ?, cpu_ms = ?,
             peak_memory_bytes = ?, warm = ?
         WHERE company_id = ? AND id = ?",
        bind![
            JsonOrNull(ending.progress.as_ref()),
            measured.startup_ms,
            measured.execution_ms,
            measured.cpu_ms,
            measured.peak_memory_bytes,
            measured.warm,
            lease.company,
            lease.task,
        ],
    )?;
    requeue(db, lease, lease.attempt, available_at, Some(error))
}

/// The attempt leaves no trace but its events: its number is given again.
fn hand_back(db: &Db<'_>, lease: &Lease) -> Result<(), Failure> {
    db.execute(
        "DELETE FROM attempts
         WHERE company_id = ? AND kind = 'task' AND resource_id = ? AND number = ?",
        bind![lease.company, lease.task, lease.attempt],
    )?;
    requeue(db, lease, lease.attempt.saturating_sub(1), db.now, None)
}

/// Puts a task back into the queue, `counted` attempts behind it.
fn requeue(
    db: &Db<'_>,
    lease: &Lease,
    counted: u32,
    available_at: Timestamp,
    error: Option<&TaskError>,
) -> Result<(), Failure> {
    db.execute(
        "UPDATE tasks SET state = 'queued', attempt = ?, available_at = ?
         WHERE company_id = ? AND id = ?",
        bind![counted, available_at, lease.company, lease.task],
    )?;
    let mut payload = json!({
        "status": State::Queued, "attempt": lease.attempt, "available_at": available_at,
    });
    if let Some(error) = error {
        payload["error"] = json!({ "kind": error.kind, "message": error.message });
    }
    events::append(db, lease.company, Kind::TaskRetried, lease.task.0, &payload)
}

fn lost_worker(attempt: u32, max_attempts: u32) -> TaskError {
    let message = Text::new(
        format!(
            "The worker that ran this task vanished at attempt {attempt} of {max_attempts}. \
             The platform lost it, not the function: submit the task again, and tell the \
             operator if it keeps happening."
        ),
        format!(
            "Le worker qui exécutait cette tâche a disparu à la tentative {attempt} sur \
             {max_attempts}. La plateforme l'a perdue, pas la fonction : soumettez-la de \
             nouveau, et prévenez l'exploitant si cela se répète."
        ),
    );
    TaskError::new(ErrorKind::LostWorker, message)
}
