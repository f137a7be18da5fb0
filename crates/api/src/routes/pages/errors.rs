//! `GET /docs/errors/{code}`: the page that a problem's `type` points to.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::html;
use crate::context::Context;
use crate::problem::{Code, Problem};

pub(crate) async fn error(
    Extension(context): Extension<Arc<Context>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let code = Code::ALL.iter().find(|code| code.as_str() == name);
    let code = code.ok_or_else(Problem::not_found)?;
    if html::wanted(&headers) {
        let body = html::markdown(code.page());
        let page = html::page(code.title(context.lang), context.lang, &body);
        return Ok(html::answer(page.into(), context.lang));
    }
    let media = HeaderValue::from_static("text/markdown; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, media)], code.page()).into_response())
}
