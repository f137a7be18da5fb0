//! Runs an archive's test cases in the sandbox, without a server.

use std::time::Duration;

use bytes::Bytes;
use domain::manifest::TestCase;
use domain::task::{Measured, TaskError};
use domain::{CompanyId, DeploymentId, Fault, FunctionId, Text, Timestamp, UserId, VersionId};
use engine::{BuildLog, Builder, Built, End, EnvironmentWanted};
use package::{Difference, Package};
use sandbox::{Assignment, Limits};
use store::functions::Version;

use crate::{SandboxBuilder, report};

/// How one test case ended.
#[derive(Debug)]
pub struct Tested {
    /// Its number in the manifest, from 1.
    pub number: usize,
    /// Where its answer is known from.
    pub source: Option<String>,
    /// Where the result is not as expected.
    pub differences: Vec<Difference>,
    /// Why there is no result.
    pub error: Option<TaskError>,
    /// What was measured.
    pub measured: Measured,
}

impl Tested {
    /// Whether the result is as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.error.is_none() && self.differences.is_empty()
    }
}

/// What came of an archive's test cases.
#[derive(Debug)]
pub struct TestedArchive {
    /// What there is to know of its packages.
    pub warnings: Vec<Fault>,
    /// The test cases, in the manifest's order.
    pub cases: Vec<Tested>,
}

/// Builds the environment of an archive and runs its test cases, each in a
/// fresh process under the limits of the manifest.
pub async fn run_test_cases(
    builder: &SandboxBuilder,
    package: &Package,
    log: BuildLog,
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
    let archive = package::zip(&files).map_err(|error| vec![broken(&error.to_string())])?;
    let archive = Bytes::from(archive);
    builder.prepare(&version, archive.clone()).await?;
    let mut cases = Vec::with_capacity(package.manifest.test_cases.len());
    for (index, case) in package.manifest.test_cases.iter().enumerate() {
        cases.push(run_one(builder, package, &version, &archive, index + 1, case).await?);
    }
    Ok(TestedArchive { warnings, cases })
}

async fn run_one(
    builder: &SandboxBuilder,
    package: &Package,
    version: &Version,
    archive: &Bytes,
    number: usize,
    case: &TestCase,
) -> Result<Tested, Vec<Fault>> {
    let inputs = case.inputs.to_string().into_bytes();
    let inputs = package.schemas.check_inputs(&inputs).map_err(|faults| {
        let key = format!("quality.test_cases[{}].inputs", index_of(number));
        faults
            .into_iter()
            .map(|fault| {
                let pointer = fault.key.clone().unwrap_or_default();
                fault.in_file("mecapy.yaml").at_key(format!("{key}{pointer}"))
            })
            .collect::<Vec<_>>()
    })?;
    let broken = |reason: String| vec![broken(&reason)];
    let start = builder.start_run(version).await.map_err(broken)?;
    let warm = start.warm;
    let code = builder
        .code
        .folder(version, start.template.template(), async || Ok(archive.clone()))
        .await
        .map_err(broken)?;
    let runtime = &package.manifest.runtime;
    let limits = Limits {
        memory_bytes: u64::from(runtime.memory_limit_mb) << 20,
        cpu_cores: runtime.cpu_limit,
        wall: Duration::from_secs(runtime.timeout_s.into()),
        ..Limits::default()
    };
    let job = sandbox::Job::Calculate { inputs: inputs.json.into_owned().into() };
    let outcome = start.ready.assign(Assignment::new(job, code, limits)).outcome().await;
    let measured = Measured {
        execution_ms: outcome.measured.wall.as_secs_f64() * 1e3,
        cpu_ms: outcome.measured.cpu.as_secs_f64() * 1e3,
        peak_memory_bytes: outcome.measured.peak_memory_bytes,
        warm,
        ..Measured::default()
    };
    let mut tested = Tested {
        number,
        source: case.source.clone(),
        differences: Vec::new(),
        error: None,
        measured,
    };
    match report::of(outcome, measured).end {
        End::Result { json, .. } => {
            tested.differences = package::compare(
                &case.expected_outputs,
                &json,
                case.rel_tolerance,
                case.abs_tolerance,
            )
            .map_err(|error| broken(error.to_string()))?;
        }
        End::Failed(error) => tested.error = Some(error),
        End::Cancelled | End::HandBack => {}
    }
    Ok(tested)
}

fn index_of(number: usize) -> usize {
    number - 1
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
        created_by: UserId::new(),
        created_at: Timestamp(0),
    }
}

fn broken(reason: &str) -> Fault {
    Fault::error(
        "test_not_run",
        Text::new(
            format!("the test case could not be run: {reason}"),
            format!("le cas de test n'a pas pu être exécuté : {reason}"),
        ),
    )
}
