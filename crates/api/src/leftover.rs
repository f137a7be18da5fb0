//! What a handler leaves unread of a body.
//!
//! A connection that is closed while its caller still sends is reset, and the
//! caller loses the answer that says why. So what was refused early is read on
//! for a moment, and thrown away.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header;
use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper::body::{Frame, SizeHint};

/// How long is read on.
const DRAINED: Duration = Duration::from_secs(2);

type Place = Arc<Mutex<Option<Body>>>;

/// Where a body comes to lie when nobody reads it any more.
pub(crate) struct Leftover(Option<Place>);

impl Leftover {
    /// Keeps an eye on the body of a request, where it has one.
    pub(crate) fn of(request: &mut Request) -> Self {
        // Who waits to be told to go on sends nothing that was not asked for.
        if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
            return Self(None);
        }
        let place = Place::default();
        let body = Some(std::mem::take(request.body_mut()));
        *request.body_mut() = Body::new(Watched { body, place: Arc::clone(&place) });
        Self(Some(place))
    }

    /// Reads what is left, for a moment.
    pub(crate) async fn drain(self) {
        let left = self.0.and_then(|place| take(&place));
        let Some(left) = left.filter(|left| !left.is_end_stream()) else { return };
        let mut chunks = left.into_data_stream();
        let rest = async { while let Some(Ok(_)) = chunks.next().await {} };
        // A caller that sends for longer has had its chance.
        let _ = tokio::time::timeout(DRAINED, rest).await;
    }
}

fn take(place: &Place) -> Option<Body> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A body that goes back to its place when it is dropped.
struct Watched {
    /// There until then.
    body: Option<Body>,
    place: Place,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_nobody_reads_is_read_to_its_end() {
        let read = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&read);
        let chunks = futures_util::stream::iter(0..10).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(b"chunk"))
        });
        let mut request = Request::new(Body::from_stream(chunks));
        let leftover = Leftover::of(&mut request);
        let mut body = request.into_body().into_data_stream();
        assert_eq!(body.next().await.unwrap().unwrap(), "chunk");
        drop(body);
        leftover.drain().await;
        assert_eq!(read.load(Ordering::Relaxed), 10);
    }

    #[tokio::test]
    async fn who_waits_to_be_asked_is_not_asked() {
        let body =
            Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let mut request = Request::new(body);
        request.headers_mut().insert(header::EXPECT, "100-continue".parse().unwrap());
        let leftover = Leftover::of(&mut request);
        drop(request);
        leftover.drain().await;
    }
}
