//! `GET /auth/login`, `POST /auth/login`: a session for a name and a
//! password.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use engine::logins::Login;
use utoipa::ToSchema;

use super::me::AccountBody;
use super::opened::{self, Form};
use crate::app::App;
use crate::context::Context;
use crate::cookie;
use crate::extract::Params;
use crate::extract::json::TEXT;
use crate::extract::sent::Sent;
use crate::problem::Problem;

/// Who logs in.
#[derive(ToSchema)]
#[schema(as = Login)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct LoginBody {
    /// The user's name.
    name: String,
    /// The password.
    password: String,
    /// The name of the company to act for; that of the last session where
    /// missing.
    company: Option<String>,
}

/// Leads a browser to the login page.
#[utoipa::path(
    get,
    path = "/auth/login",
    operation_id = "showLogin",
    tag = "auth",
    params(("next" = Option<String>, Query, description = "Path of this site to go on at")),
    responses((status = 303, description = "To the login page")),
)]
pub(crate) async fn show(mut params: Params) -> Result<Response, Problem> {
    let next = params.text("next");
    params.finish()?;
    Ok(opened::see_other(&opened::page("/app/login", "", next.as_deref().unwrap_or_default())))
}

/// Opens a session: a cookie for a name and a password. A form of the login
/// page is answered with a redirect, JSON with the account.
#[utoipa::path(
    post,
    path = "/auth/login",
    operation_id = "logIn",
    tag = "auth",
    request_body = LoginBody,
    responses(
        (status = 200, description = "Logged in; `Set-Cookie` holds the session", body = AccountBody),
        (status = 303, description = "A form: logged in, or back to the login page"),
    ),
)]
pub(crate) async fn login(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    headers: HeaderMap,
    params: Params,
    sent: Sent,
) -> Result<Response, Problem> {
    params.finish()?;
    let replaced = cookie::session(&headers).map(str::to_owned);
    let (name, password, company, form) = match sent {
        Sent::Form(mut form) => {
            let (name, password, next) =
                (form.take("name"), form.take("password"), form.take("next"));
            (name, password, None, Some(Form { page: "/app/login".to_owned(), next }))
        }
        Sent::Json(body) => {
            let mut fields = body.fields()?;
            let [name, password] = ["name", "password"].map(|name| fields.text(name));
            let company = fields.optional::<String>("company", TEXT);
            fields.finish()?;
            (name, password, company, None)
        }
    };
    let login = Login { name, password, company, replaced, origin: context.origin() };
    let logged_in = app.engine.log_in(login).await;
    opened::answer(&app, &headers, logged_in, form).await
}
