//! `GET /functions/{id}`: one version, the newest where none is named.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::view::VersionBody;
use crate::answer::json;
use crate::app::App;
use crate::context::Context;
use crate::extract::{Caller, Function, Params};
use crate::problem::Problem;

/// A function: its schemas, limits, environment and description.
#[utoipa::path(
    get,
    path = "/functions/{id}",
    operation_id = "getFunction",
    tag = "functions",
    params(("id" = String, Path, description = "UUID, `name`, `name@version` or `company:name@version`")),
    responses((status = 200, description = "The version meant", body = VersionBody)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Caller(who): Caller,
    Function(reference): Function,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let deployed = app.engine.function(&who, &reference).await?;
    Ok(json(StatusCode::OK, &VersionBody::of(&deployed.version, context.lang)))
}
