//! `DELETE /functions/{id}`: the function goes, its tasks stay.

use axum::extract::State;
use axum::http::StatusCode;
use domain::Text;
use domain::function::FunctionRef;

use crate::app::App;
use crate::extract::{Caller, Function, Params};
use crate::problem::{Code, Problem};

/// Deletes a function with all its versions. Its tasks and their results
/// stay, and its name is free again.
#[utoipa::path(
    delete,
    path = "/functions/{id}",
    operation_id = "deleteFunction",
    tag = "functions",
    params(("id" = String, Path, description = "UUID or `name`")),
    responses((status = 204, description = "It is deleted")),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    Caller(who): Caller,
    Function(reference): Function,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.finish()?;
    if matches!(reference, FunctionRef::Name { version: Some(_), .. }) {
        return Err(Problem::new(
            Code::InvalidParameter,
            Text::new(
                "Versions are immutable and can't be deleted one by one; name the function alone.",
                "Une version est immuable et ne se supprime pas seule ; nommez la fonction seule.",
            ),
        ));
    }
    app.engine.delete_function(&who, &reference).await?;
    Ok(StatusCode::NO_CONTENT)
}
