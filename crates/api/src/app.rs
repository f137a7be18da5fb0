//! What every handler is given.

use std::sync::Arc;

use bytes::Bytes;
use engine::Engine;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::settings::Settings;

/// The state of the router. Clones share everything.
#[derive(Clone)]
pub(crate) struct App {
    /// The use cases.
    pub(crate) engine: Engine,
    /// The settings.
    pub(crate) settings: Arc<Settings>,
    /// Cancelled when the server stops: what streams or waits ends then.
    pub(crate) stopping: CancellationToken,
    /// Work that goes on though its caller went away.
    pub(crate) jobs: TaskTracker,
    /// The OpenAPI document and the page made from it.
    pub(crate) docs: Arc<Docs>,
}

/// What is served of the documentation, made once.
#[derive(Debug)]
pub(crate) struct Docs {
    /// The OpenAPI document.
    pub(crate) openapi: Bytes,
    /// The page in English and in French.
    pub(crate) pages: [Bytes; 2],
}

impl App {
    /// What `work` answers; `None` where the server stops before.
    pub(crate) async fn unless_stopping<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stopping.run_until_cancelled(work).await
    }
}
