//! Tasks: accepted, read, cancelled, deleted. What happens to their
//! attempts stands in [`super::attempts`].

use async_trait::async_trait;
use domain::event::Kind;
use domain::task::State;
use domain::{CompanyId, Digest, TaskId, Timestamp, VersionId};
use serde_json::json;

use super::files::store_artifacts;
use super::rows::{Db, Failure, Json, JsonOrNull, bind};
use super::task_rows::{TASK, inputs, length, parts, task, task_with_result};
use super::{Database, Of, attempts, events, files};
use crate::page::paged;
use crate::tasks::{
    Artifact, Cancelled, Claim, Ending, Filter, Finished, InputsRef, Lease, NewTask, Task, Tasks,
};
use crate::{Cursor, Error, Page};

#[async_trait]
impl<D: Database> Tasks for D {
    async fn submit(&self, task: NewTask) -> Result<(), Error> {
        self.write("accept a task", Of::Tasks(task.task.company), move |db| submit(db, &task)).await
    }

    async fn task(&self, company: CompanyId, id: TaskId) -> Result<Option<Task>, Error> {
        self.look_up("read a task", move |db| {
            db.one(
                &format!(
                    "SELECT {TASK}, result FROM tasks
                     WHERE company_id = ? AND id = ? AND deleted_at IS NULL"
                ),
                bind![company, id],
                task_with_result,
            )
        })
        .await
    }

    async fn inputs(&self, company: CompanyId, id: TaskId) -> Result<Option<InputsRef>, Error> {
        self.look_up("read a task's inputs", move |db| {
            db.one(
                "SELECT i.bytes, i.digest, i.body FROM task_inputs i
                 JOIN tasks t ON t.company_id = i.company_id AND t.id = i.task_id
                 WHERE i.company_id = ? AND i.task_id = ? AND t.deleted_at IS NULL",
                bind![company, id],
                inputs,
            )
        })
        .await
    }

