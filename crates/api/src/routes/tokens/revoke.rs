//! `DELETE /tokens/{id}`: a token is refused from the next request on.

use axum::extract::State;
use axum::http::StatusCode;
use domain::TokenId;

use crate::app::App;
use crate::extract::{Caller, Id, Params};
use crate::problem::Problem;

/// Revokes a token of the caller, or of a member for the role
/// `company_admin`.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    operation_id = "revokeToken",
    tag = "tokens",
    params(("id" = Uuid, Path, description = "The token's id")),
    responses((status = 204, description = "It is revoked")),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<TokenId>,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.finish()?;
    app.engine.revoke_token(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
