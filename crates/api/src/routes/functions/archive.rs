//! `GET /functions/{id}/archive`: the ZIP that a version was deployed from.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::app::App;
use crate::download::Sent;
use crate::extract::{Caller, Function, Params};
use crate::problem::Problem;

/// The ZIP that a version was deployed from, as it was uploaded.
#[utoipa::path(
    get,
    path = "/functions/{id}/archive",
    operation_id = "getArchive",
    tag = "functions",
    params(("id" = String, Path, description = "UUID, `name`, `name@version` or `company:name@version`")),
    responses((status = 200, description = "The archive", content_type = "application/zip", body = Vec<u8>)),
)]
pub(crate) async fn archive(
    State(app): State<App>,
    Caller(who): Caller,
    Function(reference): Function,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.finish()?;
    let (version, content) = app.engine.archive(&who, &reference).await?;
    let name = format!("{}-{}.zip", version.name, version.version);
    Ok(Sent::file(&name, "application/zip", version.archive).answer(content, &headers))
}
