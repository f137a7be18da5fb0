//! `GET /metrics`: for Prometheus, without a login and without a name in it.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::app::App;

/// Measurements in Prometheus' text format. None carries the name of a
/// company, user or function.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operations",
    security(()),
    responses((status = 200, description = "The measurements", content_type = "text/plain", body = String)),
)]
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let text = app.settings.metrics.as_ref().map(|handle| handle.render()).unwrap_or_default();
    let media = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, media)], text).into_response()
}
