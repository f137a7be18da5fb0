//! The stages of a deployment.

use std::sync::Arc;

use blobs::{Area, Key};
use broker::Audience;
use bytes::Bytes;
use domain::function::FunctionRef;
use domain::testing::Tested;
use domain::{CompanyId, DeploymentId, Fault, FunctionId, Severity, Text, VersionId};
use store::deployments::{Deployment, Draft, Published, Stage};
use store::functions::Version;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::refusal::faults;
use super::{Builder, Built, EnvironmentWanted};
use crate::functions::archive_key;
use crate::{Engine, Error};

/// The number of a function's first version, where it asks for none.
const FIRST: semver::Version = semver::Version::new(0, 1, 0);

/// Archives of a company that are tested at once; further ones wait.
const TESTED_AT_ONCE: usize = 1;

/// Why a deployment stopped.
enum Stopped {
    /// The archive is at fault.
    Refused(Vec<Fault>),
    /// The platform is.
    Broken(Error),
}

impl<E: Into<Error>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

impl Engine {
    pub(crate) async fn deploy_stages(
        &self,
        company: CompanyId,
        id: DeploymentId,
        turn: OwnedSemaphorePermit,
    ) {
        let faults = match self.stages(company, id, turn).await {
            Ok(()) => {
                self.forget_names();
                self.announce_resource(company, id.0);
                return;
            }
            Err(Stopped::Refused(faults)) => faults,
            Err(Stopped::Broken(error)) => {
                tracing::error!(deployment.id = %id, "a deployment failed: {error}");
                vec![broken()]
            }
        };
        if let Err(error) = self.store.fail_deployment(company, id, faults).await {
            tracing::error!(deployment.id = %id, "a failed deployment could not be ended: {error}");
        }
        self.announce_resource(company, id.0);
    }

    async fn stages(
        &self,
        company: CompanyId,
        id: DeploymentId,
        turn: OwnedSemaphorePermit,
    ) -> Result<(), Stopped> {
        let builder = self.builder()?;
        let deployment =
            self.store.deployment(company, id).await?.ok_or(Error::NotFound("deployment"))?;
        let upload = {
            let key = Key::content(company, Area::Upload, deployment.upload);
            self.blobs.get(key, self.limits.archive_bytes).await?
        };

        let package = self.read(&deployment, upload.clone()).await?;
        let name = package.manifest.metadata.name.clone();
        let built = self.environment(&deployment, &package).await?;
        let version = version(&deployment, &package, built);

        self.blobs.put(archive_key(company, version.archive), upload.clone()).await?;
        let entered = self.enter(&deployment, &name, "prepare").await?;
        let prepared = builder.prepare(&version, upload.clone()).await;
        self.leave(&deployment, &name, entered, prepared.as_ref().err()).await?;
        prepared.map_err(Stopped::Refused)?;
        // Tests may take as long as their author likes; who only waits to be
        // deployed shall not wait for them.
        drop(turn);
        self.test(&deployment, &package, &version, upload).await?;

        let number_is_asked = package.manifest.version.is_some();
        let draft = Draft { version, number_is_asked };
        match self.store.publish(company, id, draft).await? {
            Published::New(_) | Published::Same(_) => Ok(()),
            // Another deployment was quicker.
            Published::NumberTaken(taken) => {
                let fault = number_taken(&package, &taken.version, &taken.version);
                Err(Stopped::Refused(vec![fault]))
            }
        }
    }

    /// What builds, where this process deploys at all.
    fn builder(&self) -> Result<&Arc<dyn Builder>, Error> {
        let nothing = || Error::Internal("this process builds nothing".to_owned());
        self.builder.as_ref().ok_or_else(nothing)
    }

    async fn read(
        &self,
        deployment: &Deployment,
        upload: Bytes,
    ) -> Result<Arc<package::Package>, Stopped> {
        let entered = self.enter(deployment, "", "archive").await?;
        let (limits, policy) = (self.limits.clone(), self.policy);
        let read = tokio::task::spawn_blocking(move || package::read(&upload, &limits, policy))
            .await
            .map_err(|error| Error::Internal(format!("reading an archive failed: {error}")))?;
        match read {
            Ok(package) => {
                let name = &package.manifest.metadata.name;
                let taken = self.taken(deployment.company, &package).await?;
                let faults: Vec<Fault> = taken.iter().chain(&package.warnings).cloned().collect();
                self.leave(deployment, name, entered, Some(&faults)).await?;
                match taken {
                    None => Ok(Arc::new(package)),
                    Some(_) => Err(Stopped::Refused(faults)),
                }
            }
            Err(package::Refused { faults }) => {
                self.leave(deployment, "", entered, Some(&faults)).await?;
                Err(Stopped::Refused(faults))
            }
        }
    }

    /// What refuses a number that other content was deployed under: told
    /// before anything is built and tested.
    async fn taken(
        &self,
        company: CompanyId,
        package: &package::Package,
    ) -> Result<Option<Fault>, Error> {
        let Some(number) = &package.manifest.version else { return Ok(None) };
        let reference = |version| FunctionRef::Name {
            company: None,
            name: package.manifest.metadata.name.clone(),
            version,
        };
        let there = self.store.resolve(company, &reference(Some(number.clone()))).await?;
        if there.is_none_or(|there| there.archive == package.digest) {
            return Ok(None);
        }
        let newest = self.store.resolve(company, &reference(None)).await?;
        let newest = newest.map_or_else(|| number.clone(), |newest| newest.version);
        Ok(Some(number_taken(package, number, &newest)))
    }

