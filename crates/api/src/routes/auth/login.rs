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
use super::opened;
use crate::app::App;
use crate::context::Context;
use crate::cookie;
use crate::extract::Params;
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
    Ok(opened::see_other(&page("/app/login", "", next.as_deref().unwrap_or_default())))
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
    let source = context.source();
    let (name, password, company, next) = match sent {
        Sent::Form(mut form) => {
            (form.take("name"), form.take("password"), None, Some(form.take("next")))
        }
        Sent::Json(body) => {
            const TEXT: (&str, &str) = ("a text", "un texte");
            let mut fields = body.fields()?;
            let name = fields.required::<String>("name", TEXT);
            let password = fields.required::<String>("password", TEXT);
            let company = fields.optional::<String>("company", TEXT);
            fields.finish()?;
            (name.unwrap_or_default(), password.unwrap_or_default(), company, None)
        }
    };
    let login = Login { name, password, company, replaced, source };
    let logged_in = app.engine.log_in(login).await.inspect_err(opened::count_failure);
    match (logged_in, next) {
        (Ok(logged_in), None) => opened::program(&app, &headers, logged_in).await,
        (Ok(logged_in), Some(next)) => Ok(opened::browser(&app, &headers, &logged_in, &next)),
        (Err(error), Some(next)) if let Some(reason) = opened::reason(&error) => {
            Ok(opened::see_other(&page("/app/login", reason, &next)))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// The path of a page with what it is to say.
pub(crate) fn page(path: &str, reason: &str, next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in [("error", reason), ("next", next)] {
        if !value.is_empty() {
            query.append_pair(key, value);
        }
    }
    match query.finish().as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}
