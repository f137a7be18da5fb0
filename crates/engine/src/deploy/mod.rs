//! Deploying: from an uploaded archive to an immutable version, stage by
//! stage, each recorded with its duration and its faults.

mod from_git;
mod refusal;
mod stages;

pub(crate) use from_git::Turns;
pub use refusal::{faults as test_faults, shown as shown_value};

use std::time::Duration;

use async_trait::async_trait;
use blobs::{Area, Key};
use bytes::Bytes;
use domain::manifest::{BaseImage, PythonVersion};
use domain::permission::Principal;
use domain::testing::{self, Tested};
use domain::{CompanyId, DeploymentId, Digest, Fault};
use package::Package;
use sha2::Digest as _;
use store::audit::Entry;
use store::deployments::{Deployment, Source, Status};
use store::functions::Version;

use crate::others::Order;
use crate::{Engine, Error};

/// Deployments in work at once; further ones wait. Building environments is
/// heavy on disk and network, and runs come first.
pub(crate) const AT_ONCE: usize = 2;

/// Where the lines of a build log go while it runs.
pub type BuildLog = Box<dyn Fn(&str) + Send + Sync>;

/// Where each test case and test is told of as soon as it has ended.
pub type TestTeller = Box<dyn Fn(&Tested) + Send + Sync>;

/// What of code needs a package index.
#[async_trait]
pub trait Locker: Send + Sync {
    /// Locks the environment alone: a worker builds it when it is first run in.
    async fn lock(&self, wanted: EnvironmentWanted) -> Result<Built, Vec<Fault>>;
}

/// What of a deployment needs a sandbox, too: a worker does it.
#[async_trait]
pub trait Builder: Locker {
    /// Locks and builds the environment, or finds it by its hash. `log` gets
    /// the build's log line by line.
    async fn environment(
        &self,
        wanted: EnvironmentWanted,
        log: BuildLog,
    ) -> Result<Built, Vec<Fault>>;

    /// Unpacks the code, compiles its bytecode in the sandbox and warms a
    /// template for it, so that the first run is a warm one.
    async fn prepare(&self, version: &Version, archive: Bytes) -> Result<(), Vec<Fault>>;

    /// Runs the test cases and `tests/` of a version that was prepared, each
    /// in the sandbox and under the version's limits, and tells `teller` of
    /// each as it ends. What they find is the report, good or bad; faults are
    /// the platform's own, for which nothing could be tested.
    async fn test(
        &self,
        version: &Version,
        package: &Package,
        archive: Bytes,
        teller: TestTeller,
    ) -> Result<testing::Report, Vec<Fault>>;
}

/// The environment that an archive asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentWanted {
    /// The Python version; the operator's default where absent.
    pub python: Option<PythonVersion>,
    /// Packages that are there without being asked for.
    pub base_image: BaseImage,
    /// PEP 508 lines.
    pub requirements: Vec<String>,
}

/// An environment that is locked, and stands where it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its content hash.
    pub digest: Digest,
    /// Its Python minor version.
    pub python: PythonVersion,
    /// Its exact Python version.
    pub python_full: String,
    /// One hashed requirement a line.
    pub lock: String,
    /// Whether it holds nothing but its base image's packages.
    pub shared: bool,
    /// What its author should know of its packages.
    pub warnings: Vec<Fault>,
}

impl Engine {
    /// Accepts an archive; its stages go on in the background, also across a
    /// restart.
    pub async fn deploy(&self, who: &Principal, archive: Bytes) -> Result<Deployment, Error> {
        self.accept_archive(who, archive, None).await
    }

    async fn accept_archive(
        &self,
        who: &Principal,
        archive: Bytes,
        source: Option<Source>,
    ) -> Result<Deployment, Error> {
        if self.closing.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        let limit_bytes = self.limits.archive_bytes;
        if archive.len() as u64 > limit_bytes {
            return Err(Error::TooLarge { what: "archive", limit_bytes });
        }
        if let Some(room) = self.room(who.company).await? {
            room.check(archive.len() as u64)?;
        }
        let upload = Digest(sha2::Sha256::digest(&archive).into());
        self.blobs.put(Key::content(who.company, Area::Upload, upload), archive).await?;
        let deployment = Deployment {
            company: who.company,
            id: DeploymentId::new(),
            user: who.user,
            status: Status::Running,
            upload,
            source,
            name: None,
            version: None,
            function: None,
            number: None,
            stages: Vec::new(),
            faults: Vec::new(),
            created_at: self.clock.now(),
            completed_at: None,
        };
        let resource = match &deployment.source {
            None => deployment.id.to_string(),
            Some(Source { url, commit, .. }) => format!("{} from {url} {commit}", deployment.id),
        };
        let entry = Entry::by(who, "function.deploy", resource);
        self.store.create_deployment(deployment.clone(), Some(entry)).await?;
        self.resume_deployment(who.company, deployment.id);
        Ok(deployment)
    }

    /// One deployment.
    pub async fn deployment(&self, who: &Principal, id: DeploymentId) -> Result<Deployment, Error> {
        self.store.deployment(who.company, id).await?.ok_or(Error::NotFound("deployment"))
    }

    /// The deployment once it ended, or as it is when `patience` runs out.
    pub async fn wait_deployment(
        &self,
        who: &Principal,
        id: DeploymentId,
        patience: Duration,
    ) -> Result<Deployment, Error> {
        let topic = broker::Topic { company: who.company, resource: id.0 };
        let mut changes = self.broker.subscribe(topic);
        let ended = async {
            loop {
                let deployment = self.deployment(who, id).await?;
                if deployment.status != Status::Running {
                    return Ok(deployment);
                }
                changes.next().await;
            }
        };
        match tokio::time::timeout(patience, ended).await {
            Ok(ended) => ended,
            Err(_) => self.deployment(who, id).await,
        }
    }

    /// Runs the stages of a deployment in the background, or has a worker do
    /// it where several may.
    pub(crate) fn resume_deployment(&self, company: CompanyId, id: DeploymentId) {
        if self.shared {
            self.order(Order::Deploy);
            return;
        }
        let engine = self.clone();
        self.jobs.spawn(async move {
            let closing = engine.closing.clone();
            let stages = async {
                let Ok(turn) = engine.deploying.clone().acquire_owned().await else { return };
                engine.deploy_stages(company, id, turn).await;
            };
            // A deployment that is cut off here goes on at the next start.
            tokio::select! {
                () = stages => {}
                () = closing.cancelled() => {}
            }
        });
    }
}