    async fn environment(
        &self,
        deployment: &Deployment,
        package: &package::Package,
    ) -> Result<Built, Stopped> {
        let name = &package.manifest.metadata.name;
        let entered = self.enter(deployment, name, "environment").await?;
        let wanted = EnvironmentWanted {
            python: package.manifest.runtime.python_version,
            base_image: package.manifest.runtime.base_image,
            requirements: package.manifest.requirements.clone(),
        };
        let topic = broker::Topic { company: deployment.company, resource: deployment.id.0 };
        let broker = self.broker.clone();
        let log = Box::new(move |line: &str| {
            let data = serde_json::Value::from(line);
            let kind = crate::watch::LOG.into();
            broker.publish(topic, broker::LiveEvent { kind, data, audience: Audience::Topic });
        });
        let built = self.builder()?.environment(wanted, log).await;
        let faults = built.as_ref().map_or_else(|faults| faults, |built| &built.warnings);
        self.leave(deployment, name, entered, Some(faults)).await?;
        built.map_err(Stopped::Refused)
    }

    /// Runs what the archive brings to prove itself by; nothing where it
    /// brings nothing, or where the same content has proven itself before.
    async fn test(
        &self,
        deployment: &Deployment,
        package: &package::Package,
        version: &Version,
        upload: Bytes,
    ) -> Result<(), Stopped> {
        let has_tests = !package.manifest.test_cases.is_empty() || package.has_unit_tests();
        let company = deployment.company;
        if !has_tests
            || self.store.is_deployed(company, version.name.clone(), version.archive).await?
        {
            return Ok(());
        }
        let turns = self.testing.get_with(company, || Arc::new(Semaphore::new(TESTED_AT_ONCE)));
        let closed = |error: AcquireError| Error::Internal(error.to_string());
        let _turn = turns.acquire().await.map_err(closed)?;
        let mut entered = self.enter(deployment, &version.name, "tests").await?;
        let topic = broker::Topic { company, resource: deployment.id.0 };
        let broker = self.broker.clone();
        let teller = Box::new(move |tested: &Tested| {
            let data = serde_json::to_value(tested).unwrap_or_default();
            let kind = crate::watch::TEST.into();
            broker.publish(topic, broker::LiveEvent { kind, data, audience: Audience::Topic });
        });
        let tested = self.builder()?.test(version, package, upload, teller).await;
        let (faults, is_good) = match tested {
            Ok(report) => {
                let (faults, is_good) = (faults(&report, package), report.is_good());
                entered.tests = Some(report);
                (faults, is_good)
            }
            Err(faults) => (faults, false),
        };
        self.leave(deployment, &version.name, entered, Some(&faults)).await?;
        if is_good { Ok(()) } else { Err(Stopped::Refused(faults)) }
    }

    async fn enter(
        &self,
        deployment: &Deployment,
        name: &str,
        stage: &str,
    ) -> Result<Stage, Error> {
        let stage = Stage {
            name: stage.to_owned(),
            started_at: self.clock.now(),
            duration_ms: None,
            faults: Vec::new(),
            tests: None,
        };
        self.put_stage(deployment, name, stage.clone()).await?;
        Ok(stage)
    }

    async fn leave(
        &self,
        deployment: &Deployment,
        name: &str,
        mut stage: Stage,
        faults: Option<&Vec<Fault>>,
    ) -> Result<(), Error> {
        let spent = self.clock.now().since(stage.started_at);
        stage.duration_ms = Some(spent.as_secs_f64() * 1e3);
        stage.faults = faults.cloned().unwrap_or_default();
        self.put_stage(deployment, name, stage).await
    }

    async fn put_stage(
        &self,
        deployment: &Deployment,
        name: &str,
        stage: Stage,
    ) -> Result<(), Error> {
        let name = (!name.is_empty()).then(|| name.to_owned());
        self.store.put_stage(deployment.company, deployment.id, name, stage).await?;
        self.announce_resource(deployment.company, deployment.id.0);
        Ok(())
    }
}

/// The version as it shall be published, numbered if the archive says how.
fn version(deployment: &Deployment, package: &package::Package, built: Built) -> Version {
    Version {
        company: deployment.company,
        id: VersionId::new(),
        function: FunctionId::new(),
        name: package.manifest.metadata.name.clone(),
        version: package.manifest.version.clone().unwrap_or(FIRST),
        archive: package.digest,
        manifest: package.manifest.clone(),
        environment: built.digest,
        python: built.python,
        python_full: built.python_full,
        lock: built.lock,
        shared_environment: built.shared,
        imports: package.imports.clone(),
        warnings: package
            .warnings
            .iter()
            .filter(|fault| fault.severity == Severity::Warning)
            .cloned()
            .chain(built.warnings)
            .collect(),
        deployment: deployment.id,
        source: deployment.source.clone(),
        created_by: deployment.user,
        created_at: deployment.created_at,
    }
}

fn number_taken(
    package: &package::Package,
    number: &semver::Version,
    newest: &semver::Version,
) -> Fault {
    let name = &package.manifest.metadata.name;
    let next = semver::Version::new(newest.major, newest.minor, newest.patch + 1);
    package.version_place.fault(Fault::error(
        "version_taken",
        Text::new(
            format!("{name}@{number} is deployed with other content, and a deployed version never changes; write {next}, or leave the key out and the number is counted up"),
            format!("{name}@{number} est déployée avec un autre contenu, et une version déployée ne change jamais ; écrivez {next}, ou retirez la clé et le numéro sera compté"),
        ),
    ))
}

fn broken() -> Fault {
    Fault::error(
        "internal",
        Text::new(
            "the platform failed while it deployed the archive; nothing is wrong with the archive: deploy it again, and tell the operator if it fails again",
            "la plateforme a échoué pendant le déploiement ; l'archive n'est pas en cause : déployez-la de nouveau, et prévenez l'exploitant si l'échec se répète",
        ),
    )
}
