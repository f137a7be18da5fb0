//! Problems that are told where no request was read: whole answers, as bytes
//! for the wire.

use axum::http::{HeaderMap, HeaderValue, header};
use uuid::Uuid;

use super::{Problem, body};
use crate::context::{REQUEST_ID, secure};

/// The whole answer, after which the connection is closed. Its language is
/// English: what the caller reads stands in what was not read.
pub(crate) fn answer(problem: &Problem) -> Vec<u8> {
    let id = Uuid::now_v7().to_string();
    let body = body::unasked(problem, &id);
    let mut headers = HeaderMap::new();
    for (name, value) in &problem.0.headers {
        headers.insert(name, value.clone());
    }
    let plain = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::CONTENT_LANGUAGE, "en"),
        (header::CONNECTION, "close"),
    ];
    for (name, value) in plain {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    secure(&mut headers);
    let mut answer = format!("HTTP/1.1 {}\r\n", problem.0.code.status()).into_bytes();
    for (name, value) in &headers {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(&body);
    answer
}