    async fn tasks(
        &self,
        company: CompanyId,
        filter: Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Task>, Error> {
        self.scan("list tasks", move |db| list(db, company, &filter, after, limit)).await
    }

    async fn claim(
        &self,
        company: CompanyId,
        id: TaskId,
        claim: Claim,
    ) -> Result<Option<(Task, InputsRef)>, Error> {
        self.write("claim a task", Of::Tasks(company), move |db| {
            attempts::claim(db, company, id, &claim)
        })
        .await
    }

    async fn finish(&self, lease: Lease, ending: Ending) -> Result<Finished, Error> {
        self.write("finish a task", Of::Tasks(lease.company), move |db| {
            attempts::finish(db, &lease, &ending)
        })
        .await
    }

    async fn cancel(&self, company: CompanyId, id: TaskId) -> Result<Cancelled, Error> {
        self.write("cancel a task", Of::Company(company), move |db| cancel(db, company, id)).await
    }

    async fn delete_task(&self, company: CompanyId, id: TaskId) -> Result<bool, Error> {
        self.write("delete a task", Of::Company(company), move |db| {
            let deleted = db.execute(
                "UPDATE tasks SET deleted_at = ?
                 WHERE company_id = ? AND id = ? AND deleted_at IS NULL
                 AND state IN ('completed', 'failed', 'cancelled')",
                bind![db.now, company, id],
            )?;
            Ok(deleted == 1)
        })
        .await
    }

    async fn artifacts(&self, company: CompanyId, task: TaskId) -> Result<Vec<Artifact>, Error> {
        self.look_up("list a task's artifacts", move |db| files::artifacts(db, company, task)).await
    }

    async fn cached_result(
        &self,
        company: CompanyId,
        version: VersionId,
        key: Digest,
        since: Timestamp,
    ) -> Result<Option<Task>, Error> {
        self.look_up("look for an earlier result", move |db| {
            db.one(
                &format!(
                    "SELECT {TASK}, result FROM tasks
                     WHERE company_id = ? AND version_id = ? AND cache_key = ?
                     AND state = 'completed' AND cached = FALSE AND completed_at > ?
                     AND deleted_at IS NULL ORDER BY completed_at DESC LIMIT 1"
                ),
                bind![company, version, key, since],
                task_with_result,
            )
        })
        .await
    }
}

fn submit(db: &Db<'_>, new: &NewTask) -> Result<(), Failure> {
    let NewTask { task, inputs, cache_key, claim, artifacts } = new;
    let (state, attempt, worker, started_at) = match claim {
        Some(claim) => (
            if task.state.is_final() { task.state } else { State::Running },
            claim.attempt,
            Some(claim.worker),
            Some(task.started_at.unwrap_or(db.now)),
        ),
        None => (task.state, task.attempt, task.worker, task.started_at),
    };
    let completed_at = task.completed_at.or(Some(db.now)).filter(|_| state.is_final());
    let (result_bytes, result_digest, result) = parts(task.result.as_ref());
    let measured = task.measured.as_ref();
    db.execute(
        &format!(
            "INSERT INTO tasks ({TASK}, result, cache_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
             ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ),
        bind![
            task.company,
            task.id,
            task.name,
            task.user,
            task.function,
            task.version,
            task.version_number,
            state,
            task.priority,
            task.class,
            task.expected_ms,
            task.timeout_ms,
            task.retry.max_attempts,
            task.retry.backoff_s,
            task.retry.on_user_error,
            attempt,
            worker,
            task.cancel_requested,
            task.created_at,
            task.available_at,
            started_at,
            completed_at,
            JsonOrNull(task.progress.as_ref()),
            Json(&task.non_finite),
            JsonOrNull(task.error.as_ref()),
            Json(&task.warnings),
            measured.map(|m| m.startup_ms),
            measured.map(|m| m.execution_ms),
            measured.map(|m| m.cpu_ms),
            measured.map(|m| m.peak_memory_bytes),
            measured.map(|m| m.warm),
            task.cached,
            result_bytes,
            result_digest,
            result,
            *cache_key,
        ],
    )
    .map_err(|e| e.taken("task", task.id))?;
    let (bytes, digest, body) = match inputs {
        InputsRef::Inline(body) => (length(body), None, Some(body)),
        InputsRef::Blob { digest, bytes } => (*bytes, Some(*digest), None),
    };
    db.execute(
        "INSERT INTO task_inputs (company_id, task_id, bytes, digest, body)
         VALUES (?, ?, ?, ?, ?)",
        bind![task.company, task.id, bytes, digest, body],
    )?;
    let error = task.error.as_ref();
    if let Some(claim) = claim {
        let ended = Some((state, error)).filter(|_| state.is_final());
        let began = started_at.unwrap_or(db.now);
        attempts::insert(db, task.company, task.id, claim, began, ended)?;
    }
    store_artifacts(db, task.company, task.id, artifacts)?;
    let mut told = vec![(
        Kind::TaskQueued,
        json!({ "status": State::Queued, "class": task.class, "priority": task.priority }),
    )];
    if let Some(claim) = claim {
        told.push((Kind::TaskRunning, attempts::begun(claim)));
    }
    if let Some(kind) = ended(state) {
        let mut payload = attempts::end_of(state, attempt, error);
        if task.cached {
            payload["cached"] = json!(true);
        }
        told.push((kind, payload));
    }
    let told: Vec<_> = told.iter().map(|(kind, payload)| (*kind, payload)).collect();
    events::append_all(db, task.company, task.id.0, &told)
}

fn list(
    db: &Db<'_>,
    company: CompanyId,
    filter: &Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<Task>, Failure> {
    // One text for each set of filters, not `? IS NULL OR …`: only so can the
    // index of a filter be chosen.
    let mut sql = format!("SELECT {TASK} FROM tasks WHERE company_id = ? AND deleted_at IS NULL");
    let mut values = bind![company].to_vec();
    if let Some(state) = &filter.state {
        // A word of our own, not a placeholder: a partial index is chosen by
        // what stands in the text.
        sql.push_str(&format!(" AND state = '{}'", state.as_str()));
    }
    if let Some(function) = &filter.function {
        sql.push_str(" AND function_id = ?");
        values.extend_from_slice(bind![*function]);
    }
    if let Some(user) = &filter.user {
        sql.push_str(" AND user_id = ?");
        values.extend_from_slice(bind![*user]);
    }
    let before = after.map(|cursor| cursor.0);
    if let Some(before) = &before {
        sql.push_str(" AND id < ?");
        values.extend_from_slice(bind![*before]);
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    let one_more = u64::from(limit) + 1;
    values.extend_from_slice(bind![one_more]);
    let found = db.all(&sql, &values, |cells| task(cells).map(|(task, _)| task))?;
    Ok(paged(found, limit, |task| task.id.0))
}

fn cancel(db: &Db<'_>, company: CompanyId, id: TaskId) -> Result<Cancelled, Failure> {
    let state = db.one(
        "SELECT state, attempt FROM tasks
         WHERE company_id = ? AND id = ? AND deleted_at IS NULL",
        bind![company, id],
        |cells| Ok((cells.next::<State>()?, cells.next::<u32>()?)),
    )?;
    match state {
        None => Ok(Cancelled::NotFound),
        Some((State::Queued, attempt)) => {
            db.execute(
                "UPDATE tasks SET state = 'cancelled', completed_at = ?
                 WHERE company_id = ? AND id = ?",
                bind![db.now, company, id],
            )?;
            let payload = json!({ "status": State::Cancelled, "attempt": attempt });
            events::append(db, company, Kind::TaskCancelled, id.0, &payload)?;
            Ok(Cancelled::Done)
        }
        Some((State::Running, _)) => {
            db.execute(
                "UPDATE tasks SET cancel_requested = TRUE WHERE company_id = ? AND id = ?",
                bind![company, id],
            )?;
            Ok(Cancelled::Requested)
        }
        Some((state, _)) => Ok(Cancelled::AlreadyEnded(state)),
    }
}

/// The event of a final state.
pub(super) fn ended(state: State) -> Option<Kind> {
    match state {
        State::Queued | State::Running => None,
        State::Completed => Some(Kind::TaskCompleted),
        State::Failed => Some(Kind::TaskFailed),
        State::Cancelled => Some(Kind::TaskCancelled),
    }
}
