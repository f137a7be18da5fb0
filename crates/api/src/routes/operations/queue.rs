//! `GET /queue`: how much waits and runs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::json;
use crate::app::App;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// How much waits and runs.
#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
pub(crate) struct QueueBody {
    /// Tasks that wait: all for platform admins, else the own company's.
    waiting: u64,
    /// Tasks that run, likewise.
    running: u64,
    /// By queue class, for platform admins; else empty.
    classes: Vec<ClassBody>,
    /// By company: all for platform admins, else the own one.
    companies: Vec<CompanyDepth>,
    /// Runs that stand ready in warm sandboxes, for platform admins; else null.
    warm: Option<u32>,
}

/// One queue class.
#[derive(Serialize, ToSchema)]
#[schema(as = QueueClass)]
struct ClassBody {
    /// `high_priority`, `default` or `long_running`.
    class: &'static str,
    /// Tasks that wait.
    waiting: u64,
    /// Tasks that run.
    running: u64,
    /// For how long the oldest has been waiting, in seconds.
    oldest_age: Option<f64>,
}

/// One company over all classes.
#[derive(Serialize, ToSchema)]
#[schema(as = CompanyDepth)]
struct CompanyDepth {
    /// The company's id.
    company_id: Uuid,
    /// Tasks that wait.
    waiting: u64,
    /// Tasks that run.
    running: u64,
}

/// How much waits and runs, and how many warm sandboxes stand ready.
#[utoipa::path(
    get,
    path = "/queue",
    operation_id = "getQueue",
    tag = "operations",
    responses((status = 200, description = "The queue as it is", body = QueueBody)),
)]
pub(crate) async fn queue(
    State(app): State<App>,
    Caller(who): Caller,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let report = app.engine.queue(&who).await?;
    let now = app.engine.clock().now();
    let companies: Vec<_> = report
        .depths
        .companies
        .iter()
        .map(|depth| CompanyDepth {
            company_id: depth.company.0,
            waiting: depth.waiting,
            running: depth.running,
        })
        .collect();
    let classes = report.depths.classes.iter().map(|depth| ClassBody {
        class: depth.class.as_str(),
        waiting: depth.waiting,
        running: depth.running,
        oldest_age: depth.oldest_submitted_at.map(|at| now.since(at).as_secs_f64()),
    });
    let body = QueueBody {
        waiting: companies.iter().map(|company| company.waiting).sum(),
        running: companies.iter().map(|company| company.running).sum(),
        classes: classes.collect(),
        companies,
        warm: report.warm,
    };
    Ok(json(StatusCode::OK, &body))
}
