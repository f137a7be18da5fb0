//! `DELETE /companies/{id}/invitations/{invitation}`: its link leads nowhere
//! any more.

use axum::extract::State;
use axum::http::StatusCode;
use domain::{CompanyId, InvitationId};

use crate::app::App;
use crate::extract::id::TwoIds;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// Revokes an invitation that is open. Needs the role `company_admin`.
#[utoipa::path(
    delete,
    path = "/companies/{id}/invitations/{invitation}",
    operation_id = "revokeInvitation",
    tag = "companies",
    params(
        ("id" = Uuid, Path, description = "The company's id"),
        ("invitation" = Uuid, Path, description = "The invitation's id"),
    ),
    responses((status = 204, description = "It is revoked")),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(who): Caller,
    TwoIds(company, id): TwoIds<CompanyId, InvitationId>,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.finish()?;
    app.engine.revoke_invitation(&who, company, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
