//! `GET /tasks/{id}/artifacts/{artifact}`: one file that a run produced.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{ArtifactId, TaskId};

use crate::app::App;
use crate::download::Sent;
use crate::extract::id::TwoIds;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// The content of a file that a task produced.
#[utoipa::path(
    get,
    path = "/tasks/{id}/artifacts/{artifact}",
    operation_id = "getArtifact",
    tag = "tasks",
    params(
        ("id" = Uuid, Path, description = "The task's id"),
        ("artifact" = Uuid, Path, description = "The artifact's id"),
    ),
    responses((status = 200, description = "The content", content_type = "application/octet-stream", body = Vec<u8>)),
)]
pub(crate) async fn artifact(
    State(app): State<App>,
    Caller(who): Caller,
    TwoIds(task, id): TwoIds<TaskId, ArtifactId>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.finish()?;
    let (artifact, content) = app.engine.artifact(&who, task, id).await?;
    let sent = Sent::file(&artifact.name, &artifact.media_type, artifact.digest);
    Ok(sent.answer(content, &headers))
}
