//! `GET /deployments/{id}/events`: its stages as they come.

use axum::extract::State;
use axum::response::Response;
use domain::DeploymentId;

use crate::app::App;
use crate::events::{LastSeen, stream};
use crate::extract::{Id, Params, Watcher};
use crate::problem::Problem;

/// The deployment's events as server-sent events, until it has ended.
#[utoipa::path(
    get,
    path = "/deployments/{id}/events",
    operation_id = "watchDeployment",
    tag = "deployments",
    params(
        ("id" = Uuid, Path, description = "The deployment's id"),
        ("Last-Event-ID" = Option<i64>, Header, description = "Goes on after this event"),
    ),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream", body = String),
        (status = 204, description = "Nothing comes after the event seen last"),
    ),
)]
pub(crate) async fn events(
    State(app): State<App>,
    watcher: Watcher,
    Id(id): Id<DeploymentId>,
    seen: LastSeen,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let open = app.streams.open(&watcher.who, &app.settings.streams)?;
    let updates = app.engine.watch_deployment(&watcher.who, id, seen.0).await?;
    Ok(stream(updates, seen, watcher, open, &app).await)
}
