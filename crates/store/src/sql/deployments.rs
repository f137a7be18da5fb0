//! Deployments, and the one transaction that publishes a version.

use async_trait::async_trait;
use domain::event::Kind;
use domain::{CompanyId, DeploymentId, Digest, Fault, FunctionId, VersionId};
use serde_json::json;

use super::functions::{VERSION, VERSIONS, version};
use super::rows::{Cells, Db, Failure, Json, JsonOrNull, bind, only};
use super::{Database, Of, audit, code, events};
use crate::Error;
use crate::audit::Entry;
use crate::deployments::{Deployment, Deployments, Draft, Published, Stage, Status, numbers};
use crate::functions::Version;

#[async_trait]
impl<D: Database> Deployments for D {
    async fn create_deployment(
        &self,
        deployment: Deployment,
        entry: Option<Entry>,
    ) -> Result<(), Error> {
        self.write("store a deployment", Of::Company(deployment.company), move |db| {
            db.execute(
                "INSERT INTO deployments (company_id, id, user_id, status, upload, name,
                     version_id, stages, faults, created_at, completed_at, source)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                bind![
                    deployment.company,
                    deployment.id,
                    deployment.user,
                    deployment.status,
                    deployment.upload,
                    deployment.name,
                    deployment.version,
                    Json(&deployment.stages),
                    Json(&deployment.faults),
                    deployment.created_at,
                    deployment.completed_at,
                    JsonOrNull(deployment.source.as_ref()),
                ],
            )
            .map_err(|e| e.taken("deployment", deployment.id))?;
            audit::record(db, entry.as_ref())
        })
        .await
    }

    async fn deployment(
        &self,
        company: CompanyId,
        id: DeploymentId,
    ) -> Result<Option<Deployment>, Error> {
        self.look_up("read a deployment", move |db| {
            db.one(
                "SELECT d.company_id, d.id, d.user_id, d.status, d.upload, d.source, d.name,
                        d.version_id, v.function_id, v.number, d.stages, d.faults, d.created_at,
                        d.completed_at
                 FROM deployments d LEFT JOIN versions v
                     ON v.company_id = d.company_id AND v.id = d.version_id
                 WHERE d.company_id = ? AND d.id = ?",
                bind![company, id],
                deployment,
            )
        })
        .await
    }

    async fn put_stage(
        &self,
        company: CompanyId,
        id: DeploymentId,
        name: Option<String>,
        stage: Stage,
    ) -> Result<(), Error> {
        self.write("store a deployment's stage", Of::Company(company), move |db| {
            put_stage(db, company, id, name.as_deref(), &stage)
        })
        .await
    }

    async fn is_deployed(
        &self,
        company: CompanyId,
        name: String,
        archive: Digest,
    ) -> Result<bool, Error> {
        let found = self
            .look_up("look for a version by its content", move |db| {
                db.one(
                    "SELECT 1 FROM versions v JOIN functions f
                     ON f.company_id = v.company_id AND f.id = v.function_id
                 WHERE v.company_id = ? AND v.archive = ? AND f.name = ? AND f.deleted_at IS NULL",
                    bind![company, archive, name],
                    only::<i64>,
                )
            })
            .await?;
        Ok(found.is_some())
    }

    async fn publish(
        &self,
        company: CompanyId,
        id: DeploymentId,
        draft: Draft,
    ) -> Result<Published, Error> {
        self.write("publish a version", Of::Company(company), move |db| {
            publish(db, company, id, draft)
        })
        .await
    }

    async fn code(&self, company: CompanyId, archive: Digest) -> Result<Option<VersionId>, Error> {
        self.look_up("look for ad-hoc code", move |db| code::find(db, company, archive)).await
    }

    async fn keep_code(&self, version: Version) -> Result<VersionId, Error> {
        self.write("keep ad-hoc code", Of::Company(version.company), move |db| {
            code::keep(db, &version)
        })
        .await
    }

    async fn fail_deployment(
        &self,
        company: CompanyId,
        id: DeploymentId,
        faults: Vec<Fault>,
    ) -> Result<(), Error> {
        self.write("end a deployment", Of::Company(company), move |db| {
            let failed = db.execute(
                "UPDATE deployments SET status = 'failed', faults = ?, completed_at = ?
                 WHERE company_id = ? AND id = ? AND status = 'running'",
                bind![Json(&faults), db.now, company, id],
            )?;
            if failed == 1 {
                let payload = json!({ "status": "failed", "faults": faults });
                events::append(db, company, Kind::DeploymentFailed, id.0, &payload)?;
            }
            Ok(())
        })
        .await
    }
}

fn put_stage(
    db: &Db<'_>,
    company: CompanyId,
    id: DeploymentId,
    name: Option<&str>,
    stage: &Stage,
) -> Result<(), Failure> {
    let stages = db.one(
        "SELECT stages FROM deployments WHERE company_id = ? AND id = ? AND status = 'running'",
        bind![company, id],
        |cells| cells.json::<Vec<Stage>>(),
    )?;
    let Some(mut stages) = stages else { return Ok(()) };
    match stages.last_mut().filter(|last| last.name == stage.name) {
        Some(last) => last.clone_from(stage),
        None => stages.push(stage.clone()),
    }
    db.execute(
        "UPDATE deployments SET stages = ?, name = coalesce(?, name)
         WHERE company_id = ? AND id = ?",
        bind![Json(&stages), name, company, id],
    )?;
    events::append(db, company, Kind::DeploymentStage, id.0, &json!({ "stage": stage }))
}

