//! `GET /metrics`: for Prometheus, without a login and without a name in it.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::process;
use crate::app::App;
use crate::problem::Problem;

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
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let mut text = String::new();
    if let Some(metrics) = &app.settings.metrics {
        app.engine.observe().await?;
        text = metrics.render() + &process::text();
    }
    let media = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, media)], text).into_response())
}
