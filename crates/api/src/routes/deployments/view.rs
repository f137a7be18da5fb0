//! A deployment as callers see it.

use domain::{Lang, Severity, Timestamp};
use engine::store::deployments::{Deployment, Source, Status};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::tested::ReportBody;
use crate::problem::body::FaultBody;

/// One try to deploy an archive.
#[derive(Serialize, ToSchema)]
#[schema(as = Deployment)]
pub(crate) struct DeploymentBody<'a> {
    /// Its id.
    deployment_id: Uuid,
    /// The function it became a version of.
    function_id: Option<Uuid>,
    /// The version it became.
    version_id: Option<Uuid>,
    /// The function's name, once the manifest was read.
    name: Option<&'a str>,
    /// The version's number, once deployed.
    version: Option<String>,
    /// `running`, `deployed` or `failed`.
    status: &'static str,
    /// OCI image; null until images exist.
    docker_image: Option<&'a str>,
    /// The repository that it came from; null for an archive.
    source: Option<SourceBody<'a>>,
    /// The stages that were entered, in order.
    stages: Vec<StageBody<'a>>,
    /// What refused it.
    faults: Vec<FaultBody<'a>>,
    /// What came of its test cases and `tests/`; null where it was not tested.
    tests: Option<ReportBody<'a>>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
}

/// What of a Git repository was deployed.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
pub(crate) struct SourceBody<'a> {
    /// Its https address.
    git_url: &'a str,
    /// The branch, tag or commit that was asked for; null for the default
    /// branch.
    r#ref: Option<&'a str>,
    /// The 40 digits of the commit that it was.
    commit: &'a str,
    /// The folder; null for the whole repository.
    path: Option<&'a str>,
}

impl<'a> SourceBody<'a> {
    pub(crate) fn of(source: &'a Source) -> Self {
        Self {
            git_url: &source.url,
            r#ref: source.reference.as_deref(),
            commit: &source.commit,
            path: source.path.as_deref(),
        }
    }
}

/// One stage of a deployment.
#[derive(Serialize, ToSchema)]
#[schema(as = Stage)]
struct StageBody<'a> {
    /// `archive`, `environment`, `prepare` or `tests`.
    name: &'a str,
    /// When it was entered.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// How long it took, in seconds; null while it runs.
    duration: Option<f64>,
    /// What it warned of.
    warnings: Vec<FaultBody<'a>>,
}

impl<'a> DeploymentBody<'a> {
    /// A deployment in the caller's language.
    pub(crate) fn of(deployment: &'a Deployment, lang: Lang) -> Self {
        Self {
            deployment_id: deployment.id.0,
            function_id: deployment.function.map(|id| id.0),
            version_id: deployment.version.map(|id| id.0),
            name: deployment.name.as_deref(),
            version: deployment.number.as_ref().map(ToString::to_string),
            status: match deployment.status {
                Status::Running => "running",
                Status::Deployed => "deployed",
                Status::Failed => "failed",
            },
            docker_image: None,
            source: deployment.source.as_ref().map(SourceBody::of),
            stages: deployment
                .stages
                .iter()
                .map(|stage| StageBody {
                    name: &stage.name,
                    started_at: stage.started_at,
                    duration: stage.duration_ms.map(|ms| ms / 1e3),
                    warnings: stage
                        .faults
                        .iter()
                        .filter(|fault| fault.severity == Severity::Warning)
                        .map(|fault| FaultBody::of(fault, lang))
                        .collect(),
                })
                .collect(),
            faults: deployment.faults.iter().map(|fault| FaultBody::of(fault, lang)).collect(),
            tests: deployment.tests().map(|report| ReportBody::of(report, lang)),
            created_at: deployment.created_at,
            completed_at: deployment.completed_at,
        }
    }
}
