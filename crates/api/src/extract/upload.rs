//! Uploads: the one file of a multipart form, or the body itself.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use domain::Text;
use futures_util::{Stream, StreamExt as _};
use tokio::io::AsyncRead;

use super::body::{Bounds, ReadError, declared, stream};
use crate::problem::{Code, Problem};

/// Room for the boundaries and headers of a form around its file.
const AROUND: u64 = 64 << 10;

/// A file as it arrives.
pub(crate) struct Upload {
    /// The name in the form, where there is one.
    pub(crate) name: Option<String>,
    /// The media type in the form, where there is one.
    pub(crate) media_type: Option<String>,
    chunks: Chunks,
    failed: Failed,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, multer::Error>> + Send>>;

/// Why reading stopped: told here too, as the error's way through a form
/// parser and the object store loses its type.
type Failed = Arc<Mutex<Option<Problem>>>;

/// The media type of a body, in lower case, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    sent.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl Upload {
    /// The field `field` of a form. Other fields before it are refused, so
    /// that a mistyped name does not upload nothing.
    pub(crate) async fn of_form(
        request: Request,
        field: &str,
        bounds: Bounds,
    ) -> Result<Self, Problem> {
        let boundary = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| multer::parse_boundary(value.to_str().ok()?).ok())
            .ok_or_else(|| {
                malformed(&Text::new(
                    "its boundary is missing in Content-Type",
                    "sa limite (boundary) manque dans Content-Type",
                ))
            })?;
        let failed = Failed::default();
        let bounds = Bounds { limit: bounds.limit + AROUND, ..bounds };
        declared(request.headers(), bounds)?;
        let begun = Arc::new(AtomicBool::new(false));
        let chunks = watched(request, bounds, &failed);
        let chunks = until_begun(chunks, Arc::clone(&begun), Arc::clone(&failed));
        let chunks = InTurn { chunks: Box::pin(chunks), gave: false };
        let mut form = multer::Multipart::new(chunks, boundary);
        let found = form.next_field().await.map_err(|error| take(&failed, &error))?;
        begun.store(true, Ordering::Relaxed);
        let Some(part) = found.filter(|part| part.name() == Some(field)) else {
            return Err(Problem::new(
                Code::InvalidBody,
                Text::new(
                    format!("The form's first field must be the file, named `{field}`."),
                    format!("Le premier champ du formulaire doit être le fichier `{field}`."),
                ),
            ));
        };
        Ok(Self {
            name: part.file_name().map(str::to_owned),
            media_type: part.content_type().map(|media| media.essence_str().to_owned()),
            chunks: Box::pin(part),
            failed,
        })
    }

    /// The body itself.
    pub(crate) fn of_body(request: Request, bounds: Bounds) -> Self {
        let failed = Failed::default();
        let chunks = watched(request, bounds, &failed)
            .map(|chunk| chunk.map_err(|error| multer::Error::StreamReadFailed(error.into())));
        Self { name: None, media_type: None, chunks: Box::pin(chunks), failed }
    }

    /// All of it, in memory.
    pub(crate) async fn whole(mut self, bounds: Bounds) -> Result<Bytes, Problem> {
        let mut whole = bytes::BytesMut::new();
        while let Some(chunk) = self.chunks.next().await {
            let chunk = chunk.map_err(|error| take(&self.failed, &error))?;
            if (whole.len() + chunk.len()) as u64 > bounds.limit {
                return Err(Problem::too_large(bounds.what, bounds.limit));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Its content to be read once, and where to ask what went wrong.
    pub(crate) fn reader(self) -> (Box<dyn AsyncRead + Send + Unpin>, Failure) {
        let chunks = Io { chunks: self.chunks, failed: Arc::clone(&self.failed) };
        (Box::new(tokio_util::io::StreamReader::new(chunks)), Failure(self.failed))
    }
}

/// Why an upload could not be read, if that is so.
pub(crate) struct Failure(Failed);

impl Failure {
    /// The upload's own problem, or else `other`.
    pub(crate) fn or_else(self, other: impl FnOnce() -> Problem) -> Problem {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(other)
    }
}

struct Io {
    chunks: Chunks,
    failed: Failed,
}

impl Stream for Io {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.chunks.poll_next_unpin(cx);
        next.map_err(|error| {
            // Whoever stores the content knows only that it could not be read.
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert_with(|| malformed(&reason(&error)));
            std::io::Error::other(error)
        })
    }
}

/// Refuses a form in which more stands before its first field's content than
/// any sensible one has there: the parser would keep all of it in memory, and
/// search all of it again with each chunk.
fn until_begun(
    chunks: impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static,
    begun: Arc<AtomicBool>,
    failed: Failed,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    let mut before = 0_u64;
    chunks.map(move |chunk| {
        if !begun.load(Ordering::Relaxed) && before > AROUND {
            let problem = malformed(&Text::new(
                format!("its file does not begin within the first {AROUND} bytes"),
                format!("son fichier ne commence pas dans les {AROUND} premiers octets"),
            ));
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
            return Err(ReadError::Broken("its head is too long".to_owned()));
        }
        before += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        chunk
    })
}

/// One chunk at a time. The form's parser otherwise takes all that is there,
/// which from a fast caller is the whole body, in memory; and where a chunk and
/// the end come together, it may take the end for the whole.
struct InTurn<S> {
    chunks: S,
    /// Whether the last poll gave one.
    gave: bool,
}

impl<S: Stream + Unpin> Stream for InTurn<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if std::mem::take(&mut self.gave) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.chunks.poll_next_unpin(cx);
        self.gave = matches!(next, Poll::Ready(Some(_)));
        next
    }
}

fn watched(
    request: Request,
    bounds: Bounds,
    failed: &Failed,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    let failed = Arc::clone(failed);
    stream(request.into_body(), bounds).inspect(move |chunk| {
        if let Err(error) = chunk {
            let problem = Problem::from(error.clone());
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
        }
    })
}

fn take(failed: &Failed, error: &multer::Error) -> Problem {
    let known = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    known.unwrap_or_else(|| malformed(&reason(error)))
}

fn reason(error: &multer::Error) -> Text {
    use multer::Error;
    match error {
        Error::IncompleteStream | Error::IncompleteHeaders | Error::IncompleteFieldData { .. } => {
            Text::new(
                "it breaks off, or its boundary is not the one in Content-Type",
                "il s'interrompt, ou sa limite n'est pas celle de Content-Type",
            )
        }
        Error::ReadHeaderFailed(_)
        | Error::DecodeHeaderName { .. }
        | Error::DecodeHeaderValue { .. } => Text::new(
            "a field's headers are not valid",
            "les en-têtes d'un champ ne sont pas valides",
        ),
        other => Text::same(other.to_string()),
    }
}

fn malformed(reason: &Text) -> Problem {
    Problem::new(
        Code::MalformedUpload,
        Text::new(
            format!("The form can't be read: {}.", reason.en),
            format!("Le formulaire est illisible : {}.", reason.fr),
        ),
    )
}
