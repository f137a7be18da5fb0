//! The stages of a deployment.

use std::sync::Arc;

use blobs::{Area, Key};
use bytes::Bytes;
use domain::{CompanyId, DeploymentId, Fault, FunctionId, Severity, Text, VersionId};
use store::deployments::{Deployment, Draft, Published, Stage};
use store::functions::Version;

use super::{Built, EnvironmentWanted};
use crate::functions::archive_key;
use crate::{Engine, Error};

/// The number of a function's first version, where it asks for none.
const FIRST: semver::Version = semver::Version::new(0, 1, 0);

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
    pub(super) async fn deploy_stages(&self, company: CompanyId, id: DeploymentId) {
        let Ok(_turn) = self.deploying.acquire().await else { return };
        let faults = match self.stages(company, id).await {
            Ok(()) => {
                self.catalog.forget_references();
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

    async fn stages(&self, company: CompanyId, id: DeploymentId) -> Result<(), Stopped> {
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
        let prepared = self.builder.prepare(&version, upload).await;
        self.leave(&deployment, &name, entered, prepared.as_ref().err()).await?;
        prepared.map_err(Stopped::Refused)?;

        let number_is_asked = package.manifest.version.is_some();
        let draft = Draft { version, number_is_asked };
        match self.store.publish(company, id, draft).await? {
            Published::New(_) | Published::Same(_) => Ok(()),
            Published::NumberTaken(taken) => Err(Stopped::Refused(vec![number_taken(&taken)])),
        }
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
                self.leave(deployment, name, entered, Some(&package.warnings)).await?;
                Ok(Arc::new(package))
            }
            Err(package::Refused { faults }) => {
                self.leave(deployment, "", entered, Some(&faults)).await?;
                Err(Stopped::Refused(faults))
            }
        }
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
            broker.publish(topic, broker::LiveEvent { kind, data, seq: None });
        });
        let built = self.builder.environment(wanted, log).await;
        let faults = built.as_ref().map_or_else(|faults| faults, |built| &built.warnings);
        self.leave(deployment, name, entered, Some(faults)).await?;
        built.map_err(Stopped::Refused)
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
        created_by: deployment.user,
        created_at: deployment.created_at,
    }
}

fn number_taken(taken: &Version) -> Fault {
    let (name, number) = (&taken.name, &taken.version);
    Fault::error(
        "version_taken",
        Text::new(
            format!("{name}@{number} is deployed with other content; a deployed version never changes, so raise the number"),
            format!("{name}@{number} est déployée avec un autre contenu ; une version déployée ne change jamais : augmentez le numéro"),
        ),
    )
    .in_file("mecapy.yaml")
    .at_key("versioning.version")
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
