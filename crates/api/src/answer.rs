//! Answers that several routes share: JSON, pages of a listing, downloads.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use engine::store::Cursor;
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::cursor;

/// A page of a listing.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of the store, each item as callers see it.
    pub(crate) fn of<S>(page: engine::store::Page<S>, view: impl FnMut(S) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(view).collect(),
            next_cursor: page.next.map(|next: Cursor| cursor::write(next)),
        }
    }

    /// A listing that is always whole.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// A JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let media = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, media)], Body::from(bytes)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            crate::problem::Problem::internal().into_response()
        }
    }
}

/// Names the path of what was made.
pub(crate) fn located(mut response: Response, path: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// The `Content-Disposition` of a file that is saved, never shown: its name
/// was chosen by a user. By RFC 6266 with the encoding of RFC 8187, so that
/// no character of the name can end the value or the header.
pub(crate) fn attachment(name: &str) -> HeaderValue {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' })
        .collect();
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"))
        .expect("letters, digits and a few signs make a header value")
}

/// Media types of downloads that a browser shows or saves, and never runs.
pub(crate) const DOWNLOADS: [&str; 12] = [
    "application/json",
    "application/pdf",
    "application/zip",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "text/csv",
    "text/plain",
    "application/x-ndjson",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.apache.parquet",
];

/// The media type of a download. What a browser could run as a page of this
/// site is sent as bytes.
pub(crate) fn download_type(media_type: &str) -> HeaderValue {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let known = DOWNLOADS.into_iter().find(|known| known.eq_ignore_ascii_case(essence));
    HeaderValue::from_static(known.unwrap_or("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let value = attachment("../a\"\r\nSet-Cookie: x=1;é.csv");
        assert_eq!(
            value.to_str().unwrap(),
            "attachment; filename=\"a___Set-Cookie_ x_1__.csv\"; \
             filename*=UTF-8''a%22%0D%0ASet-Cookie%3A%20x%3D1%3B%C3%A9.csv"
        );
    }

    #[test]
    fn what_a_browser_could_run_is_sent_as_bytes() {
        for media in ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "", "x"] {
            assert_eq!(download_type(media), "application/octet-stream", "{media}");
        }
        assert_eq!(download_type("text/CSV; charset=utf-8"), "text/csv");
    }
}
