//! Deployments: their stages, and the version that a good one ends in.

pub(crate) mod numbers;

use async_trait::async_trait;
use domain::testing;
use domain::{CompanyId, DeploymentId, Digest, Fault, FunctionId, Timestamp, UserId, VersionId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::audit::Entry;
use crate::functions::Version;

/// One try to deploy an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// The owning company.
    pub company: CompanyId,
    /// Its id.
    pub id: DeploymentId,
    /// Who asked for it.
    pub user: UserId,
    /// Where it stands.
    pub status: Status,
    /// Digest of the uploaded bytes, under which they lie in blobs.
    pub upload: Digest,
    /// The repository that the archive was made from, where it was.
    pub source: Option<Source>,
    /// The function's name, once the manifest was read.
    pub name: Option<String>,
    /// The version that it became.
    pub version: Option<VersionId>,
    /// The function of that version.
    pub function: Option<FunctionId>,
    /// The number of that version.
    pub number: Option<semver::Version>,
    /// The stages that were entered, in order.
    pub stages: Vec<Stage>,
    /// What refused it.
    pub faults: Vec<Fault>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

impl Deployment {
    /// What came of the archive's tests, where it was tested.
    #[must_use]
    pub fn tests(&self) -> Option<&testing::Report> {
        self.stages.iter().find_map(|stage| stage.tests.as_ref())
    }
}

/// What of a Git repository an archive was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `https://host/team/functions.git`, without credentials.
    pub url: String,
    /// The branch, tag or commit that was asked for; the default branch where
    /// absent.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The 40 digits of the commit that it was.
    pub commit: String,
    /// The folder; the whole repository where absent.
    pub path: Option<String>,
}

/// Where a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted or in work.
    Running,
    /// Ended in a version.
    Deployed,
    /// Refused.
    Failed,
}

/// One stage of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// `archive`, `environment`, `prepare`, `tests`.
    pub name: String,
    /// When it was entered.
    pub started_at: Timestamp,
    /// How long it took; `None` while it runs.
    pub duration_ms: Option<f64>,
    /// Faults and warnings that it found.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// What came of the archive's tests, once the stage `tests` has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<testing::Report>,
}

/// How a deployment ends well.
#[derive(Clone, Debug, PartialEq)]
pub enum Published {
    /// A new version.
    New(Version),
    /// The same content was deployed before under this version: this
    /// deployment is that one.
    Same(Version),
    /// Another content stands under the version number asked for.
    NumberTaken(Version),
}

/// A version about to be published. The number is decided inside the same
/// transaction that stores it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The version as it shall be stored; `version` counts only where
    /// `number_is_asked`, and `function` is replaced where the name exists.
    pub version: Version,
    /// Whether the archive asks for its number; else the next patch after
    /// the newest deployed one, 0.1.0 at first.
    pub number_is_asked: bool,
}

/// Deployments of a company.
#[async_trait]
pub trait Deployments: Send + Sync {
    /// Stores a deployment that was accepted.
    async fn create_deployment(
        &self,
        deployment: Deployment,
        entry: Option<Entry>,
    ) -> Result<(), Error>;
    /// One deployment.
    async fn deployment(
        &self,
        company: CompanyId,
        id: DeploymentId,
    ) -> Result<Option<Deployment>, Error>;
    /// Enters a stage or updates the last one (same name), with its event.
    async fn put_stage(
        &self,
        company: CompanyId,
        id: DeploymentId,
        name: Option<String>,
        stage: Stage,
    ) -> Result<(), Error>;
    /// Whether this very content is deployed under the function's name.
    async fn is_deployed(
        &self,
        company: CompanyId,
        name: String,
        archive: Digest,
    ) -> Result<bool, Error>;
    /// Publishes a version and ends the deployment as `deployed`, or leaves
    /// it running where the number is taken (then call `fail_deployment`).
    async fn publish(
        &self,
        company: CompanyId,
        id: DeploymentId,
        draft: Draft,
    ) -> Result<Published, Error>;
    /// The version of the company's ad-hoc code with this content.
    async fn code(&self, company: CompanyId, archive: Digest) -> Result<Option<VersionId>, Error>;
    /// Stores a version of the company's ad-hoc code, and the deployment that
    /// it names; where the same content is there already, answers that one.
    async fn keep_code(&self, version: Version) -> Result<VersionId, Error>;
    /// Ends the deployment as `failed`.
    async fn fail_deployment(
        &self,
        company: CompanyId,
        id: DeploymentId,
        faults: Vec<Fault>,
    ) -> Result<(), Error>;
}
