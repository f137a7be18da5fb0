//! `GET /companies/{id}`: the caller's own company, or any for admins.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::CompanyId;

use super::view::CompanyBody;
use crate::answer::json;
use crate::app::App;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// A company: the caller's own, or any for platform admins.
#[utoipa::path(
    get,
    path = "/companies/{id}",
    operation_id = "getCompany",
    tag = "companies",
    params(("id" = Uuid, Path, description = "The company's id")),
    responses((status = 200, description = "The company", body = CompanyBody)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<CompanyId>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let company = app.engine.company(&who, id).await?;
    Ok(json(StatusCode::OK, &CompanyBody::from(company)))
}
