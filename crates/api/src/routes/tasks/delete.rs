//! `DELETE /tasks/{id}`: a task that ended goes, with its files.

use axum::extract::State;
use axum::http::StatusCode;
use domain::TaskId;

use crate::app::App;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// Deletes a task that has ended, with its result, log and files.
#[utoipa::path(
    delete,
    path = "/tasks/{id}",
    operation_id = "deleteTask",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task's id")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 409, description = "It has not ended yet"),
    ),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<TaskId>,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.finish()?;
    app.engine.delete_task(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
