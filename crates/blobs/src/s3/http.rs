//! The HTTP client below `object_store`: deadlines that look at progress, and
//! refusals that keep their code.

use std::error::Error as StdError;
use std::future::Future as _;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use http::{Response, StatusCode};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::client::{
    HttpClient, HttpConnector as Connector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::Sleep;

use super::Settings;
use crate::Error;

/// The longest answer to a refused request that is read.
const REFUSAL_BYTES: usize = 64 << 10;
/// What is handed to the connection at once, so that progress is seen.
const PIECE: usize = 64 << 10;

/// What went wrong between this machine and the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Away(String),
    #[error("{0}")]
    Untrusted(String),
    #[error("nothing was sent or taken for {0:?}")]
    Silent(Duration),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("{status} {code}: {message}")]
    Refused { status: StatusCode, code: String, message: String },
}

/// A client with connections that are used again.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Sent>,
    silence: Duration,
}

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.silence));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(settings.ca_file.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_timer(TokioTimer::new())
            .build(https);
        Ok(Self { client, silence: settings.silence })
    }
}

fn tls(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    let mut roots = rustls::RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let wrong = |reason: String| {
                Error::Settings(format!("expected certificates in {}: {reason}", path.display()))
            };
            let found = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| wrong(error.to_string()))?;
            if found.is_empty() {
                return Err(wrong(
                    "there is none; they begin with -----BEGIN CERTIFICATE-----".to_owned(),
                ));
            }
            for certificate in found {
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Settings(format!("TLS can't be used: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Connector for Http {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let sent = Arc::new(AtomicU64::new(0));
        let request = request.map(|body| Sent::new(body, Arc::clone(&sent)));
        let mut answer = std::pin::pin!(self.client.request(request));
        let answer = loop {
            let before = sent.load(Ordering::Relaxed);
            match tokio::time::timeout(self.silence, &mut answer).await {
                Ok(answer) => break answer.map_err(failed)?,
                Err(_) if sent.load(Ordering::Relaxed) > before => {}
                Err(_) => {
                    return Err(HttpError::new(
                        HttpErrorKind::Timeout,
                        Trouble::Silent(self.silence),
                    ));
                }
            }
        };
        let answer = answer.map(|body| Received { body, silence: self.silence, waiting: None });
        if answer.status().is_success() {
            return Ok(answer.map(HttpResponseBody::new));
        }
        Err(refused(answer).await)
    }
}

/// What a refusal says. `object_store` tries those again that may pass.
async fn refused(answer: Response<Received>) -> HttpError {
    let status = answer.status();
    let mut body = HttpResponseBody::new(answer.into_body()).bytes_stream();
    let mut text = Vec::new();
    while let Some(Ok(piece)) = body.next().await {
        text.extend_from_slice(&piece[..piece.len().min(REFUSAL_BYTES - text.len())]);
        if text.len() == REFUSAL_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&text);
    let code = element(&text, "Code").unwrap_or_default();
    let message = element(&text, "Message").unwrap_or_default();
    let passing = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let kind = if passing { HttpErrorKind::Request } else { HttpErrorKind::Unknown };
    HttpError::new(kind, Trouble::Refused { status, code, message })
}

/// The text of an element of the server's XML, without what a log could not
/// bear.
pub(super) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.chars().filter(|c| !c.is_control()).take(200).collect())
}

fn failed(error: legacy::Error) -> HttpError {
    let said = deepest(&error);
    if is_untrusted(&error) {
        return HttpError::new(HttpErrorKind::Unknown, Trouble::Untrusted(said));
    }
    if error.is_connect() {
        return HttpError::new(HttpErrorKind::Connect, Trouble::Away(said));
    }
    HttpError::new(broken_kind(&error), Trouble::Broken(said))
}

fn broken_kind(error: &(dyn StdError + 'static)) -> HttpErrorKind {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_closed() || error.is_canceled() || error.is_incomplete_message())
        {
            return HttpErrorKind::Request;
        }
        next = error.source();
    }
    HttpErrorKind::Interrupted
}

/// Whether the server's certificate was refused, which no repetition mends.
fn is_untrusted(error: &(dyn StdError + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return true;
    }
    // What an I/O error wraps is not its source, only that one's source is.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => is_untrusted(wrapped),
        None => error.source().is_some_and(is_untrusted),
    }
}

/// The innermost cause, which says most.
fn deepest(error: &(dyn StdError + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// A request's body in pieces, each counted when it is taken.
#[derive(Debug)]
pub(super) struct Sent {
    body: HttpRequestBody,
    rest: Bytes,
    left: u64,
    sent: Arc<AtomicU64>,
}

impl Sent {
    fn new(body: HttpRequestBody, sent: Arc<AtomicU64>) -> Self {
        let left = body.content_length() as u64;
        Self { body, rest: Bytes::new(), left, sent }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.remaining().min(PIECE);
        let piece = self.rest.split_to(length);
        self.left = self.left.saturating_sub(length as u64);
        self.sent.fetch_add(length as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// An answer's body that ends with an error when it falls silent.
#[derive(Debug)]
struct Received {
    body: Incoming,
    silence: Duration,
    /// Runs only while the server is waited for, not while the reader rests.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Received {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| {
                frame.map_err(|error| {
                    HttpError::new(broken_kind(&error), Trouble::Broken(deepest(&error)))
                })
            }));
        }
        let silence = self.silence;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(silence)));
        std::task::ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Timeout, Trouble::Silent(silence)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
