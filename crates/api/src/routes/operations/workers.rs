//! `GET /workers`: who runs tasks, and what stands warm there.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::Timestamp;
use engine::{TemplateStatus, WorkerSeen};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::{Page, json};
use crate::app::App;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// A process that runs tasks. How it is, platform admins alone are told: the
/// other fields are null, or empty, for everybody else.
#[derive(Serialize, ToSchema)]
#[schema(as = Worker)]
pub(crate) struct WorkerBody {
    /// Its id, new at every start, as tasks name it.
    worker_id: Uuid,
    /// Whether it takes no more tasks.
    draining: bool,
    /// The name of its machine.
    host: Option<String>,
    /// Since when it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// Tasks it may run at once.
    slots: Option<u32>,
    /// Slots that are free.
    free: Option<u32>,
    /// Its warm templates.
    templates: Vec<TemplateBody>,
    /// Runs that began on a warm template.
    warm_starts: Option<u64>,
    /// Runs that had to wait for one.
    cold_starts: Option<u64>,
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

impl From<WorkerSeen> for WorkerBody {
    fn from(WorkerSeen { id, draining, status }: WorkerSeen) -> Self {
        let status = status.as_ref();
        let templates = status.map(|status| status.templates.iter().map(TemplateBody::from));
        Self {
            worker_id: id.0,
            draining,
            host: status.map(|status| status.host.clone()),
            started_at: status.map(|status| status.started_at),
            slots: status.map(|status| status.slots),
            free: status.map(|status| status.free),
            templates: templates.into_iter().flatten().collect(),
            warm_starts: status.map(|status| status.warm_starts),
            cold_starts: status.map(|status| status.cold_starts),
        }
    }
}

impl From<&TemplateStatus> for TemplateBody {
    fn from(template: &TemplateStatus) -> Self {
        Self {
            environment: template.environment.clone(),
            shared: template.shared,
            ready: template.ready,
            memory: template.memory_bytes,
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
