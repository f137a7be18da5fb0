//! `POST /tasks/{id}/cancel`: waiting or running, it ends.

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

/// Cancels a task. A waiting one is cancelled when this answers; a running
/// one is being ended.
#[utoipa::path(
    post,
    path = "/tasks/{id}/cancel",
    operation_id = "cancelTask",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task's id")),
    responses(
        (status = 200, description = "It is cancelled", body = TaskBody),
        (status = 202, description = "It is being ended", body = TaskBody),
        (status = 409, description = "It had ended before"),
    ),
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Caller(who): Caller,
    Id(id): Id<TaskId>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let view = app.engine.cancel(&who, id).await?;
    let status = if view.task.state.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let inline = app.settings.limits.inline_result_bytes;
    Ok(json(status, &TaskBody::of(&view, inline, context.lang)))
}
