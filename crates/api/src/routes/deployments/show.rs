//! `GET /deployments/{id}`: its stages with their durations, and its faults.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::DeploymentId;

use super::view::DeploymentBody;
use crate::answer::json;
use crate::app::App;
use crate::context::Context;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// A deployment: its stages with their durations, and what refused it.
#[utoipa::path(
    get,
    path = "/deployments/{id}",
    operation_id = "getDeployment",
    tag = "deployments",
    params(("id" = Uuid, Path, description = "The deployment's id")),
    responses((status = 200, description = "The deployment", body = DeploymentBody)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Caller(who): Caller,
    Id(id): Id<DeploymentId>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let deployment = app.engine.deployment(&who, id).await?;
    Ok(json(StatusCode::OK, &DeploymentBody::of(&deployment, context.lang)))
}
