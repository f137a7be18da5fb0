//! `GET /openapi.json`: the OpenAPI document.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::app::App;

pub(crate) async fn openapi(State(app): State<App>) -> Response {
    let media = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, media)], app.docs.openapi.clone()).into_response()
}
