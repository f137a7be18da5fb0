//! `POST /auth/password`: the caller's own password.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::json::TEXT;
use crate::extract::{Caller, JsonBody, Params};
use crate::problem::Problem;

/// A password to be.
#[derive(ToSchema)]
#[schema(as = SetPassword)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct PasswordBody {
    /// The present password; only a user who has none may leave it out.
    current_password: Option<String>,
    /// The new one, 12 to 256 characters.
    #[schema(min_length = 12, max_length = 256)]
    new_password: String,
}

/// Sets the caller's own password and ends the caller's other sessions.
#[utoipa::path(
    post,
    path = "/auth/password",
    operation_id = "setPassword",
    tag = "auth",
    request_body = PasswordBody,
    responses((status = 204, description = "It is set; other sessions have ended")),
)]
pub(crate) async fn password(
    State(app): State<App>,
    Caller(who): Caller,
    params: Params,
    body: JsonBody,
) -> Result<StatusCode, Problem> {
    params.finish()?;
    let mut fields = body.fields()?;
    let present = fields.optional::<String>("current_password", TEXT);
    let new = fields.text("new_password");
    fields.finish()?;
    app.engine.set_password(&who, present, new).await?;
    Ok(StatusCode::NO_CONTENT)
}
