//! One JSON object per line of the log.

use std::fmt;

use domain::Clock as _;
use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::{About, VERSION};

/// Lines with `timestamp`, `level`, `service`, `environment`, `version`,
/// `request_id`, `user_id`, `endpoint`, `method`, `status_code`,
/// `duration_ms`, `message` and `metadata`, always all of them: what a line
/// has nothing to say of is `null`, and whatever else it says is in `metadata`.
pub(super) struct Json(pub(super) About);

/// Fields of requests, with a place of their own.
const OF_REQUESTS: [&str; 6] =
    ["request_id", "user_id", "endpoint", "method", "status_code", "duration_ms"];

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::of(event);
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        put("timestamp", domain::clock::System.now().to_string().into());
        put("level", event.metadata().level().as_str().to_ascii_lowercase().into());
        put("service", self.0.service.into());
        put("environment", self.0.environment.as_str().into());
        put("version", VERSION.into());
        for name in OF_REQUESTS {
            let empty = |value: &Value| value.as_str() == Some("");
            put(name, fields.take(name).filter(|value| !empty(value)).unwrap_or_default());
        }
        put("message", fields.take("message").unwrap_or_default());
        let mut metadata = Map::new();
        metadata.insert("target".to_owned(), event.metadata().target().into());
        metadata.extend(fields.0);
        put("metadata", metadata.into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::settings::Environment;

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

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let captured = Captured::default();
        let to = captured.clone();
        let about = About { service: "mecapy", environment: Environment::Staging };
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || to.clone())
            .event_format(Json(about))
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = captured.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_log_line_is_one_json_object_with_exactly_the_documented_fields() {
        let lines = lines(|| {
            tracing::info!(
                request_id = "r1",
                duration_ms = 1.5,
                task.id = "t1",
                "a request\nended"
            );
            tracing::warn!("nothing more");
        });
        for line in &lines {
            let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(
                keys,
                [
                    "timestamp",
                    "level",
                    "service",
                    "environment",
                    "version",
                    "request_id",
                    "user_id",
                    "endpoint",
                    "method",
                    "status_code",
                    "duration_ms",
                    "message",
                    "metadata"
                ]
            );
            assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
            assert_eq!(line["service"], "mecapy");
            assert_eq!(line["environment"], "staging");
            assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
        }
        let [first, second] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(first["level"], "info");
        assert_eq!(first["message"], "a request\nended");
        assert_eq!(first["request_id"], "r1");
        assert_eq!(first["duration_ms"].to_string(), "1.5");
        assert_eq!(first["metadata"]["task.id"], "t1");
        assert_eq!(second["level"], "warn");
        assert!(second["request_id"].is_null() && second["status_code"].is_null());
    }
}
