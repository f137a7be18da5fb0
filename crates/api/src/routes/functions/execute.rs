//! `POST /functions/{id}/execute`: inputs in, a task out, and its end where
//! the caller waits for it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use engine::Submission;
use utoipa::ToSchema;

use crate::app::App;
use crate::context::Context;
use crate::extract::{Caller, Function, JsonBody, Params};
use crate::idempotency::Once;
use crate::problem::Problem;
use crate::routes::tasks::accepted::{Accepted, ended_within};
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
    #[schema(exclusive_minimum = 0)]
    timeout: Option<f64>,
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
            Accepted::answer(&submitted)
        })
        .await?;
    ended_within(&app, &who, accepted, wait, context.lang).await
}

/// Reads the body; `inputs` stay the caller's exact bytes.
fn submission(body: &JsonBody) -> Result<Submission, Problem> {
    let mut fields = body.fields()?;
    let inputs = fields.raw("inputs").unwrap_or_else(|| Bytes::from_static(b"{}"));
    let priority = fields.priority();
    let timeout_s = fields.timeout();
    fields.refuse_webhook();
    fields.finish()?;
    Ok(Submission { inputs, priority, timeout_s, waits: false, origin: None })
}