fn publish(
    db: &Db<'_>,
    company: CompanyId,
    id: DeploymentId,
    draft: Draft,
) -> Result<Published, Failure> {
    let running = db.one(
        "SELECT 1 FROM deployments WHERE company_id = ? AND id = ? AND status = 'running'",
        bind![company, id],
        only::<i64>,
    )?;
    if running.is_none() {
        return Err(Failure::Content(format!("expected deployment {id} running, it has ended")));
    }
    let mut version = draft.version;
    let function = db.one(
        "SELECT id FROM functions WHERE company_id = ? AND name = ? AND deleted_at IS NULL",
        bind![company, version.name],
        only::<FunctionId>,
    )?;
    let mut deployed = Vec::new();
    if let Some(function) = function {
        if let Some(same) = with_archive(db, company, function, version.archive)? {
            end(db, company, id, &same)?;
            return Ok(Published::Same(same));
        }
        deployed = db.all(
            "SELECT number FROM versions WHERE company_id = ? AND function_id = ?",
            bind![company, function],
            only::<semver::Version>,
        )?;
    }
    if !draft.number_is_asked {
        version.version = numbers::next(&deployed);
    } else if let Some(function) = function
        && deployed.contains(&version.version)
    {
        let other = with_number(db, company, function, &version.version)?;
        return Ok(Published::NumberTaken(other));
    }
    version.company = company;
    version.deployment = id;
    version.function = match function {
        Some(function) => function,
        None => insert_function(db, &version)?,
    };
    insert_version(db, &version)?;
    deployed.push(version.version.clone());
    if numbers::newest(&deployed) == Some(&version.version) {
        show_as_newest(db, &version)?;
    }
    end(db, company, id, &version)?;
    Ok(Published::New(version))
}

fn with_archive(
    db: &Db<'_>,
    company: CompanyId,
    function: FunctionId,
    archive: Digest,
) -> Result<Option<Version>, Failure> {
    db.one(
        &format!(
            "SELECT {VERSION} FROM {VERSIONS}
             WHERE v.company_id = ? AND v.function_id = ? AND v.archive = ?"
        ),
        bind![company, function, archive],
        version,
    )
}

fn with_number(
    db: &Db<'_>,
    company: CompanyId,
    function: FunctionId,
    number: &semver::Version,
) -> Result<Version, Failure> {
    let found = db.one(
        &format!(
            "SELECT {VERSION} FROM {VERSIONS}
             WHERE v.company_id = ? AND v.function_id = ? AND v.number = ?"
        ),
        bind![company, function, number],
        version,
    )?;
    found.ok_or_else(|| Failure::Content(format!("expected version {number}, found none")))
}

fn insert_function(db: &Db<'_>, version: &Version) -> Result<FunctionId, Failure> {
    db.execute(
        "INSERT INTO functions (company_id, id, name, search_text, tags, created_at)
         VALUES (?, ?, ?, '', '[]', ?)",
        bind![version.company, version.function, version.name, version.created_at],
    )
    .map_err(|e| e.taken("function", &version.name))?;
    Ok(version.function)
}

pub(super) fn insert_version(db: &Db<'_>, version: &Version) -> Result<(), Failure> {
    db.execute(
        "INSERT INTO versions (company_id, id, function_id, number, archive, manifest,
             environment, python, python_full, lock, shared_environment, imports, warnings,
             deployment_id, created_by, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        bind![
            version.company,
            version.id,
            version.function,
            version.version,
            version.archive,
            Json(&version.manifest),
            version.environment,
            version.python,
            version.python_full,
            version.lock,
            version.shared_environment,
            Json(&version.imports),
            Json(&version.warnings),
            version.deployment,
            version.created_by,
            version.created_at,
        ],
    )
    .map_err(|e| e.taken("function version", format!("{}@{}", version.name, version.version)))?;
    Ok(())
}

/// Lets a function be found by this version's texts.
fn show_as_newest(db: &Db<'_>, version: &Version) -> Result<(), Failure> {
    let metadata = &version.manifest.metadata;
    let description = metadata.description.as_deref().unwrap_or_default();
    let searched = format!("{}\n{description}", version.name).to_lowercase();
    db.execute(
        "UPDATE functions SET newest_version_id = ?, search_text = ?, tags = ?, category = ?
         WHERE company_id = ? AND id = ?",
        bind![
            version.id,
            searched,
            Json(&metadata.tags),
            metadata.category,
            version.company,
            version.function,
        ],
    )?;
    Ok(())
}

/// Ends a deployment as `deployed`.
fn end(
    db: &Db<'_>,
    company: CompanyId,
    id: DeploymentId,
    version: &Version,
) -> Result<(), Failure> {
    db.execute(
        "UPDATE deployments SET status = 'deployed', name = ?, version_id = ?, completed_at = ?
         WHERE company_id = ? AND id = ?",
        bind![version.name, version.id, db.now, company, id],
    )?;
    let payload = json!({
        "status": Status::Deployed,
        "function_id": version.function,
        "version_id": version.id,
        "name": version.name,
        "version": version.version,
    });
    events::append(db, company, Kind::DeploymentDeployed, id.0, &payload)
}

fn deployment(cells: &mut Cells<'_>) -> Result<Deployment, Failure> {
    Ok(Deployment {
        company: cells.next()?,
        id: cells.next()?,
        user: cells.next()?,
        status: cells.next()?,
        upload: cells.next()?,
        source: cells.json_or_null()?,
        name: cells.next()?,
        version: cells.next()?,
        function: cells.next()?,
        number: cells.next()?,
        stages: cells.json()?,
        faults: cells.json()?,
        created_at: cells.next()?,
        completed_at: cells.next()?,
    })
}
