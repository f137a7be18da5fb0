//! A task as callers see it.

use domain::task::{Progress, TaskError};
use domain::{FunctionId, Lang, Timestamp};
use engine::TaskView;
use engine::store::tasks::{ResultRef, Task};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::problem::body::FaultBody;

/// One calculation.
#[derive(Serialize, ToSchema)]
#[schema(as = Task)]
pub(crate) struct TaskBody<'a> {
    /// Its id.
    task_id: Uuid,
    /// What it is called: the function's name, or that of the ad-hoc code.
    name: &'a str,
    /// Who submitted it.
    user_id: Uuid,
    /// The function's name; null for ad-hoc code.
    function: Option<&'a str>,
    /// The function's id; null for ad-hoc code.
    function_id: Option<Uuid>,
    /// The version's number; null for ad-hoc code.
    version: Option<&'a str>,
    /// `queued`, `running`, `completed`, `failed` or `cancelled`.
    status: &'static str,
    /// 0 to 9; 9 is the most urgent.
    priority: u8,
    /// `high_priority`, `default` or `long_running`.
    queue_class: &'static str,
    /// Tasks ahead of it in its company and class; null unless it is queued.
    queue_position: Option<u64>,
    /// What the run told last of how far it is.
    #[schema(value_type = Option<ProgressBody>)]
    progress: Option<&'a Progress>,
    /// The result, its bytes as the function wrote them; null where there is
    /// none or where it is larger than 256 KB, then see `result_url`.
    #[schema(value_type = Option<Object>)]
    result: Option<&'a RawValue>,
    /// Path of the result's exact bytes, once there is one.
    result_url: Option<String>,
    /// JSON Pointers of NaN and infinities in the result.
    non_finite: &'a [String],
    /// Why it failed.
    error: Option<ErrorBody<'a>>,
    /// Warnings on its result.
    warnings: Vec<FaultBody<'a>>,
    /// The number of its current or last attempt; 0 before the first.
    attempt: u32,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its current or last attempt began.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
    /// From acceptance to its start, in seconds.
    queue_time: Option<f64>,
    /// From its start to the first line of the function, in seconds.
    startup_time: Option<f64>,
    /// From the first line of the function to its end, in seconds.
    execution_time: Option<f64>,
    /// CPU seconds of all its processes.
    cpu_time: Option<f64>,
    /// Most memory it held, in bytes.
    peak_memory: Option<u64>,
    /// Whether it ran in a process that was prepared ahead.
    warm: Option<bool>,
    /// Whether its result was taken from an earlier run with the same inputs.
    cached: bool,
    /// The worker of its current or last attempt.
    worker: Option<Uuid>,
}

/// How far a run is.
#[derive(ToSchema)]
#[schema(as = Progress)]
#[expect(dead_code, reason = "describes domain::task::Progress in the OpenAPI document")]
pub(crate) struct ProgressBody {
    /// Steps done.
    step: f64,
    /// Steps in all, where known.
    total: Option<f64>,
    /// What it is doing.
    message: Option<String>,
}

/// Why a task failed.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskError)]
pub(crate) struct ErrorBody<'a> {
    /// `user_error`, `timeout`, `out_of_memory`, `killed`,
    /// `output_too_large`, `invalid_output`, `lost_worker` or `internal`.
    kind: &'static str,
    /// What happened and what to do, in the caller's language.
    message: &'a str,
    /// The Python exception's type, for `user_error`.
    exception: Option<&'a str>,
    /// The function's own frames.
    traceback: Option<&'a str>,
    /// JSON Pointer into the result, for `invalid_output`.
    pointer: Option<&'a str>,
    /// The limit that was hit, in `unit`.
    limit: Option<f64>,
    /// What was measured, in `unit`.
    measured: Option<f64>,
    /// `s` or `bytes`.
    unit: Option<&'a str>,
}

impl<'a> TaskBody<'a> {
    /// One task, with what is known of it beyond the database.
    pub(crate) fn of(view: &'a TaskView, inline_bytes: u64, lang: Lang) -> Self {
        let task = &*view.task;
        Self {
            queue_position: view.position,
            progress: view.progress.as_ref(),
            result: inline(task, inline_bytes),
            ..Self::listed(task, lang)
        }
    }

    /// A task of a listing: without its result and its place.
    pub(crate) fn listed(task: &'a Task, lang: Lang) -> Self {
        let completed = task.state == domain::task::State::Completed;
        let measured = task.measured.as_ref();
        let seconds = |ms: f64| ms / 1e3;
        let is_deployed = task.function != FunctionId::AD_HOC;
        Self {
            task_id: task.id.0,
            name: &task.name,
            user_id: task.user.0,
            function: is_deployed.then_some(&task.name),
            function_id: is_deployed.then_some(task.function.0),
            version: is_deployed.then_some(&task.version_number),
            status: task.state.as_str(),
            priority: task.priority.into(),
            queue_class: task.class.as_str(),
            queue_position: None,
            progress: task.progress.as_ref(),
            result: None,
            result_url: completed.then(|| format!("/tasks/{}/result", task.id)),
            non_finite: &task.non_finite,
            error: task.error.as_ref().map(|error| ErrorBody::of(error, lang)),
            warnings: task.warnings.iter().map(|fault| FaultBody::of(fault, lang)).collect(),
            attempt: task.attempt,
            created_at: task.created_at,
            started_at: task.started_at,
            completed_at: task.completed_at,
            queue_time: task.started_at.map(|at| at.since(task.created_at).as_secs_f64()),
            startup_time: measured.map(|m| seconds(m.startup_ms)),
            execution_time: measured.map(|m| seconds(m.execution_ms)),
            cpu_time: measured.map(|m| seconds(m.cpu_ms)),
            peak_memory: measured.map(|m| m.peak_memory_bytes),
            warm: measured.map(|m| m.warm),
            cached: task.cached,
            worker: task.worker.map(|worker| worker.0),
        }
    }
}

impl<'a> ErrorBody<'a> {
    /// An error in the caller's language.
    pub(crate) fn of(error: &'a TaskError, lang: Lang) -> Self {
        Self {
            kind: error.kind.as_str(),
            message: error.message.get(lang),
            exception: error.exception.as_deref(),
            traceback: error.traceback.as_deref(),
            pointer: error.pointer.as_deref(),
            limit: error.limit,
            measured: error.measured,
            unit: error.unit.as_deref(),
        }
    }
}

/// The result's own bytes, where they are small enough to stand in a task.
fn inline(task: &Task, most_bytes: u64) -> Option<&RawValue> {
    match &task.result {
        Some(ResultRef::Inline(bytes)) if bytes.len() as u64 <= most_bytes => {
            let read = serde_json::from_slice(bytes);
            if let Err(error) = &read {
                tracing::error!(task.id = %task.id, %error, "a stored result is not JSON");
            }
            read.ok()
        }
        _ => None,
    }
}
