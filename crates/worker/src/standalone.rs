//! Tests an archive in the sandbox as its deployment would, without a server.

use bytes::Bytes;
use domain::testing::Report;
use domain::{CompanyId, DeploymentId, Fault, FunctionId, Text, Timestamp, UserId, VersionId};
use engine::{BuildLog, Builder, Built, EnvironmentWanted, TestTeller};
use package::Package;
use store::functions::Version;

use crate::SandboxBuilder;

/// What came of an archive.
#[derive(Debug)]
pub struct TestedArchive {
    /// What there is to know of its packages.
    pub warnings: Vec<Fault>,
    /// Its test cases and tests.
    pub report: Report,
}

/// Builds the environment of an archive and runs its test cases and `tests/`,
/// each in a fresh process under the limits of the manifest.
///
/// # Errors
/// Why it could not be tested.
pub async fn test_archive(
    builder: &SandboxBuilder,
    package: &Package,
    log: BuildLog,
    teller: TestTeller,
) -> Result<TestedArchive, Vec<Fault>> {
    let wanted = EnvironmentWanted {
        python: package.manifest.runtime.python_version,
        base_image: package.manifest.runtime.base_image,
        requirements: package.manifest.requirements.clone(),
    };
    let mut built = builder.environment(wanted, log).await?;
    let warnings = std::mem::take(&mut built.warnings);
    let version = unpublished(package, built);
    let files: Vec<_> =
        package.files.iter().map(|file| (file.path.as_str(), file.content.as_slice())).collect();
    let archive = package::zip(&files).map_err(|error| vec![unpackable(&error.to_string())])?;
    let archive = Bytes::from(archive);
    builder.prepare(&version, archive.clone()).await?;
    let report = builder.test(&version, package, archive, teller).await?;
    Ok(TestedArchive { warnings, report })
}

/// A version that only this process will ever see.
fn unpublished(package: &Package, built: Built) -> Version {
    Version {
        company: CompanyId(uuid::Uuid::nil()),
        id: VersionId::new(),
        function: FunctionId::new(),
        name: package.manifest.metadata.name.clone(),
        version: semver::Version::new(0, 0, 0),
        archive: package.digest,
        manifest: package.manifest.clone(),
        environment: built.digest,
        python: built.python,
        python_full: built.python_full,
        lock: built.lock,
        shared_environment: built.shared,
        imports: package.imports.clone(),
        warnings: Vec::new(),
        deployment: DeploymentId::new(),
        source: None,
        created_by: UserId::new(),
        created_at: Timestamp(0),
    }
}

fn unpackable(reason: &str) -> Fault {
    Fault::error(
        "test_not_run",
        Text::new(
            format!("the files can't be put into a ZIP: {reason}"),
            format!("les fichiers ne peuvent pas être mis dans un ZIP : {reason}"),
        ),
    )
}
