//! `GET /health`, `/health/live`, `/health/ready`: no login needed.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Timestamp;
use engine::Health;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::json;
use crate::app::App;

/// How the platform is.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthBody {
    /// `ok`, or `degraded` where a part does not answer.
    status: &'static str,
    /// Part by part.
    checks: Checks,
    /// When this was looked at.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// The program's version.
    version: &'static str,
}

/// The parts: `ok`, `down`, or `unused` where the mode has no such part.
#[derive(Serialize, ToSchema)]
#[schema(as = HealthChecks)]
struct Checks {
    /// This server.
    api: &'static str,
    /// The database.
    database: &'static str,
    /// Redis; unused in one process.
    redis: &'static str,
    /// The object store.
    storage: &'static str,
    /// Keycloak; unused with local accounts.
    keycloak: &'static str,
    /// The workers.
    workers: &'static str,
}

/// Whether a probe is answered well.
#[derive(Serialize, ToSchema)]
#[schema(as = Probe)]
pub(crate) struct Probe {
    /// `ok` or `unavailable`.
    status: &'static str,
}

/// How the platform is, part by part: 200 for `ok` and `degraded`, 503 only
/// where it can't serve.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    tag = "operations",
    security(()),
    responses(
        (status = 200, description = "It serves", body = HealthBody),
        (status = 503, description = "It can't serve", body = HealthBody),
    ),
)]
pub(crate) async fn health(State(app): State<App>) -> Response {
    let health = app.engine.health().await;
    let up = |up: bool| if up { "ok" } else { "down" };
    let others = [health.broker, health.workers];
    let whole = health.database && health.storage && !others.contains(&Some(false));
    let body = HealthBody {
        status: if whole && !health.closing { "ok" } else { "degraded" },
        checks: Checks {
            api: up(!health.closing),
            database: up(health.database),
            redis: health.broker.map_or("unused", up),
            storage: up(health.storage),
            keycloak: "unused",
            workers: health.workers.map_or("unused", up),
        },
        timestamp: app.engine.clock().now(),
        version: env!("CARGO_PKG_VERSION"),
    };
    json(status(&health), &body)
}

/// Whether the process lives. It asks no other part: a restart would not
/// mend those.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    tag = "operations",
    security(()),
    responses((status = 200, description = "It lives", body = Probe)),
)]
pub(crate) async fn live() -> Response {
    json(StatusCode::OK, &Probe { status: "ok" })
}

/// Whether requests should be sent here.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    tag = "operations",
    security(()),
    responses(
        (status = 200, description = "It serves", body = Probe),
        (status = 503, description = "It can't serve", body = Probe),
    ),
)]
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let status = status(&app.engine.health().await);
    let word = if status.is_success() { "ok" } else { "unavailable" };
    json(status, &Probe { status: word })
}

fn status(health: &Health) -> StatusCode {
    let serves = health.database && !health.closing;
    if serves { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
