//! `POST /auth/company`: the session acts for another company.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::CompanyId;
use engine::access::csrf_token;
use utoipa::ToSchema;
use uuid::Uuid;

use super::me::AccountBody;
use crate::answer::json;
use crate::app::App;
use crate::cookie;
use crate::extract::{Caller, JsonBody, Params};
use crate::problem::Problem;

/// A company to act for.
#[derive(ToSchema)]
#[schema(as = SwitchCompany)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct SwitchBody {
    /// One of `companies` in the caller's account.
    company_id: Uuid,
}

/// Has the session act for another of the user's companies, in all of its
/// pages.
#[utoipa::path(
    post,
    path = "/auth/company",
    operation_id = "switchCompany",
    tag = "auth",
    params(("X-CSRF-Token" = String, Header, description = "The `csrf_token` of GET /auth/me")),
    request_body = SwitchBody,
    responses((status = 200, description = "The account as it is now", body = AccountBody)),
)]
pub(crate) async fn company(
    State(app): State<App>,
    Caller(who): Caller,
    headers: HeaderMap,
    params: Params,
    body: JsonBody,
) -> Result<Response, Problem> {
    params.finish()?;
    let mut fields = body.fields()?;
    let company = fields.required::<CompanyId>("company_id", ("a UUID", "un UUID"));
    fields.finish()?;
    let Some(company) = company else { return Err(Problem::not_found()) };
    let who = app.engine.switch_company(&who, company).await?;
    let account = app.engine.account(&who).await?;
    let csrf = cookie::session(&headers).map(csrf_token);
    Ok(json(StatusCode::OK, &AccountBody::new(account, &who, csrf)))
}
