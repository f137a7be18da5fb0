//! Content that is sent as it lies: results, archives, files.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use domain::Digest;
use engine::Content;
use tokio_util::io::ReaderStream;

use crate::answer::{attachment, download_type};

/// Read from a file at once while it is sent, in bytes.
const CHUNK: usize = 64 << 10;

/// The headers of content that never changes under its path.
#[derive(Debug)]
pub(crate) struct Sent {
    etag: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Sent {
    /// JSON that stands under an id for ever.
    pub(crate) fn json(id: impl std::fmt::Display) -> Self {
        let media = HeaderValue::from_static("application/json");
        Self { etag: etag(id), headers: vec![(header::CONTENT_TYPE, media)] }
    }

    /// A file, to be saved under its name and never shown as a page.
    pub(crate) fn file(name: &str, media_type: &str, digest: Digest) -> Self {
        Self {
            etag: etag(digest.hex()),
            headers: vec![
                (header::CONTENT_TYPE, download_type(media_type)),
                (header::CONTENT_DISPOSITION, attachment(name)),
            ],
        }
    }

    /// The content, or 304 where the caller has it.
    pub(crate) fn answer(self, content: Content, request: &HeaderMap) -> Response {
        let known = request.get_all(header::IF_NONE_MATCH).iter().any(|tags| {
            let tags = tags.to_str().unwrap_or_default();
            let own = self.etag.to_str().unwrap_or_default();
            tags.split(',').any(|tag| matches!(tag.trim(), t if t == own || t == "*"))
        });
        let length = HeaderValue::from(content.len());
        let mut response = match content {
            _ if known => StatusCode::NOT_MODIFIED.into_response(),
            Content::Bytes(bytes) => Response::new(Body::from(bytes)),
            Content::Stream { reader, .. } => {
                Response::new(Body::from_stream(ReaderStream::with_capacity(reader, CHUNK)))
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if !known {
            headers.insert(header::CONTENT_LENGTH, length);
            headers.extend(self.headers);
        }
        response
    }
}

fn etag(id: impl std::fmt::Display) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{id}\"")).expect("ids and digests are visible ASCII")
}
