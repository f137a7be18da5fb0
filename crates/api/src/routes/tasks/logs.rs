//! `GET /tasks/{id}/logs`: what the function printed.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use domain::TaskId;

use crate::app::App;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// What a task wrote to standard output and error, so far.
#[utoipa::path(
    get,
    path = "/tasks/{id}/logs",
    operation_id = "getLogs",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task's id")),
    responses((status = 200, description = "The log", content_type = "text/plain", body = String)),
)]
pub(crate) async fn logs(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<TaskId>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let text = app.engine.logs(&who, id).await?;
    let media = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, media)], text).into_response())
}
