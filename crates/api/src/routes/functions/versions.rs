//! `GET /functions/{id}/versions`: every version, newest first.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Timestamp;
use engine::store::functions::Version;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Function, Params};
use crate::problem::Problem;

/// A version as the list of versions shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = VersionSummary)]
pub(crate) struct VersionSummary {
    /// The version's id.
    version_id: Uuid,
    /// The function's name.
    name: String,
    /// The version's number.
    version: String,
    /// What changed in it.
    changelog: Option<String>,
    /// SHA-256 over the archive's paths and contents.
    archive_digest: String,
    /// The exact Python version.
    python: String,
    /// The deployment that made it.
    deployment_id: Uuid,
    /// Who deployed it.
    created_by: Uuid,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Version> for VersionSummary {
    fn from(version: Version) -> Self {
        Self {
            version_id: version.id.0,
            name: version.name,
            version: version.version.to_string(),
            changelog: version.manifest.changelog,
            archive_digest: version.archive.to_string(),
            python: version.python_full,
            deployment_id: version.deployment.0,
            created_by: version.created_by.0,
            created_at: version.created_at,
        }
    }
}

/// The versions of a function, newest first.
#[utoipa::path(
    get,
    path = "/functions/{id}/versions",
    operation_id = "listVersions",
    tag = "functions",
    params(
        ("id" = String, Path, description = "UUID, `name`, `name@version` or `company:name@version`"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 200; 50 by default"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of versions", body = Page<VersionSummary>)),
)]
pub(crate) async fn versions(
    State(app): State<App>,
    Caller(who): Caller,
    Function(reference): Function,
    mut params: Params,
) -> Result<Response, Problem> {
    let (after, limit) = params.page();
    params.finish()?;
    let page = app.engine.versions(&who, &reference, after, limit).await?;
    Ok(json(StatusCode::OK, &Page::of(page, VersionSummary::from)))
}
