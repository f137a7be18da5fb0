//! Deployed versions, ready for use: their schemas compiled once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::function::FunctionRef;
use domain::task::expected_duration;
use domain::{CompanyId, VersionId};
use moka::sync::Cache;
use store::functions::Version;

use crate::{Engine, Error};

/// How many runs the expected duration looks back on.
const LOOK_BACK: usize = 20;
/// How long a name may go on meaning an older version in this process after
/// another process deployed a newer one.
const NAME_REMEMBERED: Duration = Duration::from_secs(2);

/// A deployed version with what its tasks need again and again.
pub struct Deployed {
    /// The version.
    pub version: Version,
    /// Its compiled schemas.
    pub schemas: package::Schemas,
    /// Whether its inputs may refer to files.
    pub(crate) takes_files: bool,
    /// Execution times of its last runs, in milliseconds.
    durations_ms: Mutex<VecDeque<f64>>,
}

impl std::fmt::Debug for Deployed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Deployed({}@{})", self.version.name, self.version.version)
    }
}

impl Deployed {
    /// How long its next run is expected to take, `timeout` at most.
    pub(crate) fn expected(&self, timeout: Duration) -> Duration {
        let mut durations = self.durations_ms.lock().unwrap_or_else(PoisonError::into_inner);
        expected_duration(durations.make_contiguous(), timeout)
    }

    /// Learns how long a completed run took.
    pub(crate) fn learn(&self, duration_ms: f64) {
        let mut durations = self.durations_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if durations.len() == LOOK_BACK {
            durations.pop_front();
        }
        durations.push_back(duration_ms);
    }
}

/// The versions in use, and what references to them mean.
pub(crate) struct Catalog {
    by_reference: Cache<(CompanyId, String), Arc<Deployed>>,
    by_id: Cache<VersionId, Arc<Deployed>>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            by_reference: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(NAME_REMEMBERED)
                .build(),
            by_id: Cache::builder()
                .max_capacity(2_000)
                .time_to_idle(Duration::from_secs(3600))
                .build(),
        }
    }
}

impl Catalog {
    /// Forgets what references mean, after a deployment or a deletion.
    pub(crate) fn forget_references(&self) {
        self.by_reference.invalidate_all();
    }
}

impl Engine {
    /// The version that `reference` means in a company.
    pub(crate) async fn resolve(
        &self,
        company: CompanyId,
        company_name: &str,
        reference: &FunctionRef,
    ) -> Result<Arc<Deployed>, Error> {
        if let FunctionRef::Name { company: Some(named), .. } = reference
            && named != company_name
        {
            return Err(Error::NotFound("function"));
        }
        let key = (company, reference.to_string());
        if let Some(known) = self.catalog.by_reference.get(&key) {
            return Ok(known);
        }
        let version =
            self.store.resolve(company, reference).await?.ok_or(Error::NotFound("function"))?;
        let deployed = self.load(version).await?;
        self.catalog.by_reference.insert(key, deployed.clone());
        Ok(deployed)
    }

    /// One version by its id.
    pub(crate) async fn deployed(
        &self,
        company: CompanyId,
        id: VersionId,
    ) -> Result<Arc<Deployed>, Error> {
        if let Some(known) = self.catalog.by_id.get(&id)
            && known.version.company == company
        {
            return Ok(known);
        }
        let version = self.store.version(company, id).await?.ok_or(Error::NotFound("version"))?;
        self.load(version).await
    }

    async fn load(&self, version: Version) -> Result<Arc<Deployed>, Error> {
        if let Some(known) = self.catalog.by_id.get(&version.id) {
            return Ok(known);
        }
        let schemas = package::Schemas::compile(
            &version.manifest.io.inputs_schema,
            version.manifest.io.outputs_schema.as_ref(),
        )
        .map_err(|faults| {
            Error::Internal(format!(
                "the schemas of {}@{} no longer compile: {} fault(s)",
                version.name,
                version.version,
                faults.len()
            ))
        })?;
        let count = u32::try_from(LOOK_BACK).unwrap_or(u32::MAX);
        let mut durations =
            self.store.recent_durations_ms(version.company, version.id, count).await?;
        durations.reverse();
        let id = version.id;
        let deployed = Arc::new(Deployed {
            takes_files: mentions_files(&version.manifest.io.inputs_schema),
            version,
            schemas,
            durations_ms: Mutex::new(durations.into()),
        });
        self.catalog.by_id.insert(id, deployed.clone());
        Ok(deployed)
    }
}

/// Whether a schema has `format: file` anywhere.
fn mentions_files(schema: &serde_json::Value) -> bool {
    use serde_json::Value;
    match schema {
        Value::Object(members) => {
            members.get("format").and_then(Value::as_str) == Some("file")
                || members.values().any(mentions_files)
        }
        Value::Array(items) => items.iter().any(mentions_files),
        _ => false,
    }
}
