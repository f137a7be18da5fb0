//! Functions and versions as callers see them.

use domain::{Lang, Timestamp};
use engine::store::functions::{Function, Version};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::problem::body::FaultBody;
use crate::routes::deployments::view::SourceBody;

/// A function as listings show it: its newest version.
#[derive(Serialize, ToSchema)]
#[schema(as = FunctionSummary)]
pub(crate) struct Summary {
    /// The function's id.
    function_id: Uuid,
    /// Its name, unique in the company.
    name: String,
    /// The number of its newest version.
    version: String,
    /// What it says of itself.
    description: Option<String>,
    /// Words to search by.
    tags: Vec<String>,
    /// The one shelf it stands on.
    category: Option<String>,
    /// When its first version was deployed.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its newest version was deployed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Function> for Summary {
    fn from(function: Function) -> Self {
        let metadata = function.newest.manifest.metadata;
        Self {
            function_id: function.id.0,
            name: function.name,
            version: function.newest.version.to_string(),
            description: metadata.description,
            tags: metadata.tags,
            category: metadata.category,
            created_at: function.created_at,
            updated_at: function.newest.created_at,
        }
    }
}

/// One version of a function, in full.
#[derive(Serialize, ToSchema)]
#[schema(as = FunctionVersion)]
pub(crate) struct VersionBody<'a> {
    /// The function's id.
    function_id: Uuid,
    /// The version's id.
    version_id: Uuid,
    /// The function's name.
    name: &'a str,
    /// The version's number.
    version: String,
    /// What it says of itself.
    description: Option<&'a str>,
    /// Who wrote it.
    author: Option<&'a str>,
    /// Where to write to the author.
    email: Option<&'a str>,
    /// Words to search by.
    tags: &'a [String],
    /// The one shelf it stands on.
    category: Option<&'a str>,
    /// What changed in this version.
    changelog: Option<&'a str>,
    /// JSON Schema 2020-12 of the inputs.
    #[schema(value_type = Object)]
    inputs_schema: &'a Value,
    /// JSON Schema 2020-12 of the outputs.
    #[schema(value_type = Option<Object>)]
    outputs_schema: Option<&'a Value>,
    /// Where and under which limits it runs.
    runtime: RuntimeBody<'a>,
    /// What it is built on.
    environment: EnvironmentBody<'a>,
    /// SHA-256 over the archive's paths and contents.
    archive_digest: String,
    /// Warnings of its deployment.
    warnings: Vec<FaultBody<'a>>,
    /// The deployment that made it.
    deployment_id: Uuid,
    /// The repository that this deployment took it from; null for an archive.
    source: Option<SourceBody<'a>>,
    /// Who deployed it.
    created_by: Uuid,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// OCI image; null until images exist.
    #[schema(value_type = Option<String>)]
    docker_image: Option<&'a str>,
}

/// Where and under which limits a version runs.
#[derive(Serialize, ToSchema)]
#[schema(as = Runtime)]
struct RuntimeBody<'a> {
    /// The Python version that was bound at deployment, such as `3.12`.
    python_version: String,
    /// The exact Python version, such as `3.12.1`.
    python: &'a str,
    /// `python-base`, `python-scientific` or `python-cfd`.
    base_image: &'a str,
    /// Wall-clock limit in seconds.
    timeout: u32,
    /// Memory limit in MB.
    memory_limit: u32,
    /// CPU limit in cores.
    cpu_limit: f64,
    /// Whether the same inputs may answer from an earlier result.
    cache: bool,
    /// How many attempts in all, the first included.
    max_attempts: u32,
}

/// What a version is built on.
#[derive(Serialize, ToSchema)]
#[schema(as = Environment)]
struct EnvironmentBody<'a> {
    /// Its content hash.
    digest: String,
    /// What the archive asks for, as PEP 508 lines.
    requirements: &'a [String],
    /// What was installed, as `name==version`.
    packages: Vec<String>,
}

impl<'a> VersionBody<'a> {
    /// A version in the caller's language.
    pub(crate) fn of(version: &'a Version, lang: Lang) -> Self {
        let manifest = &version.manifest;
        let metadata = &manifest.metadata;
        let runtime = &manifest.runtime;
        Self {
            function_id: version.function.0,
            version_id: version.id.0,
            name: &version.name,
            version: version.version.to_string(),
            description: metadata.description.as_deref(),
            author: metadata.author.as_deref(),
            email: metadata.email.as_deref(),
            tags: &metadata.tags,
            category: metadata.category.as_deref(),
            changelog: manifest.changelog.as_deref(),
            inputs_schema: &manifest.io.inputs_schema,
            outputs_schema: manifest.io.outputs_schema.as_ref(),
            runtime: RuntimeBody {
                python_version: version.python.to_string(),
                python: &version.python_full,
                base_image: runtime.base_image.name(),
                timeout: runtime.timeout_s,
                memory_limit: runtime.memory_limit_mb,
                cpu_limit: runtime.cpu_limit,
                cache: runtime.cache,
                max_attempts: runtime.retry.max_attempts,
            },
            environment: EnvironmentBody {
                digest: version.environment.to_string(),
                requirements: &manifest.requirements,
                packages: packages(&version.lock),
            },
            archive_digest: version.archive.to_string(),
            warnings: version.warnings.iter().map(|fault| FaultBody::of(fault, lang)).collect(),
            deployment_id: version.deployment.0,
            source: version.source.as_ref().map(SourceBody::of),
            created_by: version.created_by.0,
            created_at: version.created_at,
            docker_image: None,
        }
    }
}

/// What a lock installs. Its hashes and its interpreter say nothing to a
/// reader; a lock that can't be read shows no packages.
fn packages(lock: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Lock {
        packages: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
    }
    let lock = serde_json::from_str::<Lock>(lock);
    let packages = lock.map(|lock| lock.packages).unwrap_or_default();
    packages.into_iter().map(|Locked { name, version }| format!("{name}=={version}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_the_pins_of_the_lock() {
        let lock = r#"{"minor": "3.12", "packages": [{"name": "six", "version": "1.16.0", "sha256": ["aa"]}]}"#;
        assert_eq!(packages(lock), ["six==1.16.0"]);
        assert!(packages("").is_empty());
    }
}
