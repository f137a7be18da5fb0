//! Logs: readable lines on a terminal, JSON lines elsewhere.

use std::fmt;
use std::io::IsTerminal;

use domain::Clock;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::settings::Environment;

/// Begins to write logs on standard error, from `level` on.
pub fn start(level: Level, environment: Environment, service: &'static str) {
    // The libraries below us explain themselves only when they are debugged.
    let quiet = level < Level::DEBUG;
    let filter = tracing_subscriber::EnvFilter::default()
        .add_directive(LevelFilter::from_level(level).into());
    let filter = if quiet {
        ["hyper=warn", "tower=warn", "h2=warn"]
            .into_iter()
            .filter_map(|directive| directive.parse().ok())
            .fold(filter, tracing_subscriber::EnvFilter::add_directive)
    } else {
        filter
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first one's choice.
    let _ = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.event_format(Json { environment, service }).try_init()
    };
}

/// One JSON object per line: `timestamp`, `level`, `service`, `environment`,
/// `version`, `message`, the fields that requests carry (`request_id`,
/// `user_id`, `endpoint`, `method`, `status_code`, `duration_ms`) and, for
/// everything else, `metadata`.
struct Json {
    environment: Environment,
    service: &'static str,
}

/// Fields with a place of their own; the rest goes into `metadata`.
const NAMED: &[&str] =
    &["message", "request_id", "user_id", "endpoint", "method", "status_code", "duration_ms"];

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        put("timestamp", domain::clock::System.now().to_string().into());
        put("level", event.metadata().level().as_str().to_ascii_lowercase().into());
        put("service", self.service.into());
        put("environment", self.environment.as_str().into());
        put("version", env!("CARGO_PKG_VERSION").into());
        put("target", event.metadata().target().into());
        let mut metadata = Map::new();
        for (name, value) in fields.0 {
            // `request.id` and `request_id` are the same to who reads logs.
            let flat = name.replace('.', "_");
            if NAMED.contains(&flat.as_str()) {
                line.insert(flat, value);
            } else {
                metadata.insert(name, value);
            }
        }
        let spans = context.event_scope().map(|scope| {
            scope
                .from_root()
                .map(|span| {
                    let extensions = span.extensions();
                    let fields = extensions.get::<FormattedFields<N>>();
                    match fields.filter(|fields| !fields.is_empty()) {
                        Some(fields) => format!("{}{{{fields}}}", span.name()),
                        None => span.name().to_owned(),
                    }
                })
                .map(Value::from)
                .collect::<Vec<_>>()
        });
        if let Some(spans) = spans.filter(|spans| !spans.is_empty()) {
            metadata.insert("spans".to_owned(), spans.into());
        }
        if !metadata.is_empty() {
            line.insert("metadata".to_owned(), metadata.into());
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_line_is_one_json_object_with_the_documented_fields() {
        let captured = Captured::default();
        let to = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || to.clone())
            .event_format(Json { environment: Environment::Staging, service: "mecapy" })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(
                request.id = "r1",
                duration_ms = 1.5,
                task.id = "t1",
                "a request\nended"
            );
        });
        let bytes = captured.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(line["level"], "info");
        assert_eq!(line["service"], "mecapy");
        assert_eq!(line["environment"], "staging");
        assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(line["message"], "a request\nended");
        assert_eq!(line["request_id"], "r1");
        assert_eq!(line["duration_ms"].to_string(), "1.5");
        assert_eq!(line["metadata"]["task.id"], "t1");
    }
}
