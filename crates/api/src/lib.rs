//! The HTTP face: routes, authentication, OpenAPI, problems.
//!
//! [`Api::new`] builds it over an [`engine::Engine`]; [`Api::serve`] answers
//! on a listener until it is told to stop. Every request passes one frame
//! (`context`): it gets an id, a language, one line in the log and security
//! headers, and a refusal becomes `application/problem+json` there. Handlers
//! stand under `routes`, one folder a resource and one file an action, and
//! each makes one call to the engine: nothing here writes anything by
//! itself. `router` is the table of contents.

mod address;
mod answer;
mod app;
mod context;
mod cookie;
mod download;
mod events;
mod explained;
mod extract;
mod idempotency;
mod leftover;
mod openapi;
pub mod problem;
mod rates;
mod refused;
mod router;
mod routes;
mod scopes;
mod serve;
mod settings;
mod streams;
mod taken;

use std::sync::Arc;

use app::App;
use axum::Router;
use engine::Engine;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use rates::Rates;
pub use settings::{SLOWEST_UPLOAD, Settings};
pub use streams::Settings as Streams;

/// Why the HTTP face can't be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An origin of `CORS_ALLOW_ORIGINS` is none.
    #[error("expected an origin such as https://app.example.com, found {0:?}")]
    Origin(String),
}

/// The HTTP face of one engine.
#[derive(Clone)]
pub struct Api {
    router: Router,
    app: App,
}

impl Api {
    /// Builds the routes.
    pub fn new(engine: Engine, settings: Settings) -> Result<Self, Error> {
        let app = App {
            engine,
            limiter: Arc::new(rates::Limiter::new(settings.rates)),
            settings: Arc::new(settings),
            stopping: CancellationToken::new(),
            jobs: TaskTracker::new(),
            streams: Arc::default(),
            answered: Arc::default(),
            docs: Arc::new(routes::pages::docs::Docs::new(&router::document())),
        };
        Ok(Self { router: router::router(app.clone())?, app })
    }

    /// The routes as a service, to be called without a socket.
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}

/// The OpenAPI document of all routes, as `docs/openapi.json` keeps it.
#[must_use]
pub fn openapi_json() -> String {
    let mut text = serde_json::to_string_pretty(&router::document())
        .expect("an OpenAPI document is plain JSON");
    text.push('\n');
    text
}
