//! The OpenAPI document: what the routes say of themselves, and what holds
//! for all of them.

use axum::http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder};
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

/// Adds to every operation what any of them may answer, and what it needs.
pub(crate) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let methods = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                with_problem(operation);
                operation.security = Some(security(scopes::needed(&method, path)));
            }
        }
    }
}

fn security(needs: Needs) -> Vec<SecurityRequirement> {
    let scopes = match needs {
        Needs::Nothing => return Vec::new(),
        Needs::Anybody => None,
        Needs::Scope(scope) => Some(scope.as_str()),
    };
    vec![
        SecurityRequirement::new("token", scopes),
        SecurityRequirement::new::<_, [&str; 0], _>("session", []),
    ]
}

fn with_problem(operation: &mut Operation) {
    let schema = Ref::from_schema_name(Body9457::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new()
        .description("A problem, by RFC 9457")
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.insert("default".to_owned(), response.into());
}
