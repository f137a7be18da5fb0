//! What every handler is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::Engine;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rates::Limiter;
use crate::routes::pages::docs::Docs;
use crate::settings::Settings;
use crate::streams::Streams;

/// The state of the router. Clones share everything.
#[derive(Clone)]
pub(crate) struct App {
    /// The use cases.
    pub(crate) engine: Engine,
    /// The settings.
    pub(crate) settings: Arc<Settings>,
    /// Who made how many requests lately.
    pub(crate) limiter: Arc<Limiter>,
    /// Who watches how much.
    pub(crate) streams: Arc<Streams>,
    /// Cancelled when the server stops: what streams or waits ends then.
    pub(crate) stopping: CancellationToken,
    /// Work that goes on though its caller went away.
    pub(crate) jobs: TaskTracker,
    /// Requests that were answered.
    pub(crate) answered: Arc<AtomicU64>,
    /// The OpenAPI document and the page made from it, in both languages.
    pub(crate) docs: Arc<Docs>,
}

/// Requests between two tidyings of the measurements.
const TIDIED_EVERY: u64 = 1024;

impl App {
    /// Folds measurements together now and then, as nobody may ever ask for
    /// `/metrics`; by requests and not by a timer, so that idle means idle.
    pub(crate) fn tidy_metrics(&self) {
        let answered = self.answered.fetch_add(1, Ordering::Relaxed);
        if answered % TIDIED_EVERY == TIDIED_EVERY - 1
            && let Some(metrics) = &self.settings.metrics
        {
            metrics.run_upkeep();
        }
    }

    /// What `work` answers; `None` where the server stops before.
    pub(crate) async fn unless_stopping<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stopping.run_until_cancelled(work).await
    }
}
