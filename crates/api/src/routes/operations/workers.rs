//! `GET /workers`: who runs tasks, and what stands warm there.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Timestamp;
use engine::WorkerStatus;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// A process that runs tasks.
#[derive(Serialize, ToSchema)]
#[schema(as = Worker)]
pub(crate) struct WorkerBody {
    /// Its id, new at every start.
    worker_id: Uuid,
    /// The name of its machine.
    host: String,
    /// Since when it runs.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// Tasks it may run at once.
    slots: u32,
    /// Slots that are free.
    free: u32,
    /// Whether it takes no more tasks.
    draining: bool,
    /// Its warm templates, for platform admins; else empty.
    templates: Vec<TemplateBody>,
    /// Runs that began on a warm template.
    warm_starts: u64,
    /// Runs that had to wait for one.
    cold_starts: u64,
}

/// A warm template.
#[derive(Serialize, ToSchema)]
#[schema(as = Template)]
struct TemplateBody {
    /// Digest of its environment.
    environment: String,
    /// Whether it serves every company.
    shared: bool,
    /// Runs that stand ready.
    ready: u32,
    /// Its memory with that of its ready runs, in bytes.
    memory: u64,
}

impl From<WorkerStatus> for WorkerBody {
    fn from(worker: WorkerStatus) -> Self {
        let templates = worker.templates.into_iter().map(|template| TemplateBody {
            environment: template.environment,
            shared: template.shared,
            ready: template.ready,
            memory: template.memory_bytes,
        });
        Self {
            worker_id: worker.id.0,
            host: worker.host,
            started_at: worker.started_at,
            slots: worker.slots,
            free: worker.free,
            draining: worker.draining,
            templates: templates.collect(),
            warm_starts: worker.warm_starts,
            cold_starts: worker.cold_starts,
        }
    }
}

/// The workers.
#[utoipa::path(
    get,
    path = "/workers",
    operation_id = "listWorkers",
    tag = "operations",
    responses((status = 200, description = "All of them", body = Page<WorkerBody>)),
)]
pub(crate) async fn workers(
    State(app): State<App>,
    Caller(who): Caller,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let workers = app.engine.workers(&who).await?;
    let items = workers.into_iter().map(WorkerBody::from).collect();
    Ok(json(StatusCode::OK, &Page::whole(items)))
}
