//! The bytes of a problem.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use domain::{Fault, Severity, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Code, Problem};
use crate::context::Context;
use crate::routes::deployments::tested::ReportBody;

/// A refusal, by RFC 9457.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Body9457<'a> {
    /// Path of the page that explains the code.
    r#type: String,
    /// The same few words for every problem of this code.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What was expected, what was found, what to do.
    detail: &'a str,
    /// Path of the request.
    instance: &'a str,
    /// What went wrong, as a word that never changes.
    code: &'a str,
    /// Id of the request, also in `X-Request-Id` and in the server's log.
    request_id: &'a str,
    /// What is wrong, place by place; empty where there is one thing to say.
    faults: Vec<FaultBody<'a>>,
    /// The deployment that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_id: Option<Uuid>,
    /// What came of the tests of an archive that was refused for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<ReportBody<'a>>,
    /// The quota that is used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<QuotaBody>,
}

/// A quota that is used up.
#[derive(Serialize, ToSchema)]
#[schema(as = UsedQuota)]
pub(crate) struct QuotaBody {
    /// `tasks_per_day`, `cpu_s_per_day` or `storage_bytes`.
    name: &'static str,
    /// What the company may use.
    limit: f64,
    /// What it has used.
    used: f64,
    /// When it begins anew; null for what is only freed.
    #[schema(value_type = Option<String>, format = DateTime)]
    resets_at: Option<Timestamp>,
}

/// One thing that is wrong, and where.
#[derive(Serialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct FaultBody<'a> {
    /// What is wrong, as a word that never changes.
    code: &'a str,
    /// `error` or `warning`.
    #[schema(value_type = String)]
    severity: Severity,
    /// Path of the file inside the archive; null for a request's body.
    file: Option<&'a str>,
    /// Line, from 1.
    line: Option<u32>,
    /// Column in characters, from 1.
    column: Option<u32>,
    /// Path of the key, or JSON Pointer.
    key: Option<&'a str>,
    /// A sentence in the caller's language.
    message: &'a str,
}

impl<'a> FaultBody<'a> {
    /// A fault as the caller reads it.
    pub(crate) fn of(fault: &'a Fault, lang: domain::Lang) -> Self {
        Self {
            code: &fault.code,
            severity: fault.severity,
            file: fault.file.as_deref(),
            line: fault.line,
            column: fault.column,
            key: fault.key.as_deref(),
            message: fault.message.get(lang),
        }
    }
}

/// The bytes of a problem that is told before any request was read.
pub(super) fn unasked(problem: &Problem, request_id: &str) -> Vec<u8> {
    bytes(problem, domain::Lang::En, "", request_id)
}

/// Whether the HTTP library refused the request in its own words. A handler
/// that answers JSON with such a status, as `/health` does, means it.
fn refused(response: &Response) -> bool {
    let status = response.status();
    let media = response.headers().get(header::CONTENT_TYPE);
    (status.is_client_error() || status.is_server_error())
        && media.is_none_or(|media| media != "application/json")
}

/// Writes the body of a problem into its answer, in place. An error that the
/// HTTP library answered by itself becomes a problem here too.
pub(crate) fn write(response: &mut Response, context: &Context) {
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Arc<Problem>>() {
        Some(problem) => problem,
        None if refused(response) => {
            let code = Code::of_status(status);
            let title = |lang| format!("{}.", code.title(lang));
            let detail = domain::Text::new(title(domain::Lang::En), title(domain::Lang::Fr));
            Arc::new(Problem::new(code, detail))
        }
        None => return,
    };
    let lang = context.lang;
    let bytes = bytes(&problem, lang, &context.path, context.request_id());
    let parts = &problem.0;
    *response.status_mut() = parts.code.status();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag()));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Language"));
    *response.body_mut() = Body::from(bytes);
}

fn bytes(problem: &Problem, lang: domain::Lang, instance: &str, request_id: &str) -> Vec<u8> {
    let parts = &problem.0;
    metrics::counter!("mecapy_problems_total", "code" => parts.code.as_str()).increment(1);
    let body = Body9457 {
        r#type: format!("/docs/errors/{}", parts.code.as_str()),
        title: parts.code.title(lang),
        status: parts.code.status().as_u16(),
        detail: parts.detail.get(lang),
        instance,
        code: parts.code.as_str(),
        request_id,
        faults: parts.faults.iter().map(|fault| FaultBody::of(fault, lang)).collect(),
        deployment_id: parts.deployment.map(|id| id.0),
        tests: parts.tests.as_ref().map(|report| ReportBody::of(report, lang)),
        quota: parts.quota.as_ref().map(|quota| QuotaBody {
            name: quota.name,
            limit: quota.limit,
            used: quota.used,
            resets_at: quota.resets_at,
        }),
    };
    serde_json::to_vec(&body).expect("a problem holds nothing but texts and numbers")
}
