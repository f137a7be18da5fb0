//! Functions and their immutable versions.

use async_trait::async_trait;
use domain::function::FunctionRef;
use domain::manifest::{Manifest, PythonVersion};
use domain::{CompanyId, DeploymentId, Digest, Fault, FunctionId, Timestamp, UserId, VersionId};

use crate::audit::Entry;
use crate::deployments::Source;
use crate::{Cursor, Error, Page};

/// A function as listings show it: itself and its newest version.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The owning company.
    pub company: CompanyId,
    /// Its id.
    pub id: FunctionId,
    /// Its name, unique in the company.
    pub name: String,
    /// When its first version was deployed.
    pub created_at: Timestamp,
    /// The newest version by semver precedence.
    pub newest: Version,
}

/// An immutable version of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// The owning company.
    pub company: CompanyId,
    /// Its id.
    pub id: VersionId,
    /// The function it is of.
    pub function: FunctionId,
    /// The function's name.
    pub name: String,
    /// Its number.
    pub version: semver::Version,
    /// Digest of the archive's sorted paths and contents; the archive itself
    /// lies in blobs under this name.
    pub archive: Digest,
    /// What it says of itself, defaults filled in.
    pub manifest: Manifest,
    /// The environment it runs in.
    pub environment: Digest,
    /// The Python minor version that was bound at deployment.
    pub python: PythonVersion,
    /// The exact Python version, `3.12.1`.
    pub python_full: String,
    /// The lock of the environment, one hashed requirement a line.
    pub lock: String,
    /// Whether the environment holds nothing but its base image's packages,
    /// so that its template may serve every company.
    pub shared_environment: bool,
    /// Modules that its code imports, to be loaded ahead in the template.
    pub imports: Vec<String>,
    /// Warnings of the deployment.
    pub warnings: Vec<Fault>,
    /// The deployment that made it.
    pub deployment: DeploymentId,
    /// The repository that this deployment took it from, where it did.
    pub source: Option<Source>,
    /// Who deployed it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// What a listing of functions is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words in name or description, case-insensitive.
    pub text: Option<String>,
    /// A tag, exactly.
    pub tag: Option<String>,
    /// A category, exactly.
    pub category: Option<String>,
}

/// Functions and versions of a company.
#[async_trait]
pub trait Functions: Send + Sync {
    /// A page of functions that are not deleted.
    async fn functions(
        &self,
        company: CompanyId,
        filter: Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Function>, Error>;
    /// The function and the version that `reference` means, its newest where
    /// none is named. The company in a reference is the caller's business:
    /// only its id counts here.
    async fn resolve(
        &self,
        company: CompanyId,
        reference: &FunctionRef,
    ) -> Result<Option<Version>, Error>;
    /// One version by its id, also of a deleted function.
    async fn version(&self, company: CompanyId, id: VersionId) -> Result<Option<Version>, Error>;
    /// The versions of a function, newest first.
    async fn versions(
        &self,
        company: CompanyId,
        function: FunctionId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Version>, Error>;
    /// Deletes a function softly: its tasks stay, its name is free again.
    async fn delete_function(
        &self,
        company: CompanyId,
        id: FunctionId,
        entry: Option<Entry>,
    ) -> Result<bool, Error>;
    /// Execution times in milliseconds of the version's last completed runs,
    /// at most `count` of them.
    async fn recent_durations_ms(
        &self,
        company: CompanyId,
        version: VersionId,
        count: u32,
    ) -> Result<Vec<f64>, Error>;
}
