//! `GET /companies/{id}/members`: who belongs to a company.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::CompanyId;

use super::view::MemberBody;
use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// The members of a company.
#[utoipa::path(
    get,
    path = "/companies/{id}/members",
    operation_id = "listMembers",
    tag = "companies",
    params(("id" = Uuid, Path, description = "The company's id")),
    responses((status = 200, description = "All of them", body = Page<MemberBody>)),
)]
pub(crate) async fn members(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<CompanyId>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let members = app.engine.members(&who, id).await?;
    let items = members.into_iter().map(MemberBody::from).collect();
    Ok(json(StatusCode::OK, &Page::whole(items)))
}
