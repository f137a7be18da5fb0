//! `GET /tasks/{id}/artifacts`: the files that a run produced.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::TaskId;
use engine::store::tasks::Artifact;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// A file that a run produced.
#[derive(Serialize, ToSchema)]
#[schema(as = Artifact)]
pub(crate) struct ArtifactBody {
    /// Its id, which is also its reference as an input of other functions.
    artifact_id: Uuid,
    /// Its path below the outputs folder.
    name: String,
    /// Its media type, by its name's ending.
    media_type: String,
    /// Its size in bytes.
    size: u64,
    /// SHA-256 of its content, in hexadecimal.
    sha256: String,
    /// Path of its content.
    url: String,
}

/// The files that a task produced.
#[utoipa::path(
    get,
    path = "/tasks/{id}/artifacts",
    operation_id = "listArtifacts",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task's id")),
    responses((status = 200, description = "All of them", body = Page<ArtifactBody>)),
)]
pub(crate) async fn artifacts(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<TaskId>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let artifacts = app.engine.artifacts(&who, id).await?;
    let items = artifacts.into_iter().map(|artifact| view(id, artifact)).collect();
    Ok(json(StatusCode::OK, &Page::whole(items)))
}

fn view(task: TaskId, artifact: Artifact) -> ArtifactBody {
    ArtifactBody {
        artifact_id: artifact.id.0,
        url: format!("/tasks/{task}/artifacts/{}", artifact.id),
        name: artifact.name,
        media_type: artifact.media_type,
        size: artifact.bytes,
        sha256: artifact.digest.hex(),
    }
}
