//! `POST /functions/{id}/execute`: inputs in, a task out, and its end where
//! the caller waits for it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use domain::task::Priority;
use domain::{TaskId, Text};
use engine::Submission;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::{json, located};
use crate::app::App;
use crate::context::Context;
use crate::extract::{Caller, Function, JsonBody, Params};
use crate::idempotency::{Answer, Once};
use crate::problem::Problem;
use crate::routes::tasks::view::TaskBody;

/// What to run a function with.
#[derive(ToSchema)]
#[schema(as = Execute)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document; see `submission`")]
pub(crate) struct Execute {
    /// The inputs, as the function's schema asks; `{}` where missing.
    #[schema(value_type = Object)]
    inputs: Option<()>,
    /// 0 to 9; 9 is the most urgent, 5 the default.
    #[schema(minimum = 0, maximum = 9, default = 5)]
    priority: Option<u8>,
    /// Wall-clock limit in seconds; the function's own where missing.
    timeout: Option<f64>,
}

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

/// Runs a function. The task is durable when this answers.
#[utoipa::path(
    post,
    path = "/functions/{id}/execute",
    operation_id = "executeFunction",
    tag = "functions",
    params(
        ("id" = String, Path, description = "UUID, `name`, `name@version` or `company:name@version`"),
        ("wait" = Option<f64>, Query, description = "Seconds to wait for the end, up to 60; decimals allowed"),
        ("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same body, the same task is answered"),
    ),
    request_body = Execute,
    responses(
        (status = 202, description = "Accepted; `Location` is the task", body = Accepted),
        (status = 200, description = "Ended within `wait`, however it ended", body = TaskBody),
    ),
)]
pub(crate) async fn execute(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Caller(who): Caller,
    Function(reference): Function,
    mut params: Params,
    once: Once,
    body: JsonBody,
) -> Result<Response, Problem> {
    let wait = params.wait();
    params.finish()?;
    // A repeated key is answered from the database, so that must know first.
    let waits = wait.is_some() && !once.has_key();
    let origin = Some(context.origin());
    let submission = Submission { waits, origin, ..submission(&body)? };
    let (engine, caller) = (app.engine.clone(), who.clone());
    let accepted = app
        .once(&who, once, body.bytes(), async move {
            let submitted = engine.submit(&caller, &reference, submission).await;
            let submitted = submitted.map_err(Problem::of_submission)?;
            let body = Accepted {
                task_id: submitted.task.0,
                status: submitted.state.as_str(),
                queue_position: submitted.position,
            };
            Answer::new(StatusCode::ACCEPTED, format!("/tasks/{}", submitted.task), &body)
        })
        .await?;
    let id = accepted.location.rsplit('/').next().and_then(|id| id.parse::<TaskId>().ok());
    let (Some(wait), Some(id)) = (wait, id) else { return Ok(accepted.into_response()) };
    match app.unless_stopping(app.engine.wait(&who, id, wait)).await.transpose()? {
        Some(view) if view.task.state.is_final() => {
            let inline = app.settings.limits.inline_result_bytes;
            let task = json(StatusCode::OK, &TaskBody::of(&view, inline, context.lang));
            Ok(located(task, &accepted.location))
        }
        _ => {
            // Out of patience, or the server goes down: accepted means durable.
            app.engine.ensure_written(id).await?;
            Ok(accepted.into_response())
        }
    }
}

/// Reads the body; `inputs` stay the caller's exact bytes.
fn submission(body: &JsonBody) -> Result<Submission, Problem> {
    let mut fields = body.fields()?;
    let inputs = fields.raw("inputs").unwrap_or_else(|| Bytes::from_static(b"{}"));
    let priority = fields.optional::<Priority>(
        "priority",
        (
            "an integer from 0 to 9 (9 is the most urgent)",
            "un entier de 0 à 9 (9 est le plus urgent)",
        ),
    );
    let timeout_s =
        fields.optional::<f64>("timeout", ("a number of seconds", "un nombre de secondes"));
    if fields.has("webhook") {
        fields.refuse(
            "webhook",
            "not_offered",
            Text::new(
                "webhooks come with a later release; wait with ?wait= or follow /tasks/{id}/events",
                "les webhooks viendront plus tard ; attendez avec ?wait= ou suivez /tasks/{id}/events",
            ),
        );
    }
    fields.finish()?;
    Ok(Submission {
        inputs,
        priority: priority.unwrap_or_default(),
        timeout_s,
        waits: false,
        origin: None,
    })
}
