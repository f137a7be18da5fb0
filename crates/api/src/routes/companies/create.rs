//! `POST /companies`: a company with its first administrator.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::{CompanyBody, read_quotas};
use crate::app::App;
use crate::extract::{Caller, JsonBody, Params};
use crate::idempotency::{Answer, Once};
use crate::problem::Problem;
use crate::routes::tokens::view::{NewToken, TokenBody};

/// A company to be.
#[derive(ToSchema)]
#[schema(as = CreateCompany)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct CreateCompany {
    /// Its name: 1 to 63 characters of a-z, 0-9 and -.
    #[schema(pattern = "^[a-z0-9-]{1,63}$")]
    name: String,
    /// The name of its first administrator; `NAME-admin` where missing.
    #[schema(pattern = "^[a-z0-9-]{1,63}$")]
    admin: Option<String>,
    /// Its share of the workers relative to the others; 1 by default.
    #[schema(exclusive_minimum = 0)]
    weight: Option<f64>,
    /// Tasks it may run at once.
    #[schema(maximum = 4294967295_u32)]
    max_running: Option<u32>,
    /// Tasks it may have waiting.
    #[schema(maximum = 4294967295_u32)]
    max_queued: Option<u32>,
    /// Tasks it may have accepted in a day, from midnight in UTC.
    #[schema(maximum = 9007199254740991_i64)]
    max_tasks_per_day: Option<u64>,
    /// CPU seconds after which a day's further tasks are refused.
    #[schema(minimum = 0)]
    max_cpu_seconds_per_day: Option<f64>,
    /// Bytes of files, artifacts and large results that it may keep.
    #[schema(maximum = 9007199254740991_i64)]
    max_storage_bytes: Option<u64>,
}

/// A company that was created.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedCompany)]
pub(crate) struct Created {
    /// The company.
    company: CompanyBody,
    /// The token of its first administrator; its secret is shown this once.
    admin_token: NewToken,
}

/// Creates a company with its first administrator. Needs the role `admin`.
#[utoipa::path(
    post,
    path = "/companies",
    operation_id = "createCompany",
    tag = "companies",
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same body, the same company is answered, without its token's secret")),
    request_body = CreateCompany,
    responses((status = 201, description = "Created", body = Created)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    params: Params,
    once: Once,
    body: JsonBody,
) -> Result<Response, Problem> {
    params.finish()?;
    let mut fields = body.fields()?;
    let name = fields.text("name");
    let admin = fields.optional::<String>("admin", ("a text", "un texte"));
    let quotas = read_quotas(&mut fields);
    fields.finish()?;
    let admin = admin.unwrap_or_else(|| format!("{name}-admin"));
    let (engine, caller) = (app.engine.clone(), who.clone());
    let answer = app.once(&who, once, body.bytes(), async move {
        let (company, minted) = engine.create_company(&caller, &name, &admin, quotas).await?;
        let path = format!("/companies/{}", company.id);
        let token = TokenBody::from(minted.token);
        let kept = Created {
            company: company.clone().into(),
            admin_token: NewToken::without_secret(token.clone()),
        };
        let created =
            Created { company: company.into(), admin_token: NewToken::new(token, minted.secret) };
        Answer::new(StatusCode::CREATED, path, &created)?.keeping(&kept)
    });
    Ok(answer.await?.into_response())
}
