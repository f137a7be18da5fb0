//! `GET /companies`: all of them, for platform admins.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::view::CompanyBody;
use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// All companies. Needs the role `admin`.
#[utoipa::path(
    get,
    path = "/companies",
    operation_id = "listCompanies",
    tag = "companies",
    params(
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 200; 50 by default"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of companies", body = Page<CompanyBody>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    mut params: Params,
) -> Result<Response, Problem> {
    let (after, limit) = params.page();
    params.finish()?;
    let page = app.engine.companies(&who, after, limit).await?;
    Ok(json(StatusCode::OK, &Page::of(page, CompanyBody::from)))
}
