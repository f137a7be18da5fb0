//! Server-sent events: what happens to a task or a deployment, live.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use domain::{Text, Timestamp};
use engine::Update;
use futures_util::{Stream, StreamExt as _};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::problem::{Code, Problem};

/// How often an idle stream shows that it lives; proxies close silent ones.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream that is taken up again may take to say that it is over.
const LOOK_AHEAD: Duration = Duration::from_millis(100);
/// Tells nginx to pass events on as they come.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The last event that the caller saw; 0 for none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastSeen(pub(crate) i64);

impl FromRequestParts<App> for LastSeen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let Some(sent) = parts.headers.get("last-event-id").filter(|sent| !sent.is_empty()) else {
            return Ok(Self(0));
        };
        let seq = sent.to_str().ok().and_then(|text| text.parse().ok()).filter(|seq| *seq >= 0);
        seq.map(Self).ok_or_else(|| {
            Problem::new(
                Code::InvalidHeader,
                Text::new(
                    "Last-Event-ID: expected the `id` of an event of this stream.",
                    "Last-Event-ID : attendu l'`id` d'un événement de ce flux.",
                ),
            )
        })
    }
}

/// What a durable event says.
#[derive(Serialize)]
struct Told<'a> {
    seq: i64,
    resource: Uuid,
    at: Timestamp,
    #[serde(skip_serializing_if = "Value::is_null")]
    payload: &'a Value,
}

/// The updates as an answer that ends with the stream, or when the server
/// stops. Where the caller has seen everything already it is 204, which tells
/// a browser not to come back.
pub(crate) async fn stream(
    updates: impl Stream<Item = Result<Update, engine::Error>> + Send + 'static,
    LastSeen(seq): LastSeen,
    app: &App,
) -> Response {
    let mut updates = Box::pin(updates.peekable());
    if seq > 0
        && let Ok(None) = tokio::time::timeout(LOOK_AHEAD, updates.as_mut().peek()).await
    {
        return StatusCode::NO_CONTENT.into_response();
    }
    let events = updates
        .map(|update| {
            update.map_err(|error| tracing::error!(%error, "a stream of events broke off"))
        })
        // The caller comes back with Last-Event-ID and misses nothing.
        .take_while(|update| std::future::ready(update.is_ok()))
        .filter_map(|update| std::future::ready(update.ok().and_then(|update| event(&update))))
        .map(Ok::<_, Infallible>)
        .take_until(app.stopping.clone().cancelled_owned());
    let alive = KeepAlive::new().interval(HEARTBEAT).text("alive");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    response.headers_mut().insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

fn event(update: &Update) -> Option<Event> {
    let (event, data) = match update {
        Update::Event(event) => {
            let told = Told {
                seq: event.seq,
                resource: event.resource,
                at: event.at,
                payload: &event.payload,
            };
            let named = Event::default().id(event.seq.to_string()).event(event.kind.as_str());
            (named, serde_json::to_string(&told))
        }
        Update::Live { kind, data } => (Event::default().event(kind), serde_json::to_string(data)),
        Update::Reset => (Event::default().event("reset"), Ok("{}".to_owned())),
    };
    // JSON holds no raw line break, which `data` would not take.
    let data = data.inspect_err(|error| tracing::error!(%error, "an event could not be written"));
    Some(event.data(data.ok()?))
}
