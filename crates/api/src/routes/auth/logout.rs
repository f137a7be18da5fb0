//! `POST /auth/logout`: the session or token of the request ends.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::cookie;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// Ends the session of the cookie, or revokes the token of the request.
#[utoipa::path(
    post,
    path = "/auth/logout",
    operation_id = "logOut",
    tag = "auth",
    responses((status = 204, description = "It is refused from now on")),
)]
pub(crate) async fn logout(
    State(app): State<App>,
    Caller(who): Caller,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    app.engine.log_out(&who).await?;
    let cookie = [(header::SET_COOKIE, cookie::clear(&headers))];
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}
