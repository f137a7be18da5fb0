//! `POST /tasks`: a calculation without a deployed function.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use engine::AdHoc;
use serde_json::Value;
use utoipa::ToSchema;

use super::accepted::{Accepted, ended_within};
use super::view::TaskBody;
use crate::app::App;
use crate::context::Context;
use crate::extract::{Caller, JsonBody, Params};
use crate::idempotency::Once;
use crate::problem::Problem;

/// Room for the code beside `inputs`: a Python file may have 1 MiB, and JSON
/// escapes some of it.
const BESIDE_INPUTS: u64 = 3 << 20;

/// What to calculate.
#[derive(ToSchema)]
#[schema(as = AdHocTask)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document; see `asked`")]
pub(crate) struct Code {
    /// What the task is called; `ad-hoc` where missing.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// A Python module that defines `calculate(inputs)`, up to 1 MiB.
    code: String,
    /// What `calculate` is given; `{}` where missing.
    #[schema(value_type = Object)]
    inputs: Option<()>,
    /// Packages beyond those of the base image, as PEP 508 lines.
    requirements: Option<Vec<String>>,
    /// `python-base`, `python-scientific` (the default) or `python-cfd`.
    #[schema(schema_with = crate::openapi::words::base_image)]
    base_image: Option<String>,
    /// `3.9` to `3.13`; the operator's default where missing.
    #[schema(schema_with = crate::openapi::words::python_version)]
    python_version: Option<String>,
    /// MB; 2048 where missing.
    #[schema(minimum = 32)]
    memory_limit: Option<u32>,
    /// Cores; 2 where missing.
    #[schema(minimum = 0.1)]
    cpu_limit: Option<f64>,
    /// 0 to 9; 9 is the most urgent, 5 the default.
    #[schema(minimum = 0, maximum = 9, default = 5)]
    priority: Option<u8>,
    /// Wall-clock limit in seconds.
    #[schema(default = 300)]
    #[schema(exclusive_minimum = 0)]
    timeout: Option<f64>,
}

/// Runs code that is not deployed: checked, locked and kept like a function.
/// The task is durable when this answers.
#[utoipa::path(
    post,
    path = "/tasks",
    operation_id = "runCode",
    tag = "tasks",
    params(
        ("wait" = Option<f64>, Query, description = "Seconds to wait for the end, up to 60; decimals allowed"),
        ("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same body, the same task is answered"),
    ),
    request_body = Code,
    responses(
        (status = 202, description = "Accepted; `Location` is the task", body = Accepted),
        (status = 200, description = "Ended within `wait`, however it ended", body = TaskBody),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Caller(who): Caller,
    mut params: Params,
    once: Once,
    body: JsonBody<BESIDE_INPUTS>,
) -> Result<Response, Problem> {
    let wait = params.wait();
    params.finish()?;
    // A repeated key is answered from the database, so that must know first.
    let waits = wait.is_some() && !once.has_key();
    let origin = Some(context.origin());
    let request = AdHoc { waits, origin, ..asked(&body)? };
    let (engine, caller) = (app.engine.clone(), who.clone());
    let accepted = app
        .once(&who, once, body.bytes(), async move {
            Accepted::answer(&engine.run_code(&caller, request).await?)
        })
        .await?;
    ended_within(&app, &who, accepted, wait, context.lang).await
}

/// Reads the body; `inputs` stay the caller's exact bytes. What has its rules
/// in a manifest is checked as one, with everything that is wrong in the code.
fn asked(body: &JsonBody<BESIDE_INPUTS>) -> Result<AdHoc, Problem> {
    let mut fields = body.fields()?;
    let mut any = |name| fields.optional::<Value>(name, ("a value", "une valeur"));
    let [requirements, base_image, python_version, memory_limit, cpu_limit] =
        ["requirements", "base_image", "python_version", "memory_limit", "cpu_limit"].map(&mut any);
    let name = fields.optional("name", ("a text", "un texte"));
    let code = fields.required::<String>(
        "code",
        (
            "a text, the Python module with `calculate`",
            "un texte, le module Python avec `calculate`",
        ),
    );
    let inputs = fields.raw("inputs").unwrap_or_else(|| Bytes::from_static(b"{}"));
    let (priority, timeout_s) = (fields.priority(), fields.timeout());
    fields.refuse_webhook();
    fields.finish()?;
    Ok(AdHoc {
        name,
        // A missing one was refused.
        code: code.unwrap_or_default(),
        inputs,
        requirements,
        base_image,
        python_version,
        memory_limit,
        cpu_limit,
        priority,
        timeout_s,
        waits: false,
        origin: None,
    })
}
