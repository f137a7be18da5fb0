//! Logs: readable lines on a terminal, JSON lines elsewhere. Traces and errors
//! go to whoever the operator names, and nowhere else.

mod fields;
mod json;
mod otlp;
mod outbox;
mod sentry;

use std::io::IsTerminal;

use domain::Text;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{Environment, Secret, Settings};
pub use outbox::Sending;

/// Who is told beside the log.
#[derive(Clone, Debug, Default)]
pub struct Receivers {
    /// Where traces go, by OTLP over HTTP: the address that `/v1/traces` is
    /// put behind.
    pub otlp: Option<String>,
    /// Headers for it, `name=value,…`.
    pub otlp_headers: Option<Secret>,
    /// Where errors go.
    pub sentry: Option<Secret>,
}

/// Begins to write logs on standard error, from `level` on.
pub fn start(level: Level, environment: Environment, service: &'static str) {
    let _ = begin(level, environment, service, &Receivers::default());
}

/// The same for a server, with whoever else is told. What was not sent yet is
/// sent when the answer is dropped.
///
/// # Errors
/// Where a receiver's address can't be used.
pub fn start_server(settings: &Settings) -> Result<Vec<Sending>, Text> {
    // A person watches a terminal, and would lose the address among requests.
    let usual = if std::io::stderr().is_terminal() { Level::WARN } else { Level::INFO };
    let level = settings.log_level.unwrap_or(usual);
    begin(level, settings.environment, "mecapy", &settings.receivers)
}

fn begin(
    level: Level,
    environment: Environment,
    service: &'static str,
    receivers: &Receivers,
) -> Result<Vec<Sending>, Text> {
    let about = About { service, environment };
    let mut sending = Vec::new();
    let otlp = match &receivers.otlp {
        Some(url) => {
            let (layer, sends) = otlp::layer(url, receivers.otlp_headers.as_ref(), about)?;
            sending.push(sends);
            let spans = Targets::new().with_target(engine::trace::TARGET, LevelFilter::INFO);
            Some(layer.with_filter(spans))
        }
        None => None,
    };
    let sentry = match &receivers.sentry {
        Some(dsn) => {
            let (layer, sends) = sentry::layer(dsn, about)?;
            sending.push(sends);
            Some(layer.with_filter(LevelFilter::ERROR))
        }
        None => None,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_target(false).with_filter(filter(level)).boxed()
    } else {
        lines.event_format(json::Json(about)).with_filter(filter(level)).boxed()
    };
    let subscriber = tracing_subscriber::registry().with(lines).with(otlp).with(sentry);
    // A second start in one process (tests) keeps the first one's choice.
    let _ = subscriber.try_init();
    Ok(sending)
}

/// What every line, trace and error says of its sender.
#[derive(Clone, Copy, Debug)]
struct About {
    service: &'static str,
    environment: Environment,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a log shows: spans are for whoever collects traces.
fn filter(level: Level) -> EnvFilter {
    let mut directives = vec![format!("{}=off", engine::trace::TARGET)];
    // The libraries below us explain themselves only when they are debugged.
    if level < Level::DEBUG {
        directives.extend(["hyper=warn", "tower=warn", "h2=warn"].map(str::to_owned));
    }
    directives.iter().filter_map(|directive| directive.parse().ok()).fold(
        EnvFilter::default().add_directive(LevelFilter::from_level(level).into()),
        EnvFilter::add_directive,
    )
}
