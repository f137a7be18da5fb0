//! `DELETE /companies/{id}/members/{user}`: a member goes, with its tokens.

use axum::extract::State;
use axum::http::StatusCode;
use domain::{CompanyId, UserId};

use crate::app::App;
use crate::extract::id::TwoIds;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// Takes a user out of a company and revokes its tokens there. Needs the
/// role `company_admin`.
#[utoipa::path(
    delete,
    path = "/companies/{id}/members/{user}",
    operation_id = "removeMember",
    tag = "companies",
    params(
        ("id" = Uuid, Path, description = "The company's id"),
        ("user" = Uuid, Path, description = "The user's id"),
    ),
    responses((status = 204, description = "The user is no member any more")),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    Caller(who): Caller,
    TwoIds(company, user): TwoIds<CompanyId, UserId>,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.finish()?;
    app.engine.remove_member(&who, company, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
