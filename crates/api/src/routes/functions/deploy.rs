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
use engine::git;
use engine::store::deployments::Status;
use utoipa::ToSchema;

use crate::answer::{json, located};
use crate::app::App;
use crate::context::Context;
use crate::extract::body::Bounds;
use crate::extract::json::{Fields, unsupported};
use crate::extract::upload::{Upload, media_type};
use crate::extract::{Caller, JsonBody, Params};
use crate::idempotency::{Answer, Once};
use crate::problem::{Code, Problem, counted};
use crate::routes::deployments::view::DeploymentBody;

/// The longest `?wait=` of a deployment: environments take their time.
const LONGEST: Duration = Duration::from_secs(10 * LONGEST_WAIT.as_secs());

/// A repository to deploy from.
#[derive(ToSchema)]
#[schema(as = DeployFromGit)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct FromGit {
    /// The https address of a repository, without user or password.
    git_url: String,
    /// A branch, a tag or the 40 digits of a commit; the default branch where
    /// absent.
    r#ref: Option<String>,
    /// The folder with `mecapy.yaml`; the whole repository where absent.
    path: Option<String>,
    /// A token that may read the repository, or `user:token`; kept nowhere.
    git_token: Option<String>,
}

/// A form with the archive.
#[derive(ToSchema)]
#[schema(as = DeployForm)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
pub(crate) struct Form {
    /// The ZIP.
    #[schema(value_type = String, format = Binary)]
    archive: Vec<u8>,
}

/// Deploys an archive, or a folder of a Git repository: checked, built,
/// tested, published as a version. The same content twice is the same version.
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
            (FromGit = "application/json"),
            (FromGit = "application/x-www-form-urlencoded"),
        ),
        description = "The ZIP, as the form field `archive` or as the body itself; or where to fetch the folder from",
    ),
    responses(
        (status = 202, description = "Accepted; `Location` tells its stages", body = DeploymentBody),
        (status = 201, description = "Deployed within `wait`", body = DeploymentBody),
        (status = 422, description = "Refused within `wait`, with every fault; or the repository could not be fetched"),
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
    let (body, sent) = sent(&app, request).await?;
    let (engine, caller, lang) = (app.engine.clone(), who.clone(), context.lang);
    let accepted = app
        .once(&who, once, &body, async move {
            let deployment = match sent {
                Sent::Archive(archive) => engine.deploy(&caller, archive).await?,
                Sent::Repository(wanted) => engine.deploy_from_git(&caller, wanted).await?,
            };
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

/// What is to be deployed.
enum Sent {
    Archive(Bytes),
    Repository(git::Request),
}

/// What is to be deployed, in whichever way it was sent, and the body that
/// said so.
async fn sent(app: &App, request: Request) -> Result<(Bytes, Sent), Problem> {
    let bounds = Bounds {
        what: "archive",
        limit: app.settings.limits.archive_bytes,
        pause: app.settings.body_pause,
    };
    let archive = match media_type(request.headers()).as_str() {
        "multipart/form-data" => Upload::of_form(request, "archive", bounds).await?,
        "application/zip" | "application/x-zip-compressed" | "application/octet-stream" => {
            Upload::of_body(request, bounds)
        }
        "application/json" => return repository(JsonBody::from_request(request, app).await?),
        "application/x-www-form-urlencoded" => {
            let form = JsonBody::of_form(request, app).await?;
            return repository(form);
        }
        _ => {
            return Err(unsupported(
                "multipart/form-data (field `archive`), application/zip, application/json (`git_url`)",
            ));
        }
    };
    let archive = archive.whole(bounds).await?;
    Ok((archive.clone(), Sent::Archive(archive)))
}

/// The repository that the fields of a body name.
fn repository(body: JsonBody) -> Result<(Bytes, Sent), Problem> {
    let mut fields = body.fields()?;
    let text = ("a text", "un texte");
    let address = (
        "the https address of a repository, such as https://host/team/functions.git",
        "l'adresse https d'un dépôt, par exemple https://hote/equipe/fonctions.git",
    );
    let url: Option<String> = fields.required("git_url", address);
    // An empty field of a form is one that was left out.
    let mut optional = |name| fields.optional(name, text).filter(|text: &String| !text.is_empty());
    let (reference, path) = (optional("ref"), optional("path"));
    let token = token(&mut fields);
    fields.finish()?;
    let wanted = git::Request {
        url: url.unwrap_or_default(),
        reference,
        path,
        login: token.as_deref().map(git::Login::of_token),
    };
    Ok((body.bytes().clone(), Sent::Repository(wanted)))
}

/// The token for the repository, which no fault shows.
fn token(fields: &mut Fields<'_>) -> Option<String> {
    let sent = fields.raw("git_token")?;
    let read = serde_json::from_slice::<Option<String>>(&sent);
    if read.is_err() {
        let message = Text::new(
            "expected a text; what came is not shown, it may hold a token",
            "attendu : un texte ; ce qui a été reçu n'est pas montré, il peut contenir un jeton",
        );
        fields.refuse("git_token", "body_value", message);
    }
    read.ok().flatten().filter(|token| !token.is_empty())
}
