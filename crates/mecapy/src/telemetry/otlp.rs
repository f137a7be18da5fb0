//! Traces, by OTLP over HTTP with JSON
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
//!
//! Spans arrive as events of `engine::trace`, each already over, as a run may
//! outlive the request that asked for it. One document and one request need
//! no library (`docs/decisions/0010`).

use domain::Text;
use domain::origin::Trace;
use serde_json::{Value, json};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::fields::Fields;
use super::outbox::{Address, Letter, Outbox, Sending, open};
use super::{About, VERSION};
use crate::settings::Secret;

/// Spans in one request at most.
const BATCH: usize = 512;

/// Sends every event that it is shown as a span.
pub(super) struct Spans(Outbox<Value>);

/// The layer, and the thread behind it.
pub(super) fn layer(
    url: &str,
    headers: Option<&Secret>,
    about: About,
) -> Result<(Spans, Sending), Text> {
    let headers = headers.map_or_else(|| Ok(Vec::new()), read_headers)?;
    let url = format!("{}/v1/traces", url.trim_end_matches('/'));
    let write = move |spans: Vec<Value>| Letter {
        content_type: "application/json",
        body: document(&spans, about).to_string().into_bytes(),
    };
    let (outbox, sending) = open("telemetry-traces", Address { url, headers }, BATCH, write)
        .map_err(|error| Text::same(error.to_string()))?;
    Ok((Spans(outbox), sending))
}

fn read_headers(given: &Secret) -> Result<Vec<(String, String)>, Text> {
    let pairs = given.expose().split(',').map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    });
    pairs.collect::<Option<_>>().ok_or_else(|| {
        Text::new(
            "OTEL_EXPORTER_OTLP_HEADERS: expected `name=value`, separated by commas",
            "OTEL_EXPORTER_OTLP_HEADERS : attendu : `nom=valeur`, séparés par des virgules",
        )
    })
}

fn document(spans: &[Value], about: About) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            attribute("service.name", &about.service.into()),
            attribute("service.version", &VERSION.into()),
            attribute("deployment.environment.name", &about.environment.as_str().into()),
        ]},
        "scopeSpans": [{ "scope": { "name": "mecapy", "version": VERSION }, "spans": spans }],
    }]})
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Bool(value) => json!({ "boolValue": value }),
        // 64-bit integers are strings in the JSON of protobuf.
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            json!({ "intValue": number.to_string() })
        }
        Value::Number(number) => json!({ "doubleValue": number }),
        Value::String(text) => json!({ "stringValue": text }),
        other => json!({ "stringValue": other.to_string() }),
    };
    json!({ "key": key, "value": value })
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(span) = span(Fields::of(event)) {
            self.0.put(span);
        }
    }
}

/// A span of the fields of an event; what has no name of its own here is an
/// attribute.
fn span(mut fields: Fields) -> Option<Value> {
    const SERVER: u8 = 2;
    const INTERNAL: u8 = 1;
    let trace: Trace = fields.take_text("trace")?.parse().ok()?;
    let nanos = |value: Value| value.as_i64().map(|us| us.saturating_mul(1000).to_string());
    let (began, ended) = (nanos(fields.take("began_us")?)?, nanos(fields.take("ended_us")?)?);
    let parent = fields.take("parent").and_then(|parent| parent.as_u64()).unwrap_or(0);
    let is = |value: Option<Value>| value == Some(Value::Bool(true));
    let kind = if is(fields.take("server")) { SERVER } else { INTERNAL };
    let failed = is(fields.take("failed"));
    let name = fields.take_text("name")?;
    let attributes: Vec<_> = fields.0.iter().map(|(key, value)| attribute(key, value)).collect();
    let mut span = json!({
        "traceId": format!("{:032x}", trace.id),
        "spanId": format!("{:016x}", trace.span),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": began,
        "endTimeUnixNano": ended,
        "attributes": attributes,
    });
    if parent != 0 {
        span["parentSpanId"] = format!("{parent:016x}").into();
    }
    if failed {
        span["status"] = json!({ "code": 2 });
    }
    Some(span)
}
