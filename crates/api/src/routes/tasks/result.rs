//! `GET /tasks/{id}/result`: the exact bytes that the function returned.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::TaskId;

use crate::app::App;
use crate::download::Sent;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// A task's result: the bytes that its function wrote, of any size.
#[utoipa::path(
    get,
    path = "/tasks/{id}/result",
    operation_id = "getResult",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task's id")),
    responses(
        (status = 200, description = "The result", content_type = "application/json", body = Object),
        (status = 304, description = "The caller has it already, by `If-None-Match`"),
        (status = 409, description = "The task has no result, or not yet"),
    ),
)]
pub(crate) async fn result(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<TaskId>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.finish()?;
    let content = app.engine.result(&who, id).await?;
    Ok(Sent::json(id).answer(content, &headers))
}
