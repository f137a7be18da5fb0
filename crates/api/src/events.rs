//! Server-sent events: what happens to a task, a deployment or a company,
//! live.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use domain::{Text, Timestamp};
use engine::Update;
use futures_util::stream::Peekable;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use uuid::Uuid;

use crate::app::App;
use crate::extract::Watcher;
use crate::problem::{Code, Problem};
use crate::streams::Open;

/// How long a stream that is taken up again may take to say that it is over.
const LOOK_AHEAD: Duration = Duration::from_millis(100);
/// Heartbeats between two looks whether the caller may still watch.
const RECHECKED: u32 = 4;
/// Tells nginx to pass events on as they come.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The last event that the caller saw; 0 for none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastSeen(pub(crate) i64);

impl FromRequestParts<App> for LastSeen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let Some(sent) = parts.headers.get("last-event-id") else {
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

/// What an event says that is about one of several things.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    resource: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Value::is_null")]
    payload: &'a Value,
}

/// The updates as an answer that ends with the stream, when the server stops,
/// or when the caller may watch no more. Where the caller has seen everything
/// already it is 204, which tells a browser not to come back.
pub(crate) async fn stream(
    updates: impl Stream<Item = Result<Update, engine::Error>> + Send + 'static,
    LastSeen(seq): LastSeen,
    watcher: Watcher,
    open: Open,
    app: &App,
) -> Response {
    let updates: Pin<Box<Boxed>> = Box::pin(updates);
    let mut updates = Box::pin(updates.peekable());
    if seq > 0
        && let Ok(None) = tokio::time::timeout(LOOK_AHEAD, updates.as_mut().peek()).await
    {
        return StatusCode::NO_CONTENT.into_response();
    }
    let every = app.settings.streams.heartbeat;
    let mut heartbeat = interval_at(Instant::now() + every, every);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let checked = Instant::now();
    let sending = Sending { updates, heartbeat, checked, watcher, app: app.clone(), _open: open };
    let events = stream::unfold(sending, |mut sending| async move {
        let event = sending.next().await?;
        Some((Ok::<_, Infallible>(event), sending))
    });
    let events = events.take_until(app.stopping.clone().cancelled_owned());
    let mut response = Sse::new(events).into_response();
    response.headers_mut().insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

type Boxed = dyn Stream<Item = Result<Update, engine::Error>> + Send;
type Updates = Pin<Box<Peekable<Pin<Box<Boxed>>>>>;

/// A stream on its way. It is asked for the next event only when the last one
/// has left for the caller, so that a slow one has no queue here.
struct Sending {
    updates: Updates,
    heartbeat: Interval,
    /// When it was last known that the caller may watch.
    checked: Instant,
    watcher: Watcher,
    app: App,
    _open: Open,
}

impl Sending {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let next = tokio::select! {
                update = self.updates.next() => match update? {
                    Ok(update) => event(&update),
                    // The caller comes back with Last-Event-ID and misses nothing.
                    Err(error) => {
                        tracing::error!(%error, "a stream of events broke off");
                        return None;
                    }
                },
                _ = self.heartbeat.tick() => Some(Event::default().comment("alive")),
            };
            if next.is_some() {
                return if self.may_go_on().await { next } else { None };
            }
        }
    }

    /// Looks again now and then whether the caller may watch; by the clock, as
    /// one that reads slowly sees few heartbeats.
    async fn may_go_on(&mut self) -> bool {
        if self.checked.elapsed() < self.heartbeat.period() * RECHECKED {
            return true;
        }
        self.checked = Instant::now();
        self.watcher.may_still(&self.app).await
    }
}

fn event(update: &Update) -> Option<Event> {
    let (event, data) = match update {
        Update::Event(event) => {
            let told = Told {
                seq: Some(event.seq),
                resource: event.resource,
                at: Some(event.at),
                payload: &event.payload,
            };
            let named = Event::default().id(event.seq.to_string()).event(event.kind.as_str());
            (named, serde_json::to_string(&told))
        }
        Update::Live { resource, event, seq } => {
            let data = match *resource {
                Some(resource) => serde_json::to_string(&Told {
                    seq: None,
                    resource,
                    at: None,
                    payload: &event.data,
                }),
                None => serde_json::to_string(&event.data),
            };
            (numbered(*seq).event(&event.kind), data)
        }
        Update::Reset { seq } => (numbered(Some(*seq)).event("reset"), Ok("{}".to_owned())),
    };
    // JSON holds no raw line break, which `data` would not take.
    let data = data.inspect_err(|error| tracing::error!(%error, "an event could not be written"));
    Some(event.data(data.ok()?))
}

/// An event after which a later stream goes on behind `seq`.
fn numbered(seq: Option<i64>) -> Event {
    match seq {
        Some(seq @ 1..) => Event::default().id(seq.to_string()),
        _ => Event::default(),
    }
}
