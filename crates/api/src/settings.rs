//! What the HTTP face is built from.

use std::time::Duration;

use domain::Network;
use domain::limits::Limits;
use domain::permission::Principal;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::rates::Rates;
use crate::streams;

/// The settings of the HTTP face.
#[derive(Clone)]
pub struct Settings {
    /// The bounds on bodies; the same that the engine keeps.
    pub limits: Limits,
    /// Origins whose pages may call the API from a browser, such as
    /// `https://app.example.com`; none by default.
    pub cors_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed; none by default.
    pub trusted_proxies: Vec<Network>,
    /// Requests that a user, a token or an address may make; no limit by
    /// default.
    pub rates: Rates,
    /// How streams of events are kept.
    pub streams: streams::Settings,
    /// Whom a request without a token speaks for, on a developer's machine;
    /// `None` refuses such requests.
    pub without_token: Option<Principal>,
    /// Where `/metrics` reads; without it the page answers nothing.
    pub metrics: Option<PrometheusHandle>,
    /// Connections that may be open at once; further ones are answered 503.
    pub connections: usize,
    /// How long a connection may take to send the head of a request. An idle
    /// connection is closed after the same time.
    pub head_timeout: Duration,
    /// How long a body may pause, on its way in or out; the mean speed of what
    /// comes in has a floor besides, see [`SLOWEST_UPLOAD`].
    pub body_pause: Duration,
    /// How long open requests may take to end once the server stops.
    pub drain: Duration,
}

/// The slowest mean speed of an upload after its first [`Settings::body_pause`],
/// in bytes a second; what is slower holds a connection for no good reason.
pub const SLOWEST_UPLOAD: u64 = 1024;

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            rates: Rates::default(),
            streams: streams::Settings::default(),
            without_token: None,
            metrics: None,
            connections: 10_000,
            head_timeout: Duration::from_secs(30),
            body_pause: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("limits", &self.limits)
            .field("cors_origins", &self.cors_origins)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("rates", &self.rates)
            .field("streams", &self.streams)
            .field("without_token", &self.without_token.is_some())
            .field("metrics", &self.metrics.is_some())
            .field("connections", &self.connections)
            .field("head_timeout", &self.head_timeout)
            .field("body_pause", &self.body_pause)
            .field("drain", &self.drain)
            .finish()
    }
}
