//! `GET /tokens`: the caller's own tokens.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::view::TokenBody;
use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// The caller's own tokens in this company, newest first.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "listTokens",
    tag = "tokens",
    responses((status = 200, description = "All of them", body = Page<TokenBody>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let tokens = app.engine.tokens(&who).await?;
    let items = tokens.into_iter().map(TokenBody::from).collect();
    Ok(json(StatusCode::OK, &Page::whole(items)))
}
