//! `GET /`: what this is, as JSON for programs and as a page for browsers.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::reader::Reader;
use super::{docs, frame};
use crate::answer::json;
use crate::app::App;

#[derive(Serialize)]
struct Index {
    name: &'static str,
    version: &'static str,
    description: &'static str,
    documentation: &'static str,
    openapi: &'static str,
    health: &'static str,
}

pub(crate) async fn index(
    State(app): State<App>,
    Reader(lang): Reader,
    headers: HeaderMap,
) -> Response {
    let mut response = if frame::wanted(&headers) {
        docs::answer(&app, lang)
    } else {
        let index = Index {
            name: "MecaPy",
            version: env!("CARGO_PKG_VERSION"),
            description: "Runs Python calculation functions for engineers",
            documentation: "/docs",
            openapi: "/openapi.json",
            health: "/health",
        };
        json(StatusCode::OK, &index)
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
    response
}
