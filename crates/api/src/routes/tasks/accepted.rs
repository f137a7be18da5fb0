//! The answer to whoever asked for a calculation, at once or after its end.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::permission::Principal;
use domain::{Lang, TaskId};
use engine::Submitted;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::TaskBody;
use crate::answer::{json, located};
use crate::app::App;
use crate::idempotency::Answer;
use crate::problem::Problem;

/// A task that was accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct Accepted {
    /// Its id.
    task_id: Uuid,
    /// `queued`, `running`, or `completed` where an earlier result answers.
    status: &'static str,
    /// Tasks ahead of it in its company and class; null where it runs.
    queue_position: Option<u64>,
}

impl Accepted {
    /// The answer that leaves before the end.
    pub(crate) fn answer(submitted: &Submitted) -> Result<Answer, Problem> {
        let body = Self {
            task_id: submitted.task.0,
            status: submitted.state.as_str(),
            queue_position: submitted.position,
        };
        Answer::new(StatusCode::ACCEPTED, format!("/tasks/{}", submitted.task), &body)
    }
}

/// The task once it has ended within `wait`, else the answer as it is.
pub(crate) async fn ended_within(
    app: &App,
    who: &Principal,
    accepted: Answer,
    wait: Option<Duration>,
    lang: Lang,
) -> Result<Response, Problem> {
    let id = accepted.location.rsplit('/').next().and_then(|id| id.parse::<TaskId>().ok());
    let (Some(wait), Some(id)) = (wait, id) else { return Ok(accepted.into_response()) };
    match app.unless_stopping(app.engine.wait(who, id, wait)).await.transpose()? {
        Some(view) if view.task.state.is_final() => {
            let inline = app.settings.limits.inline_result_bytes;
            let task = json(StatusCode::OK, &TaskBody::of(&view, inline, lang));
            Ok(located(task, &accepted.location))
        }
        _ => {
            // Out of patience, or the server goes down: accepted means durable.
            app.engine.ensure_written(id).await?;
            Ok(accepted.into_response())
        }
    }
}
