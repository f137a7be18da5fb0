//! Uploads: the one file of a multipart form, or the body itself.

use std::pin::Pin;
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
            .ok_or_else(|| malformed("the boundary is missing in Content-Type"))?;
        let failed = Failed::default();
        let bounds = Bounds { limit: bounds.limit + AROUND, ..bounds };
        declared(request.headers(), bounds)?;
        let mut form = multer::Multipart::new(watched(request, bounds, &failed), boundary);
        let found = form.next_field().await.map_err(|error| take(&failed, &error))?;
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
        let chunks = Io(self.chunks);
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

struct Io(Chunks);

impl Stream for Io {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx).map_err(std::io::Error::other)
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
    known.unwrap_or_else(|| malformed(&error.to_string()))
}

fn malformed(reason: &str) -> Problem {
    Problem::new(
        Code::MalformedUpload,
        Text::new(
            format!("The form can't be read: {reason}."),
            format!("Le formulaire est illisible : {reason}."),
        ),
    )
}
