//! `GET /tasks`: newest first, by status and function.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::function::FunctionRef;
use engine::{Error, TaskFilter};

use super::view::TaskBody;
use crate::answer::{Page, json};
use crate::app::App;
use crate::context::Context;
use crate::extract::{Caller, Params, cursor};
use crate::problem::Problem;

/// The company's tasks, newest first, without their results.
#[utoipa::path(
    get,
    path = "/tasks",
    operation_id = "listTasks",
    tag = "tasks",
    params(
        ("status" = Option<String>, Query, description = "`queued`, `running`, `completed`, `failed` or `cancelled`"),
        ("function" = Option<String>, Query, description = "UUID or name of a function"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 200; 50 by default"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses((status = 200, description = "A page of tasks", body = Page<TaskBody>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    Caller(who): Caller,
    mut params: Params,
) -> Result<Response, Problem> {
    let state = params.parsed(
        "status",
        (
            "one of queued, running, completed, failed, cancelled",
            "l'un de queued, running, completed, failed, cancelled",
        ),
    );
    let reference = params.parsed::<FunctionRef>(
        "function",
        ("the UUID or name of a function", "l'UUID ou le nom d'une fonction"),
    );
    let (after, limit) = params.page();
    params.finish()?;
    let function = match reference {
        None => None,
        // Tasks outlive their function, whose id still finds them.
        Some(FunctionRef::Id(id)) => Some(id),
        Some(reference) => match app.engine.function(&who, &reference).await {
            Ok(deployed) => Some(deployed.version.function),
            Err(Error::NotFound(_)) => {
                return Ok(json(StatusCode::OK, &Page::<()>::whole(Vec::new())));
            }
            Err(error) => return Err(error.into()),
        },
    };
    let page =
        app.engine.tasks(&who, TaskFilter { state, function, user: None }, after, limit).await?;
    let items = page.items.iter().map(|task| TaskBody::listed(task, context.lang)).collect();
    Ok(json(StatusCode::OK, &Page { items, next_cursor: page.next.map(cursor::write) }))
}
