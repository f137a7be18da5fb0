//! The frame around every request: its id, its language, one line in the
//! log, security headers, and the body of a problem.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::origin::{Origin, Trace};
use domain::{Lang, Text, Timestamp, UserId};
use uuid::Uuid;

use crate::address::{self, Peer};
use crate::app::App;
use crate::leftover::Leftover;
use crate::problem::{self, Code, Problem};
use crate::rates::{Key, Lefts};
use crate::scopes;

/// The header that carries a request's id, in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request beside its own words.
#[derive(Debug)]
pub(crate) struct Context {
    /// The language that the caller reads.
    pub(crate) lang: Lang,
    /// The path that was asked for, `/api` included.
    pub(crate) path: String,
    /// The caller's address, where the request came over a socket.
    pub(crate) address: Option<IpAddr>,
    /// What rate limits left of it.
    pub(crate) lefts: Lefts,
    id: HeaderValue,
    trace: Option<Trace>,
    user: OnceLock<UserId>,
}

impl Context {
    fn of(request: &Request, app: &App) -> Self {
        let headers = request.headers();
        let lang = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self {
            lang: lang.map(Lang::negotiate).unwrap_or_default(),
            path: request.uri().path().to_owned(),
            address: request
                .extensions()
                .get::<Peer>()
                .map(|peer| address::caller(peer.0, headers, &app.settings.trusted_proxies)),
            id: headers.get(REQUEST_ID).filter(|id| is_request_id(id)).cloned().unwrap_or_else(
                || {
                    HeaderValue::from_str(&Uuid::now_v7().to_string())
                        .expect("a UUID is visible ASCII")
                },
            ),
            trace: engine::trace::is_on().then(|| engine::trace::begin(caller_of(headers))),
            user: OnceLock::new(),
            lefts: Lefts::default(),
        }
    }

    /// Where what this request asks for comes from.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            address: self.address,
            request_id: Some(self.request_id().into()),
            trace: self.trace,
        }
    }

    /// The request's id: the caller's where it is acceptable, else a new one.
    pub(crate) fn request_id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// Remembers for the log who called.
    pub(crate) fn set_user(&self, user: UserId) {
        // A second caller of the same request is the same one.
        let _ = self.user.set(user);
    }
}

/// An id that somebody sent is taken over only where it is short and plain:
/// it is written to logs and headers.
fn is_request_id(id: &HeaderValue) -> bool {
    (1..=128).contains(&id.len())
        && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:+/=".contains(b))
}

/// The span of the caller's that this request is part of.
fn caller_of(headers: &HeaderMap) -> Option<Trace> {
    headers.get("traceparent")?.to_str().ok()?.parse().ok()
}

/// The outermost layer.
pub(crate) async fn frame(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let context = Arc::new(Context::of(&request, &app));
    let began =
        context.trace.map(|trace| (trace, caller_of(request.headers()), app.engine.clock().now()));
    let endpoint = request.extensions().get::<MatchedPath>().cloned();
    // Both prefixes are the same route to whoever counts.
    let endpoint = endpoint.as_ref().map_or("none", |path| scopes::route(path.as_str()));
    let method = request.method().clone();
    request.extensions_mut().insert(Arc::clone(&context));

    let leftover = Leftover::of(&mut request);
    let refused = match unknown_coding(request.headers()).or_else(|| too_long(request.uri())) {
        Some(problem) => Some(problem),
        // Whoever watches over the server is not to be sent away.
        None if endpoint.starts_with("/health") => None,
        None => match context.address {
            Some(address) => {
                let left = app.limiter.count(&app.engine, Key::of(address)).await;
                context.lefts.take(left).err()
            }
            None => None,
        },
    };
    let mut response = match refused {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    leftover.drain().await;

    problem::body::write(&mut response, &context);
    response.headers_mut().insert(REQUEST_ID, context.id.clone());
    context.lefts.write(response.headers_mut());
    secure(response.headers_mut());
    let duration = started.elapsed();
    let status = response.status().as_u16();
    record(&method, endpoint, status, duration);
    app.tidy_metrics();
    if let Some((trace, caller, began)) = began {
        let ended = app.engine.clock().now();
        let request = Told { method: &method, endpoint, status, began, ended };
        request.tell(trace, caller, &context);
    }
    tracing::info!(
        request_id = context.request_id(),
        user_id = context.user.get().map(tracing::field::display),
        %method,
        endpoint,
        status_code = status,
        duration_ms = duration.as_secs_f64() * 1e3,
        "answered a request"
    );
    response
}

/// A body in a coding that is not undone here would be taken for another than
/// the one a proxy saw.
fn unknown_coding(headers: &HeaderMap) -> Option<Problem> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_none_or(plain) && codings.next().is_none() {
        return None;
    }
    Some(Problem::new(
        Code::InvalidHeader,
        Text::new(
            "Transfer-Encoding: expected `chunked` and nothing else.",
            "Transfer-Encoding : attendu `chunked` et rien d'autre.",
        ),
    ))
}

fn too_long(uri: &Uri) -> Option<Problem> {
    let length = uri.path_and_query().map_or(0, |uri| uri.as_str().len());
    (length > problem::LONGEST_URI).then(Problem::uri_too_long)
}

/// A request that was answered, for whoever collects traces.
struct Told<'a> {
    method: &'a axum::http::Method,
    endpoint: &'a str,
    status: u16,
    began: Timestamp,
    ended: Timestamp,
}

impl Told<'_> {
    fn tell(&self, trace: Trace, caller: Option<Trace>, context: &Context) {
        tracing::info!(
            target: engine::trace::TARGET,
            name = format_args!("{} {}", self.method, self.endpoint),
            server = true,
            %trace,
            parent = caller.map_or(0, |caller| caller.span),
            began_us = self.began.0,
            ended_us = self.ended.0,
            failed = self.status >= 500,
            request_id = context.request_id(),
            http.request.method = %self.method,
            http.route = self.endpoint,
            http.response.status_code = self.status,
        );
    }
}

fn record(method: &axum::http::Method, endpoint: &str, status: u16, duration: std::time::Duration) {
    metrics::histogram!(
        "mecapy_http_request_seconds",
        // A method that a caller made up would be a new series each time.
        "method" => match method.as_str() {
            "GET" => "GET",
            "POST" => "POST",
            "PUT" => "PUT",
            "DELETE" => "DELETE",
            _ => "other",
        },
        "endpoint" => endpoint.to_owned(),
        "status" => match status / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        }
    )
    .record(duration.as_secs_f64());
}

/// Headers that every answer carries, whatever it is. An answer that said
/// more about caching or scripts keeps its word.
pub(crate) fn secure(headers: &mut HeaderMap) {
    const ALWAYS: [(HeaderName, &str); 5] = [
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains; preload"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (header::X_DNS_PREFETCH_CONTROL, "off"),
    ];
    const UNLESS_SAID: [(HeaderName, &str); 2] = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in UNLESS_SAID {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_and_plain_request_ids_are_taken_over() {
        for (id, taken) in [
            ("0192f3a4-5b6c", true),
            ("trace:1/2+3=_.", true),
            ("two words", false),
            ("quote\"", false),
            ("", false),
        ] {
            assert_eq!(is_request_id(&HeaderValue::from_static(id)), taken, "{id}");
        }
        let long = HeaderValue::from_str(&"a".repeat(129)).unwrap();
        assert!(!is_request_id(&long));
    }
}
