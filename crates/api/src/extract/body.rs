//! Bodies, bounded in size and in slowness while they are read.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use domain::Text;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};

use crate::problem::{Code, Problem};
use crate::settings::SLOWEST_UPLOAD;

/// Why a body was not read to its end.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// It is larger than allowed.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// What it holds: `archive`, `file`, `body`.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// It paused too long, or its mean speed was too low.
    #[error("the body arrived too slowly")]
    TooSlow,
    /// The connection broke, or the framing was wrong.
    #[error("the body ended early: {0}")]
    Broken(String),
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooLarge { what, limit } => Self::too_large(what, limit),
            ReadError::TooSlow => Self::new(
                Code::TooSlow,
                Text::new(
                    format!("A body must not pause long nor stay under {SLOWEST_UPLOAD} B/s."),
                    format!(
                        "Un corps ne doit pas marquer de longue pause ni rester sous \
                         {SLOWEST_UPLOAD} o/s."
                    ),
                ),
            ),
            ReadError::Broken(reason) => Self::new(
                Code::MalformedUpload,
                Text::new(
                    format!("The body ended early ({reason}). Send it again."),
                    format!("Le corps s'est interrompu ({reason}). Renvoyez-le."),
                ),
            ),
        }
    }
}

/// Bounds of one body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// What the body holds, for the message.
    pub(crate) what: &'static str,
    /// The most bytes it may have.
    pub(crate) limit: u64,
    /// How long it may pause.
    pub(crate) pause: Duration,
}

/// Refuses a body that says itself that it is too large, without reading it:
/// a caller that sends `Expect: 100-continue` then sends nothing.
pub(crate) fn declared(headers: &HeaderMap, bounds: Bounds) -> Result<(), ReadError> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let asks = headers.contains_key(header::EXPECT);
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if asks && length > bounds.limit => {
            Err(ReadError::TooLarge { what: bounds.what, limit: bounds.limit })
        }
        _ => Ok(()),
    }
}

/// The body's chunks, up to the bounds; an error is the last item.
pub(crate) fn stream(
    body: Body,
    bounds: Bounds,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    let started = Instant::now();
    let state = (body.into_data_stream(), 0_u64, false);
    futures_util::stream::unfold(state, move |(mut chunks, received, over)| async move {
        if over {
            return None;
        }
        let floor = Duration::from_secs(received / SLOWEST_UPLOAD);
        let deadline = (Instant::now() + bounds.pause).min(started + bounds.pause + floor);
        let item = match timeout_at(deadline, chunks.next()).await {
            Err(_) => Err(ReadError::TooSlow),
            Ok(None) => return None,
            Ok(Some(Err(error))) => Err(ReadError::Broken(error.to_string())),
            Ok(Some(Ok(chunk))) => Ok(chunk),
        };
        let received = received + item.as_ref().map_or(0, |chunk| chunk.len() as u64);
        let item = if received > bounds.limit {
            Err(ReadError::TooLarge { what: bounds.what, limit: bounds.limit })
        } else {
            item
        };
        let over = item.is_err();
        Some((item, (chunks, received, over)))
    })
}

/// The whole body. A body of one chunk is not copied.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bounds: Bounds,
) -> Result<Bytes, ReadError> {
    declared(headers, bounds)?;
    let mut chunks = std::pin::pin!(stream(body, bounds));
    let Some(first) = chunks.next().await.transpose()? else {
        return Ok(Bytes::new());
    };
    let Some(second) = chunks.next().await.transpose()? else {
        return Ok(first);
    };
    // What a caller declares is no reason to set memory aside that it may
    // never fill: room grows with what really came.
    let mut whole = BytesMut::with_capacity(2 * (first.len() + second.len()));
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(chunk) = chunks.next().await.transpose()? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { what: "body", limit: 8, pause: Duration::from_millis(100) };

    fn chunks(chunks: &[&'static str]) -> Body {
        let chunks: Vec<Result<Bytes, std::io::Error>> =
            chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        Body::from_stream(futures_util::stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_within_its_bound_is_read_whole() {
        for parts in [&[][..], &["abcdefgh"], &["abc", "def", "gh"]] {
            let whole = read(&HeaderMap::new(), chunks(parts), BOUNDS).await.unwrap();
            assert_eq!(whole, parts.concat());
        }
    }

    #[tokio::test]
    async fn a_body_beyond_its_bound_is_refused_whatever_it_declares() {
        let refused = read(&HeaderMap::new(), chunks(&["abcd", "efgh", "i"]), BOUNDS).await;
        assert!(matches!(refused, Err(ReadError::TooLarge { limit: 8, .. })));
    }

    #[tokio::test]
    async fn a_body_that_pauses_is_refused() {
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"a"))]);
        let body = Body::from_stream(first.chain(futures_util::stream::pending()));
        let refused = read(&HeaderMap::new(), body, BOUNDS).await;
        assert!(matches!(refused, Err(ReadError::TooSlow)));
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_refused_though_it_never_pauses() {
        let trickle = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(BOUNDS.pause / 4).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"a")), ()))
        });
        let refused = read(&HeaderMap::new(), Body::from_stream(trickle), BOUNDS).await;
        assert!(matches!(refused, Err(ReadError::TooSlow)));
    }
}
