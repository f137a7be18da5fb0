//! The answers that operations share: problems, their headers, and what a
//! download may be.

use axum::http::StatusCode;
use serde_json::json;
use utoipa::ToSchema as _;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema};

use crate::answer::DOWNLOADS;
use crate::problem::body::Body9457;
use crate::scopes::Needs;

/// The problems that an operation may be answered with, by status: the name
/// among the components, and in which words a reader finds it there.
const PROBLEMS: [(StatusCode, &str, &str); 12] = [
    (StatusCode::BAD_REQUEST, "BadRequest", "A header or the form of the body is not valid"),
    (StatusCode::UNAUTHORIZED, "Unauthorized", "Who calls is not known, or shows what is wrong"),
    (StatusCode::FORBIDDEN, "Forbidden", "Role, scope or membership do not allow this"),
    (StatusCode::NOT_FOUND, "NotFound", "There is no such thing in the caller's company"),
    (StatusCode::REQUEST_TIMEOUT, "TooSlow", "The body arrived too slowly"),
    (StatusCode::CONFLICT, "Conflict", "Name or state do not allow this"),
    (StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", "The body is too large, or the storage is full"),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "The body has another type"),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "Invalid",
        "A parameter or the body is not what is expected",
    ),
    (StatusCode::TOO_MANY_REQUESTS, "TooMany", "A limit is reached; `Retry-After` says until when"),
    (StatusCode::INTERNAL_SERVER_ERROR, "Internal", "The platform failed"),
    (StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "A part of the platform does not serve now"),
];

/// Adds the problems to the components.
pub(super) fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    for (_, name, words) in PROBLEMS {
        components.responses.insert(name.to_owned(), problem(words).into());
    }
}

/// Adds to an operation the problems that it may be answered with, and to its
/// other answers what they carry, too.
pub(super) fn complete(operation: &mut Operation, needs: Needs) {
    let expected: Vec<_> =
        PROBLEMS.into_iter().filter(|(status, ..)| may_answer(operation, *status, needs)).collect();
    let own = &mut operation.responses.responses;
    for (status, name, _) in expected {
        let key = status.as_str().to_owned();
        own.entry(key).or_insert_with(|| Ref::from_response_name(name).into());
    }
    for (status, answer) in own {
        let RefOr::T(answer) = answer else { continue };
        // A route that says a problem in words of its own keeps them.
        if status.starts_with('4') && answer.content.is_empty() {
            answer.content = problem("").content;
        }
        add_headers(answer);
        events(answer);
        downloads(answer);
    }
}

fn may_answer(operation: &Operation, status: StatusCode, needs: Needs) -> bool {
    let has = |place: &ParameterIn, name: Option<&str>| {
        operation.parameters.iter().flatten().any(|parameter| match parameter {
            RefOr::T(own) => own.parameter_in == *place && name.is_none_or(|name| name == own.name),
            RefOr::Ref(_) => false,
        })
    };
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let body = operation.request_body.is_some();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            needs != Needs::Nothing || ["logIn", "acceptInvitation"].contains(&id)
        }
        StatusCode::NOT_FOUND => {
            let named = ["acceptInvitation", "createToken", "switchCompany", "listAudit"];
            has(&ParameterIn::Path, None) || named.contains(&id)
        }
        StatusCode::CONFLICT => {
            has(&ParameterIn::Header, Some("Idempotency-Key")) || id == "acceptInvitation"
        }
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE => body,
        _ => true,
    }
}

fn problem(words: &str) -> Response {
    let schema = Ref::from_schema_name(Body9457::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut problem = ResponseBuilder::new()
        .description(words)
        .content("application/problem+json", content)
        .build();
    add_headers(&mut problem);
    problem
}

/// Every answer names its request.
fn add_headers(answer: &mut Response) {
    let header = json!({
        "description": "Id of the request: the caller's where it sent an acceptable one",
        "schema": { "type": "string", "pattern": "^[A-Za-z0-9_.:+/=-]{1,128}$" },
    });
    let header = serde_json::from_value(header).expect("a header of few words is one");
    answer.headers.insert("X-Request-Id".to_owned(), RefOr::T(header));
}

/// Says what an event of a stream is.
fn events(answer: &mut Response) {
    let Some(RefOr::T(content)) = answer.content.get_mut("text/event-stream") else { return };
    let event = json!({
        "type": "object",
        "required": ["event"],
        "properties": {
            "id": { "type": "string", "pattern": "^[0-9]+$" },
            "event": { "type": "string" },
            "data": { "type": "string", "contentMediaType": "application/json" },
        },
    });
    // What the stream as a whole is, readers of 3.1 take for what each event is.
    content.schema = None;
    content.item_schema =
        Some(RefOr::T(serde_json::from_value(event).expect("a schema of few words is one")));
}

/// Bytes are no list of numbers, and a file comes with its own media type where
/// a browser can't run it.
fn downloads(answer: &mut Response) {
    if let Some(RefOr::T(content)) = answer.content.get_mut("application/zip") {
        content.schema = Some(binary());
    }
    let Some(RefOr::T(content)) = answer.content.get_mut("application/octet-stream") else {
        return;
    };
    content.schema = Some(binary());
    for media in DOWNLOADS {
        answer.content.insert(media.to_owned(), RefOr::T(ContentBuilder::new().build()));
    }
}

/// The schema of bytes.
pub(super) fn binary() -> RefOr<Schema> {
    let schema = json!({ "type": "string", "format": "binary" });
    RefOr::T(serde_json::from_value(schema).expect("a schema of few words is one"))
}
