//! `GET /tasks/{id}/events`: state, progress and log as they come.

use axum::extract::State;
use axum::response::Response;
use domain::TaskId;

use crate::app::App;
use crate::events::{LastSeen, stream};
use crate::extract::{Id, Params, Watcher};
use crate::problem::Problem;

/// The task's events as server-sent events, until it has ended: durable
/// ones (`task.running` …) with an id; `progress`, `log`, and while it waits
/// `queue` with its position; and `reset` where some of these were missed.
#[utoipa::path(
    get,
    path = "/tasks/{id}/events",
    operation_id = "watchTask",
    tag = "tasks",
    params(
        ("id" = Uuid, Path, description = "The task's id"),
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
    Id(id): Id<TaskId>,
    seen: LastSeen,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let open = app.streams.open(&watcher.who, &app.settings.streams)?;
    let updates = app.engine.watch_task(&watcher.who, id, seen.0).await?;
    Ok(stream(updates, seen, watcher, open, &app).await)
}
