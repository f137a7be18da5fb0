//! Errors, to Sentry or whatever speaks its protocol
//! (<https://develop.sentry.dev/sdk/data-model/envelopes/>).
//!
//! An event says what failed and where in the log to look, and no more: the
//! part of a message after its first colon is what somebody else said, so it
//! stays here, as does every field that is not in a short list.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::{Clock as _, Text};
use serde_json::{Map, Value, json};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use uuid::Uuid;

use super::fields::Fields;
use super::outbox::{Address, Letter, Outbox, Sending, open};
use super::{About, VERSION};
use crate::settings::Secret;

/// Fields that go with an event: ids and fixed words.
const SHOWN: &[&str] = &[
    "request_id",
    "endpoint",
    "method",
    "status_code",
    "task.id",
    "deployment.id",
    "attempt",
    "part",
];
/// Errors told in a minute; a broken disk would tell thousands.
const PER_MINUTE: u32 = 60;

/// Sends every event that it is shown.
pub(super) struct Errors {
    outbox: Outbox<Value>,
    about: About,
    minute: Mutex<(Instant, u32)>,
}

/// The layer, and the thread behind it.
pub(super) fn layer(dsn: &Secret, about: About) -> Result<(Errors, Sending), Text> {
    let address = address(dsn.expose()).ok_or_else(|| {
        Text::new(
            "SENTRY_DSN: expected `https://KEY@HOST/PROJECT`, as Sentry shows it in the settings of a project",
            "SENTRY_DSN : attendu : `https://CLÉ@HÔTE/PROJET`, tel que Sentry l’affiche dans les réglages d’un projet",
        )
    })?;
    // An envelope carries one event.
    let (outbox, sending) = open("telemetry-errors", address, 1, envelope)
        .map_err(|error| Text::same(error.to_string()))?;
    Ok((Errors { outbox, about, minute: Mutex::new((Instant::now(), 0)) }, sending))
}

/// Where the envelopes of a DSN go.
fn address(dsn: &str) -> Option<Address> {
    let (scheme, rest) = dsn.split_once("://")?;
    let (key, place) = rest.split_once('@')?;
    let (host, project) = place.trim_end_matches('/').rsplit_once('/')?;
    // Older ones carry a secret behind the key, which nobody asks for.
    let key = key.split(':').next()?;
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !["http", "https"].contains(&scheme) || !plain(key) || !plain(project) || host.is_empty() {
        return None;
    }
    let auth = format!("Sentry sentry_version=7, sentry_client=mecapy/{VERSION}, sentry_key={key}");
    Some(Address {
        url: match host.split_once('/') {
            Some((host, path)) => format!("{scheme}://{host}/{path}/api/{project}/envelope/"),
            None => format!("{scheme}://{host}/api/{project}/envelope/"),
        },
        headers: vec![("x-sentry-auth".to_owned(), auth)],
    })
}

fn envelope(events: Vec<Value>) -> Letter {
    let lines = events.iter().flat_map(|event| {
        [json!({ "event_id": event["event_id"] }), json!({ "type": "event" }), event.clone()]
    });
    let body = lines.map(|line| format!("{line}\n")).collect::<String>().into_bytes();
    Letter { content_type: "application/x-sentry-envelope", body }
}

impl<S: Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if self.may_tell() {
            self.outbox.put(told(event.metadata().target(), Fields::of(event), self.about));
        }
    }
}

impl Errors {
    fn may_tell(&self) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.0.elapsed() > Duration::from_secs(60) {
            *minute = (Instant::now(), 0);
        }
        minute.1 += 1;
        minute.1 <= PER_MINUTE
    }
}

fn told(target: &str, mut fields: Fields, about: About) -> Value {
    let message = fields.take_text("message").unwrap_or_default();
    let message = message.split(':').next().unwrap_or_default();
    let tags: Map<_, _> =
        fields.0.into_iter().filter(|(name, _)| SHOWN.contains(&name.as_str())).collect();
    json!({
        "event_id": Uuid::new_v4().simple().to_string(),
        "timestamp": domain::clock::System.now().to_string(),
        "platform": "other",
        "level": "error",
        "logger": target,
        "release": format!("{}@{VERSION}", about.service),
        "environment": about.environment.as_str(),
        "message": { "formatted": message },
        "tags": tags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;

    #[test]
    fn a_dsn_is_an_address_and_a_key() {
        let url = |dsn: &str| address(dsn).map(|address| address.url);
        assert_eq!(
            url("https://k@o1.example.com/42").unwrap(),
            "https://o1.example.com/api/42/envelope/"
        );
        assert_eq!(
            url("http://k:s@127.0.0.1:9/sub/42").unwrap(),
            "http://127.0.0.1:9/sub/api/42/envelope/"
        );
        for wrong in ["", "https://example.com/42", "ftp://k@h/42", "https://k@/42", "https://k@h/"]
        {
            assert!(url(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn nothing_goes_with_an_event_that_is_not_in_the_list() {
        let mut fields = Fields::default();
        for (name, value) in [
            ("message", "a result could not be kept: no space at /srv/acme"),
            ("request_id", "r1"),
            ("panic", "inputs were {\"force\": 94080}"),
            ("token", "mp_hunter2"),
        ] {
            fields.0.insert(name.to_owned(), value.into());
        }
        let about = About { service: "mecapy", environment: Environment::Production };
        let event = told("engine::finish", fields, about);
        assert_eq!(event["message"]["formatted"], "a result could not be kept");
        assert_eq!(event["tags"], json!({ "request_id": "r1" }));
        let text = event.to_string();
        assert!(!text.contains("hunter2") && !text.contains("94080") && !text.contains("acme"));
    }
}
