//! `GET /tasks/{id}`: the task, with its result where that is small.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::TaskId;

use super::view::TaskBody;
use crate::answer::json;
use crate::app::App;
use crate::context::Context;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// A task. `wait` holds the answer back until it has ended.
#[utoipa::path(
    get,
    path = "/tasks/{id}",
    operation_id = "getTask",
    tag = "tasks",
    params(
        ("id" = Uuid, Path, description = "The task's id"),
        ("wait" = Option<f64>, Query, description = "Seconds to wait for the end, up to 60; decimals allowed"),
    ),
    responses((status = 200, description = "The task as it is", body = TaskBody)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Caller(who): Caller,
    Id(id): Id<TaskId>,
    mut params: Params,
) -> Result<Response, Problem> {
    let wait = params.wait();
    params.finish()?;
    let waited = match wait {
        Some(wait) => app.unless_stopping(app.engine.wait(&who, id, wait)).await,
        None => None,
    };
    let view = match waited {
        Some(view) => view?,
        None => app.engine.task(&who, id).await?,
    };
    let inline = app.settings.limits.inline_result_bytes;
    Ok(json(StatusCode::OK, &TaskBody::of(&view, inline, context.lang)))
}
