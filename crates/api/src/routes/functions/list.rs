//! `GET /functions`: search by text, tag and category.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine::store::functions::Filter;

use super::view::Summary;
use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// The company's functions, newest first.
#[utoipa::path(
    get,
    path = "/functions",
    operation_id = "listFunctions",
    tag = "functions",
    params(
        ("text" = Option<String>, Query, description = "Words in name or description"),
        ("tag" = Option<String>, Query, description = "A tag, exactly"),
        ("category" = Option<String>, Query, description = "A category, exactly"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 200; 50 by default"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of functions", body = Page<Summary>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    mut params: Params,
) -> Result<Response, Problem> {
    let filter = Filter {
        text: params.text("text"),
        tag: params.text("tag"),
        category: params.text("category"),
    };
    let (after, limit) = params.page();
    params.finish()?;
    let page = app.engine.functions(&who, filter, after, limit).await?;
    Ok(json(StatusCode::OK, &Page::of(page, Summary::from)))
}
