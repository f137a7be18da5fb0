//! `GET /openapi.json`: the OpenAPI document, in the reader's language.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::reader::Reader;
use crate::app::App;

pub(crate) async fn openapi(State(app): State<App>, Reader(lang): Reader) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_LANGUAGE, lang.tag()),
        (header::VARY, "Accept-Language"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, app.docs.of(lang).openapi.clone()).into_response()
}
