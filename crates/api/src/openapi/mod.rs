//! The OpenAPI document: what the routes say of themselves, and what holds
//! for all of them.

mod answers;
mod links;
mod parameters;
pub(crate) mod words;

use std::collections::BTreeSet;

use axum::http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi, RefOr, Required};
use utoipa::{OpenApi as _, PartialSchema as _, ToSchema as _};

use crate::problem::body::{Body9457, FaultBody, QuotaBody};
use crate::scopes::{self, Needs};

/// The document before any route: what it is, how to log in, the resources
/// in their order.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "MecaPy",
        description = "Runs Python calculation functions for engineers: deployed from an archive, isolated, exact. Every path also answers under `/api`. Problems are `application/problem+json` with a stable `code`.",
    ),
    tags(
        (name = "auth", description = "Logging in, and the own account"),
        (name = "functions", description = "Deployed calculations"),
        (name = "deployments", description = "From an archive to a version, stage by stage"),
        (name = "tasks", description = "Calculations that were asked for"),
        (name = "files", description = "Input files"),
        (name = "companies", description = "Companies, members, invitations, quotas and the audit log"),
        (name = "tokens", description = "Personal API tokens"),
        (name = "operations", description = "Queue, workers and health"),
    ),
    security(("token" = [])),
)]
struct Base;

/// The document that routes are added to.
pub(crate) fn base() -> OpenApi {
    let mut document = Base::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A personal API token, `mecapy_…`; the words beside it are the scope it needs: `read`, `run`, `deploy` or `admin`",
        ))
        .build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let cookie = ApiKeyValue::with_description(
        "__Host-mecapy",
        "The session of a browser; what changes something needs `X-CSRF-Token` beside it",
    );
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    components.schemas.insert(Body9457::name().into(), Body9457::schema());
    components.schemas.insert(FaultBody::name().into(), FaultBody::schema());
    components.schemas.insert(QuotaBody::name().into(), QuotaBody::schema());
    document
}

/// Adds to every operation what holds for all of them, and what it needs.
pub(crate) fn complete(document: &mut OpenApi) {
    let mut bodies = BTreeSet::new();
    for (path, item) in &mut document.paths.paths {
        let methods = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            let needs = scopes::needed(&method, path);
            operation.security = Some(security(operation, needs));
            parameters::narrow(operation, path);
            correct_body(operation);
            answers::complete(operation, needs);
            bodies.extend(bodies_of(operation));
        }
    }
    answers::describe(document);
    links::add(document);
    let schemas = &mut document.components.get_or_insert_default().schemas;
    for body in bodies {
        // A field that nobody knows is refused, whatever the route.
        if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(&body) {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// Every operation with its path.
#[cfg(test)]
fn operations(document: &OpenApi) -> impl Iterator<Item = (&str, &Operation)> {
    document.paths.paths.iter().flat_map(|(path, item)| {
        let own = [&item.get, &item.post, &item.put, &item.delete];
        own.into_iter().flatten().map(move |operation| (path.as_str(), operation))
    })
}

/// What the routes can't say of their bodies: bytes are no list of numbers, and
/// a function may be run without a word.
fn correct_body(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    if let Some(RefOr::T(content)) = body.content.get_mut("application/zip") {
        content.schema = Some(answers::binary());
    }
    let optional = operation.operation_id.as_deref() == Some("executeFunction");
    body.required = Some(if optional { Required::False } else { Required::True });
}

/// The names of the schemas of an operation's body.
fn bodies_of(operation: &Operation) -> Vec<String> {
    let Some(RefOr::T(body)) = &operation.request_body else { return Vec::new() };
    let schemas = body.content.values().filter_map(|content| match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    });
    let names = schemas.filter_map(|schema| match schema {
        RefOr::Ref(schema) => schema.ref_location.rsplit('/').next(),
        RefOr::T(_) => None,
    });
    names.map(str::to_owned).collect()
}

fn security(operation: &Operation, needs: Needs) -> Vec<SecurityRequirement> {
    let scopes = match needs {
        Needs::Nothing => return Vec::new(),
        Needs::Anybody => None,
        Needs::Scope(scope) => Some(scope.as_str()),
    };
    let session = SecurityRequirement::new::<_, [&str; 0], _>("session", []);
    // A token acts for one company for ever.
    if operation.operation_id.as_deref() == Some("switchCompany") {
        return vec![session];
    }
    vec![SecurityRequirement::new("token", scopes), session]
}
