//! `GET /files/{ref}`: an uploaded file, or an artifact by its reference.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::FileId;

use crate::app::App;
use crate::download::Sent;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// The content of an uploaded file, or of a file that a task produced.
#[utoipa::path(
    get,
    path = "/files/{ref}",
    operation_id = "getFile",
    tag = "files",
    params(("ref" = Uuid, Path, description = "The file's reference")),
    responses((status = 200, description = "The content", content_type = "application/octet-stream", body = Vec<u8>)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<FileId>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.finish()?;
    let file = app.engine.download(&who, &id.to_string()).await?;
    Ok(Sent::file(&file.name, &file.media_type, file.digest).answer(file.content, &headers))
}
