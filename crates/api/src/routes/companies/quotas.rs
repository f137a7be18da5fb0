//! `GET` and `PUT /companies/{id}/quotas`: what bounds a company.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::CompanyId;

use super::view::{QuotasBody, read_quotas};
use crate::answer::json;
use crate::app::App;
use crate::extract::{Caller, Id, JsonBody, Params};
use crate::problem::Problem;

/// What bounds a company.
#[utoipa::path(
    get,
    path = "/companies/{id}/quotas",
    operation_id = "getQuotas",
    tag = "companies",
    params(("id" = Uuid, Path, description = "The company's id")),
    responses((status = 200, description = "The quotas", body = QuotasBody)),
)]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<CompanyId>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let company = app.engine.company(&who, id).await?;
    Ok(json(StatusCode::OK, &QuotasBody::from(&company)))
}

/// Sets what bounds a company; what is missing is as at first. Needs the
/// role `admin`.
#[utoipa::path(
    put,
    path = "/companies/{id}/quotas",
    operation_id = "setQuotas",
    tag = "companies",
    params(("id" = Uuid, Path, description = "The company's id")),
    request_body = QuotasBody,
    responses((status = 200, description = "The quotas as they are now", body = QuotasBody)),
)]
pub(crate) async fn put(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<CompanyId>,
    params: Params,
    body: JsonBody,
) -> Result<Response, Problem> {
    params.finish()?;
    let mut fields = body.fields()?;
    let quotas = read_quotas(&mut fields);
    fields.finish()?;
    let company = app.engine.set_quotas(&who, id, quotas).await?;
    Ok(json(StatusCode::OK, &QuotasBody::from(&company)))
}
