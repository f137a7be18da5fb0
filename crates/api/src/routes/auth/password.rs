//! `POST /auth/password`: the caller's own password.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa::ToSchema;

use crate::app::App;
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
    const TEXT: (&str, &str) = ("a text", "un texte");
    params.finish()?;
    let mut fields = body.fields()?;
    let present = fields.optional::<String>("current_password", TEXT);
    let new = fields.required::<String>("new_password", TEXT);
    fields.finish()?;
    app.engine.set_password(&who, present, new.unwrap_or_default()).await?;
    Ok(StatusCode::NO_CONTENT)
}
