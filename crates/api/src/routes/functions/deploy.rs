//! `POST /functions`: an archive in, a deployment out.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use domain::limits::LONGEST_WAIT;
use domain::{DeploymentId, Text};
use engine::store::deployments::Status;
use utoipa::ToSchema;

use crate::answer::{json, located};
use crate::app::App;
use crate::context::Context;
use crate::extract::body::Bounds;
use crate::extract::json::unsupported;
use crate::extract::upload::{Upload, media_type};
use crate::extract::{Caller, JsonBody, Params};
use crate::idempotency::{Answer, Once};
use crate::problem::{Code, Problem, counted};
use crate::routes::deployments::view::DeploymentBody;

/// The longest `?wait=` of a deployment: environments take their time.
const LONGEST: Duration = Duration::from_secs(10 * LONGEST_WAIT.as_secs());

/// A form with the archive.
#[derive(ToSchema)]
#[schema(as = DeployForm)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
pub(crate) struct Form {
    /// The ZIP.
    #[schema(value_type = String, format = Binary)]
    archive: Vec<u8>,
}

/// Deploys an archive: checked, built, tested, published as a version. The
/// same content twice is the same version.
#[utoipa::path(
    post,
    path = "/functions",
    operation_id = "deployFunction",
    tag = "functions",
    params(
        ("wait" = Option<f64>, Query, description = "Seconds to wait for the end, up to 600"),
        ("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same archive, the first answer is given again"),
    ),
    request_body(
        content(
            (Form = "multipart/form-data"),
            (Vec<u8> = "application/zip"),
        ),
        description = "The ZIP, as the form field `archive` or as the body itself",
    ),
    responses(
        (status = 202, description = "Accepted; `Location` tells its stages", body = DeploymentBody),
        (status = 201, description = "Deployed within `wait`", body = DeploymentBody),
        (status = 422, description = "Refused within `wait`, with every fault"),
    ),
)]
pub(crate) async fn deploy(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Caller(who): Caller,
    mut params: Params,
    once: Once,
    request: Request,
) -> Result<Response, Problem> {
    let wait = params.wait_up_to(LONGEST);
    params.finish()?;
    let archive = archive(&app, request).await?;
    let (engine, caller, lang) = (app.engine.clone(), who.clone(), context.lang);
    let accepted = app
        .once(&who, once, &archive.clone(), async move {
            let deployment = engine.deploy(&caller, archive).await?;
            let path = format!("/deployments/{}", deployment.id);
            Answer::new(StatusCode::ACCEPTED, path, &DeploymentBody::of(&deployment, lang))
        })
        .await?;
    let id = accepted.location.rsplit('/').next().and_then(|id| id.parse::<DeploymentId>().ok());
    let (Some(wait), Some(id)) = (wait, id) else { return Ok(accepted.into_response()) };
    let ended = app.engine.wait_deployment(&who, id, wait);
    let deployment = match app.unless_stopping(ended).await {
        Some(deployment) => deployment?,
        None => return Ok(accepted.into_response()),
    };
    match deployment.status {
        Status::Running => Ok(accepted.into_response()),
        Status::Deployed => {
            let body = DeploymentBody::of(&deployment, lang);
            Ok(located(json(StatusCode::CREATED, &body), &accepted.location))
        }
        Status::Failed => {
            let detail = counted(deployment.faults.len());
            let tests = deployment.tests().cloned();
            Err(Problem::new(Code::DeploymentFailed, detail)
                .with_faults(deployment.faults)
                .with_tests(tests)
                .of_deployment(id))
        }
    }
}

/// The archive, in whichever of the two ways it was sent.
async fn archive(app: &App, request: Request) -> Result<Bytes, Problem> {
    let bounds = Bounds {
        what: "archive",
        limit: app.settings.limits.archive_bytes,
        pause: app.settings.body_pause,
    };
    match media_type(request.headers()).as_str() {
        "multipart/form-data" => {
            Upload::of_form(request, "archive", bounds).await?.whole(bounds).await
        }
        "application/zip" | "application/x-zip-compressed" | "application/octet-stream" => {
            Upload::of_body(request, bounds).whole(bounds).await
        }
        "application/json" => Err(from_git(JsonBody::from_request(request, app).await?)),
        _ => Err(unsupported("multipart/form-data (field `archive`) or application/zip")),
    }
}

/// A repository to deploy from: said clearly instead of ignored.
fn from_git(body: JsonBody) -> Problem {
    let read = body.fields().and_then(|mut fields| {
        for name in ["git_url", "ref", "path"] {
            fields.has(name);
        }
        fields.finish()
    });
    read.err().unwrap_or_else(|| {
        Problem::new(
            Code::NotOffered,
            Text::new(
                "Deploying from a Git repository comes with a later release. Send the ZIP.",
                "Le déploiement depuis un dépôt Git viendra plus tard. Envoyez le ZIP.",
            ),
        )
    })
}
