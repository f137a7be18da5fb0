//! Requests that the HTTP library refuses by itself, as they can't be read: its
//! bare status is replaced by a problem that says what was expected.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use domain::Text;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::problem::{Code, Problem, bare};
use crate::serve::{HEAD_BYTES, HEADERS};

/// Whether what was read last has come to a handler.
pub(crate) type Asked = Arc<AtomicBool>;

/// A stream that keeps a bare refusal back until it is clear that nothing
/// follows it.
///
/// Handlers never answer an error without a body, so a bare one before any
/// handler was asked is the library's own. It is the last thing written: where
/// anything else happens first, it is passed on as it is.
pub(crate) struct Explained<S> {
    stream: S,
    asked: Asked,
    held: Vec<u8>,
    written: usize,
}

impl<S> Explained<S> {
    pub(crate) fn new(stream: S, asked: Asked) -> Self {
        Self { stream, asked, held: Vec::new(), written: 0 }
    }
}

impl<S: AsyncWrite + Unpin> Explained<S> {
    /// Writes what is held.
    fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.held.len() {
            let rest = &self.held[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        self.held.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    fn holds(&mut self, bytes: &[u8]) -> bool {
        let bare = !self.asked.load(Ordering::Relaxed) && bare_status(bytes).is_some();
        if bare {
            self.held = bytes.to_vec();
        }
        bare
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Explained<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_release(cx))?;
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.asked.store(false, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_release(cx))?;
        if self.holds(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_release(cx))?;
        if let [only] = bufs
            && self.holds(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.written == 0
            && let Some(status) = bare_status(&self.held)
        {
            self.held = bare::answer(&problem(status));
        }
        ready!(self.poll_release(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The status of a whole answer that is an error without a body.
fn bare_status(answer: &[u8]) -> Option<StatusCode> {
    let status = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let status = StatusCode::from_bytes(status).ok().filter(StatusCode::is_client_error)?;
    let has = |part: &[u8]| answer.windows(part.len()).any(|own| own == part);
    (answer.ends_with(b"\r\n\r\n") && has(b"\r\ncontent-length: 0\r\n")).then_some(status)
}

fn problem(status: StatusCode) -> Problem {
    match status {
        StatusCode::URI_TOO_LONG => Problem::uri_too_long(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Problem::new(
            Code::HeadersTooLarge,
            Text::new(
                format!(
                    "The head of a request may have {HEADERS} headers and {HEAD_BYTES} bytes. Send fewer or shorter ones."
                ),
                format!(
                    "L'en-tête d'une requête peut avoir {HEADERS} champs et {HEAD_BYTES} octets. Envoyez-en moins, ou de plus courts."
                ),
            ),
        ),
        _ => Problem::new(
            Code::MalformedRequest,
            Text::new(
                "This can't be read as HTTP (RFC 9112): expected a method, a path and the version on the first line, then headers.",
                "Ceci n'est pas lisible comme du HTTP (RFC 9112) : attendu une méthode, un chemin et la version en première ligne, puis les en-têtes.",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: now\r\n\r\n";

    /// What the caller gets of what is written, with a handler asked or not.
    async fn written(asked: bool, parts: &[&[u8]]) -> String {
        let (stream, mut caller) = tokio::io::duplex(1 << 16);
        let mut stream = Explained::new(stream, Arc::new(AtomicBool::new(asked)));
        for part in parts {
            stream.write_all(part).await.unwrap();
            stream.flush().await.unwrap();
        }
        stream.shutdown().await.unwrap();
        drop(stream);
        let mut told = String::new();
        caller.read_to_string(&mut told).await.unwrap();
        told
    }

    #[tokio::test]
    async fn a_bare_refusal_is_explained_where_nothing_follows() {
        let told = written(false, &[BARE]).await;
        assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
        assert!(told.contains("\"code\":\"malformed_request\""), "{told}");
    }

    #[tokio::test]
    async fn bytes_of_an_answer_that_only_look_like_one_stay_as_they_are() {
        let bare = String::from_utf8(BARE.to_vec()).unwrap();
        assert_eq!(written(true, &[BARE]).await, bare);
        assert_eq!(written(false, &[BARE, b"more"]).await, format!("{bare}more"));
        assert_eq!(written(false, &[b"head ", BARE, b"!"]).await, format!("head {bare}!"));
        for other in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 4", ""] {
            assert_eq!(written(false, &[other.as_bytes()]).await, other);
        }
    }
}
