//! What deployments need of a worker: environments, bytecode, warm templates.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::testing::Report;
use domain::{Fault, Text};
use engine::{BuildLog, Builder, Built, EnvironmentWanted, Locker, TestTeller};
use environment::{CompileBytecode, Environment, Environments, Lock, Log, Request};
use package::Package;
use sandbox::{Interpreter, TemplateSpec};
use store::functions::Version;

use crate::Settings;
use crate::code::Code;
use crate::supervisor::Supervisor;
use crate::templates::{Budget, Key, Start, Templates, Wanted};

/// Builds environments and keeps templates of them warm, over one sandbox.
pub struct SandboxBuilder {
    pub(crate) environments: Environments,
    pub(crate) supervisor: Arc<Supervisor>,
    pub(crate) templates: Templates,
    pub(crate) code: Code,
    pub(crate) settings: Settings,
}

/// Why a worker could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// The folder of the worker.
    #[error("the worker's folder {path} can't be used: {source}")]
    Folder {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SandboxBuilder {
    /// Starts the sandbox; fails closed where the isolation can't be set up.
    pub async fn start(
        sandbox: sandbox::Settings,
        environments: Environments,
        settings: Settings,
    ) -> Result<Self, SetupError> {
        let supervisor = Arc::new(Supervisor::start(sandbox).await?);
        let budget = Budget {
            memory_bytes: settings.template_memory_bytes,
            ready: settings.ready_per_template,
            runs: settings.runs_per_template,
            age: settings.template_age,
            start: settings.template_start,
        };
        let code = Code::under(&settings.root, settings.limits.clone()).map_err(|source| {
            SetupError::Folder { path: settings.root.display().to_string(), source }
        })?;
        let templates = Templates::new(supervisor.clone(), budget);
        Ok(Self { environments, supervisor, templates, code, settings })
    }

    /// Ends every template and the sandbox.
    pub async fn close(&self) {
        self.templates.close().await;
        self.supervisor.shutdown().await;
    }

    /// A ready run for a version.
    pub(crate) async fn start_run(&self, version: &Version) -> Result<Start, String> {
        // While the template stands nothing is looked up on disk.
        if let Some(warm) = self.templates.fit(&key_of(version), &version.imports) {
            return self.templates.start(warm, true).await.map_err(|error| error.to_string());
        }
        let wanted = self.wanted(version).await?;
        let (warm, stood) =
            self.templates.standing(&wanted).await.map_err(|error| error.to_string())?;
        self.templates.start(warm, stood).await.map_err(|error| error.to_string())
    }

    /// What the template of a version is made of. An environment that was
    /// collected is built again from the version's lock.
    pub(crate) async fn wanted(&self, version: &Version) -> Result<Wanted, String> {
        let environment = match self.environments.find(&version.environment) {
            Ok(Some(environment)) => environment,
            Ok(None) => self.rebuild(version).await?,
            Err(error) => return Err(error.to_string()),
        };
        let interpreters = self.environments.interpreters();
        let interpreter = interpreters
            .exactly(&environment.description.lock.python)
            .map_err(|error| error.to_string())?;
        Ok(Wanted {
            key: key_of(version),
            interpreter: interpreter_of(interpreter),
            packages: environment.site.clone(),
            environment,
            imports: version.imports.clone(),
        })
    }

    async fn rebuild(&self, version: &Version) -> Result<Environment, String> {
        let lock: Lock = serde_json::from_str(&version.lock)
            .map_err(|error| format!("the stored lock can't be read: {error}"))?;
        self.build(&lock, &Log::silent()).await.map_err(|error| error.to_string())
    }

    pub(crate) async fn build(
        &self,
        lock: &Lock,
        log: &Log,
    ) -> Result<Environment, environment::Error> {
        let environment = self.environments.build(lock, self, log).await?;
        let keep = HashSet::from([lock.digest]);
        let collected =
            self.environments.collect_garbage(self.settings.environments_bytes, &keep).await;
        if let Err(error) = collected {
            tracing::warn!("unused environments can't be removed: {error}");
        }
        Ok(environment)
    }
}

fn key_of(version: &Version) -> Key {
    Key {
        environment: version.environment,
        company: (!version.shared_environment).then_some(version.company),
    }
}

fn interpreter_of(found: &environment::Interpreter) -> Interpreter {
    Interpreter {
        executable: found.executable.clone(),
        python_version: found.python.version.clone(),
        // The binary itself is shown by the sandbox wherever it lies.
        library_dirs: found
            .binds
            .iter()
            .chain(&found.library_dirs)
            .filter(|path| path.is_dir())
            .cloned()
            .collect(),
    }
}

#[async_trait]
impl Locker for SandboxBuilder {
    async fn lock(&self, wanted: EnvironmentWanted) -> Result<Built, Vec<Fault>> {
        lock(&self.environments, wanted).await
    }
}

/// Locks packages where nothing is built or run.
pub struct Locks(Environments);

impl Locks {
    /// Over the same settings as the workers' environments.
    #[must_use]
    pub fn new(environments: Environments) -> Self {
        Self(environments)
    }
}

#[async_trait]
impl Locker for Locks {
    async fn lock(&self, wanted: EnvironmentWanted) -> Result<Built, Vec<Fault>> {
        lock(&self.0, wanted).await
    }
}

async fn lock(environments: &Environments, wanted: EnvironmentWanted) -> Result<Built, Vec<Fault>> {
    let lock = locked(environments, wanted, &Log::silent()).await?;
    Ok(described(environments, &lock).await)
}

async fn locked(
    environments: &Environments,
    wanted: EnvironmentWanted,
    log: &Log,
) -> Result<Lock, Vec<Fault>> {
    let request = Request {
        python: wanted.python,
        base_image: wanted.base_image,
        requirements: wanted.requirements,
    };
    environments.lock(&request, log).await.map_err(|error| faults(&error))
}

async fn described(environments: &Environments, lock: &Lock) -> Built {
    Built {
        digest: lock.digest,
        python: lock.minor,
        python_full: lock.python.version.clone(),
        lock: serde_json::to_string(lock).expect("a lock has a JSON form"),
        shared: lock.base_only,
        warnings: environments.known_vulnerabilities(lock).await,
    }
}

#[async_trait]
impl Builder for SandboxBuilder {
    async fn environment(
        &self,
        wanted: EnvironmentWanted,
        log: BuildLog,
    ) -> Result<Built, Vec<Fault>> {
        let log = Log::to(log);
        let lock = locked(&self.environments, wanted, &log).await?;
        self.build(&lock, &log).await.map_err(|error| faults(&error))?;
        Ok(described(&self.environments, &lock).await)
    }

    async fn prepare(&self, version: &Version, archive: Bytes) -> Result<(), Vec<Fault>> {
        let failed = |reason: String| {
            tracing::error!(function = version.name, "a version can't be prepared: {reason}");
            vec![Fault::error(
                "prepare_failed",
                Text::new(
                    format!("the function could not be made ready to run: {reason}"),
                    format!("la fonction n'a pas pu être préparée à l'exécution : {reason}"),
                ),
            )]
        };
        let wanted = self.wanted(version).await.map_err(failed)?;
        let (warm, _) =
            self.templates.standing(&wanted).await.map_err(|error| failed(error.to_string()))?;
        self.code.folder(version, warm.template(), async || Ok(archive)).await.map_err(failed)?;
        self.templates.refill(&warm);
        Ok(())
    }

    async fn test(
        &self,
        version: &Version,
        package: &Package,
        archive: Bytes,
        teller: TestTeller,
    ) -> Result<Report, Vec<Fault>> {
        self.run_tests(version, package, &archive, &teller).await
    }
}

fn faults(error: &environment::Error) -> Vec<Fault> {
    if !error.is_the_authors() {
        tracing::error!("an environment can't be built: {error}");
    }
    error.faults()
}

#[async_trait]
impl CompileBytecode for SandboxBuilder {
    async fn compile(
        &self,
        interpreter: &environment::Interpreter,
        site: &Path,
    ) -> Result<u64, String> {
        let sandbox = self.supervisor.sandbox().await.map_err(|error| error.to_string())?;
        let bare = TemplateSpec::new(interpreter_of(interpreter));
        let template = sandbox.start_template(bare).await.map_err(|error| error.to_string())?;
        let compiled = template.compile(site, compile_limits()).await;
        template.stop().await;
        compiled.map(|compiled| compiled.written).map_err(|error| error.to_string())
    }
}

/// What compiling an environment may use.
fn compile_limits() -> sandbox::Limits {
    sandbox::Limits {
        memory_bytes: 2 << 30,
        cpu_cores: 4.0,
        wall: Duration::from_secs(600),
        artifact_bytes: 4 << 30,
        artifact_count: 200_000,
        ..sandbox::Limits::default()
    }
}
