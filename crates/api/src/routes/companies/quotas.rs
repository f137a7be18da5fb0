//! `GET` and `PUT /companies/{id}/quotas`: what bounds a company.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::{CompanyId, Text};
use utoipa::ToSchema;

use super::view::{QuotasBody, read_quotas};
use crate::answer::json;
use crate::app::App;
use crate::extract::{Caller, Id, JsonBody, Params};
use crate::problem::{Code, Problem};

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

/// What is to bound a company; what is missing is as at first.
#[derive(ToSchema)]
#[schema(as = SetQuotas)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct SetQuotas {
    /// Its share of the workers relative to the others; 1 by default.
    #[schema(exclusive_minimum = 0)]
    weight: Option<f64>,
    /// Tasks it may run at once.
    #[schema(maximum = 4294967295_u32)]
    max_running: Option<u32>,
    /// Tasks it may have waiting.
    #[schema(maximum = 4294967295_u32)]
    max_queued: Option<u32>,
    /// Tasks it may have accepted in a day, from midnight in UTC.
    #[schema(maximum = 9007199254740991_i64)]
    max_tasks_per_day: Option<u64>,
    /// CPU seconds after which a day's further tasks are refused.
    #[schema(minimum = 0)]
    max_cpu_seconds_per_day: Option<f64>,
    /// Bytes of files, artifacts and large results that it may keep.
    #[schema(maximum = 9007199254740991_i64)]
    max_storage_bytes: Option<u64>,
}

/// Sets what bounds a company; what is missing is as at first. Needs the
/// role `admin`.
#[utoipa::path(
    put,
    path = "/companies/{id}/quotas",
    operation_id = "setQuotas",
    tag = "companies",
    params(("id" = Uuid, Path, description = "The company's id")),
    request_body = SetQuotas,
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
    // A client that lost its body does not mean to lift every bound.
    if body.bytes().is_empty() {
        return Err(Problem::new(
            Code::InvalidBody,
            Text::new(
                "The body is missing. `{}` sets every quota as at first.",
                "Le corps manque. `{}` remet chaque quota à sa valeur initiale.",
            ),
        ));
    }
    let mut fields = body.fields()?;
    let quotas = read_quotas(&mut fields);
    fields.finish()?;
    let company = app.engine.set_quotas(&who, id, quotas).await?;
    Ok(json(StatusCode::OK, &QuotasBody::from(&company)))
}
