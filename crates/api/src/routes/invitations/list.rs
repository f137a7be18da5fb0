//! `GET /companies/{id}/invitations`: open and past ones.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::CompanyId;

use super::view::InvitationBody;
use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// The invitations of a company, the newest thousand first. Needs the role
/// `company_admin`.
#[utoipa::path(
    get,
    path = "/companies/{id}/invitations",
    operation_id = "listInvitations",
    tag = "companies",
    params(("id" = Uuid, Path, description = "The company's id")),
    responses((status = 200, description = "All of them", body = Page<InvitationBody>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<CompanyId>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let invitations = app.engine.invitations(&who, id).await?;
    let items = invitations.into_iter().map(InvitationBody::from).collect();
    Ok(json(StatusCode::OK, &Page::whole(items)))
}
