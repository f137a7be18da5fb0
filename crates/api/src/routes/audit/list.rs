//! `GET /audit`: who did what.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::permission::Credential;
use domain::{CompanyId, Timestamp, UserId};
use engine::store::audit::{Filter, Record};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// A row of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub(crate) struct RecordBody {
    /// Its id.
    audit_id: Uuid,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The company it belongs to; null for what belongs to none.
    company_id: Option<Uuid>,
    /// Who did it; null where that is not known.
    user_id: Option<Uuid>,
    /// The user's name.
    user: Option<String>,
    /// What the request showed: `session`, `token` or `nothing`.
    credential: &'static str,
    /// Id of the session or token.
    credential_id: Option<Uuid>,
    /// What was done: `login`, `token.create` …
    action: String,
    /// What it was done to.
    resource: String,
    /// `done` or `refused`.
    outcome: &'static str,
    /// The caller's address.
    address: Option<String>,
    /// The request's id, as in the server's log.
    request_id: Option<String>,
}

impl From<Record> for RecordBody {
    fn from(record: Record) -> Self {
        let (credential, credential_id) = match record.credential {
            Credential::Session(id) => ("session", Some(id.0)),
            Credential::Token(id) => ("token", Some(id.0)),
            Credential::Nothing => ("nothing", None),
        };
        Self {
            audit_id: record.id.0,
            at: record.at,
            company_id: record.company.map(|id| id.0),
            user_id: record.user.map(|id| id.0),
            user: record.user_name,
            credential,
            credential_id,
            action: record.action,
            resource: record.resource,
            outcome: record.outcome.as_str(),
            address: record.address,
            request_id: record.request_id,
        }
    }
}

/// Who did what, newest first: in the own company for the role
/// `company_admin`, everywhere for `admin`.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "listAudit",
    tag = "companies",
    params(
        ("company" = Option<Uuid>, Query, description = "Only what belongs to this company"),
        ("user" = Option<Uuid>, Query, description = "Only what this user did"),
        ("action" = Option<String>, Query, description = "Only this action, or those that begin with it and a dot"),
        ("since" = Option<String>, Query, description = "Not before this instant"),
        ("until" = Option<String>, Query, description = "Before this instant"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 200; 50 by default"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of the log", body = Page<RecordBody>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    mut params: Params,
) -> Result<Response, Problem> {
    const UUID: (&str, &str) = ("a UUID", "un UUID");
    const INSTANT: (&str, &str) =
        ("an instant such as 2030-01-01T00:00:00Z", "un instant tel que 2030-01-01T00:00:00Z");
    let filter = Filter {
        company: params.parsed::<CompanyId>("company", UUID),
        user: params.parsed::<UserId>("user", UUID),
        action: params.text("action"),
        since: params.parsed::<Timestamp>("since", INSTANT),
        until: params.parsed::<Timestamp>("until", INSTANT),
    };
    let (after, limit) = params.page();
    params.finish()?;
    let page = app.engine.audit(&who, filter, after, limit).await?;
    Ok(json(StatusCode::OK, &Page::of(page, RecordBody::from)))
}
