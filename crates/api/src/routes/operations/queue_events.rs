//! `GET /queue/events`: what happens in the company, and how its queue moves.

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::events::{LastSeen, stream};
use crate::extract::{Params, Watcher};
use crate::problem::Problem;

/// The events of the caller's company as server-sent events, for a list of
/// tasks or a page of operations that stays up to date. Every durable event of
/// every task and deployment has an id; `progress` comes as a run reports it,
/// and `queue` first of all and whenever the queue moves: how many tasks wait
/// and run, and the positions of the next ones. `reset` says to read the
/// present state anew. The stream never ends by itself, and tells nobody of
/// another company, platform admins neither.
#[utoipa::path(
    get,
    path = "/queue/events",
    operation_id = "watchQueue",
    tag = "operations",
    params(("Last-Event-ID" = Option<i64>, Header, description = "Goes on after this event")),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream", body = String),
    ),
)]
pub(crate) async fn events(
    State(app): State<App>,
    watcher: Watcher,
    seen: LastSeen,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let open = app.streams.open(&watcher.who, &app.settings.streams)?;
    let updates = app.engine.watch_company(&watcher.who, seen.0).await?;
    Ok(stream(updates, seen, watcher, open, &app).await)
}
