//! What an operator looks at: queue, workers, health.

use std::time::Duration;

use broker::Depths;
use domain::permission::Principal;
use domain::{CompanyId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use crate::others::GONE;
use crate::{Engine, Error};

/// How long a part may take to answer before it counts as down.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the worker of this process is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its id, new at every start.
    pub id: WorkerId,
    /// The name of its machine.
    pub host: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// Tasks it may run at once.
    pub slots: u32,
    /// Slots that are free.
    pub free: u32,
    /// Whether it takes no more tasks.
    pub draining: bool,
    /// Its warm templates.
    pub templates: Vec<TemplateStatus>,
    /// Runs that began on a warm template.
    pub warm_starts: u64,
    /// Runs that had to wait for one.
    pub cold_starts: u64,
}

/// A worker as a caller sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSeen {
    /// Its id, which tasks name.
    pub id: WorkerId,
    /// Whether it takes no more tasks.
    pub draining: bool,
    /// How it is, for platform admins.
    pub status: Option<WorkerStatus>,
}

/// A warm template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateStatus {
    /// Digest of its environment.
    pub environment: String,
    /// Whether it serves every company.
    pub shared: bool,
    /// Runs that stand ready.
    pub ready: u32,
    /// Its memory with that of its ready runs, in bytes, each page counted
    /// once.
    pub memory_bytes: u64,
}

/// How much waits and runs.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueReport {
    /// By class and company; for callers who are no platform admins only
    /// their own company's numbers.
    pub depths: Depths,
    /// Runs that stand ready; for platform admins alone.
    pub warm: Option<u32>,
}

/// Which parts answer. `None`: the mode has no such part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The database.
    pub database: bool,
    /// The server of the queue.
    pub broker: Option<bool>,
    /// The object store.
    pub storage: bool,
    /// Whether any worker takes tasks.
    pub workers: Option<bool>,
    /// Whether it is going down.
    pub closing: bool,
}

impl Engine {
    /// How much waits and runs.
    pub async fn queue(&self, who: &Principal) -> Result<QueueReport, Error> {
        let depths = self.broker.depths().await?;
        if !who.is_admin() {
            return Ok(QueueReport { depths: only(depths, who.company), warm: None });
        }
        let workers = self.seen().await?;
        let warm = workers.iter().flat_map(|worker| &worker.templates).map(|t| t.ready).sum();
        Ok(QueueReport { depths, warm: Some(warm) })
    }

    /// The workers, each with how it is for platform admins. Others see which
    /// workers their tasks name and whether these take more, neither where they
    /// stand nor how busy everybody together keeps them.
    pub async fn workers(&self, who: &Principal) -> Result<Vec<WorkerSeen>, Error> {
        Ok(self
            .seen()
            .await?
            .into_iter()
            .map(|status| WorkerSeen {
                id: status.id,
                draining: status.draining,
                status: who.is_admin().then_some(status),
            })
            .collect())
    }

    /// The worker of this process as it is, others as they said a moment ago.
    async fn seen(&self) -> Result<Vec<WorkerStatus>, Error> {
        let mut seen: Vec<_> =
            self.local.get().map(|(_, worker)| worker.status()).into_iter().collect();
        if self.shared {
            let others = self.store.workers(GONE).await?.into_iter();
            let others =
                others.filter(|other| self.local.get().is_none_or(|own| own.0 != other.id));
            // Another release may say it in other words.
            seen.extend(others.filter_map(|other| serde_json::from_value(other.status?).ok()));
        }
        Ok(seen)
    }

    /// Writes what is looked at rather than counted, for a scrape of the
    /// metrics.
    pub async fn observe(&self) -> Result<(), Error> {
        let depths = self.broker.depths().await?;
        let workers = self.seen_soon().await;
        let health = self.health_with(workers.as_deref()).await;
        let workers = workers.unwrap_or_default();
        crate::measures::observe(&depths, &workers, &health, self.clock.now());
        Ok(())
    }

    /// The workers; `None` where the database does not say within a patience.
    async fn seen_soon(&self) -> Option<Vec<WorkerStatus>> {
        tokio::time::timeout(PATIENCE, self.seen()).await.ok()?.ok()
    }

    /// Which parts answer.
    pub async fn health(&self) -> Health {
        let workers = self.seen_soon().await;
        self.health_with(workers.as_deref()).await
    }

    async fn health_with(&self, workers: Option<&[WorkerStatus]>) -> Health {
        let database = tokio::time::timeout(PATIENCE, self.store.ping()).await;
        let storage = tokio::time::timeout(PATIENCE, self.blobs.companies()).await;
        let broker = match self.shared {
            true => Some(self.broker.next_available_at().await.is_ok()),
            false => None,
        };
        let takes = workers.is_some_and(|workers| workers.iter().any(|worker| !worker.draining));
        Health {
            database: matches!(database, Ok(Ok(()))),
            broker,
            storage: matches!(storage, Ok(Ok(_))),
            workers: (self.shared || self.local.get().is_some()).then_some(takes),
            closing: self.closing.is_cancelled(),
        }
    }
}

/// Own numbers alone: how busy others are is their business.
fn only(depths: Depths, company: CompanyId) -> Depths {
    let companies: Vec<_> =
        depths.companies.into_iter().filter(|depth| depth.company == company).collect();
    Depths { classes: Vec::new(), companies }
}
