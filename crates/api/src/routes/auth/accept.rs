//! `POST /auth/accept`: an invitation becomes an account, or a membership.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::ToSchema;

use super::login::page;
use super::me::AccountBody;
use super::opened;
use crate::app::App;
use crate::context::Context;
use crate::cookie;
use crate::extract::Params;
use crate::extract::sent::Sent;
use crate::problem::Problem;

/// An invitation and a password.
#[derive(ToSchema)]
#[schema(as = AcceptInvitation)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct AcceptBody {
    /// The last part of the invitation's link.
    invitation: String,
    /// A new password of 12 to 256 characters; of an account that belongs to
    /// another company, too, its present one.
    password: String,
}

/// Accepts an invitation with a password, and opens a session.
#[utoipa::path(
    post,
    path = "/auth/accept",
    operation_id = "acceptInvitation",
    tag = "auth",
    request_body = AcceptBody,
    responses(
        (status = 200, description = "Logged in; `Set-Cookie` holds the session", body = AccountBody),
        (status = 303, description = "A form: logged in, or back to the page"),
    ),
)]
pub(crate) async fn accept(
    State(app): State<App>,
    Extension(context): Extension<Arc<Context>>,
    headers: HeaderMap,
    params: Params,
    sent: Sent,
) -> Result<Response, Problem> {
    params.finish()?;
    let replaced = cookie::session(&headers).map(str::to_owned);
    let (invitation, password, form) = match sent {
        Sent::Form(mut form) => (form.take("invitation"), form.take("password"), true),
        Sent::Json(body) => {
            const TEXT: (&str, &str) = ("a text", "un texte");
            let mut fields = body.fields()?;
            let invitation = fields.required::<String>("invitation", TEXT);
            let password = fields.required::<String>("password", TEXT);
            fields.finish()?;
            (invitation.unwrap_or_default(), password.unwrap_or_default(), false)
        }
    };
    let source = context.source();
    let accepted = app.engine.accept_invitation(&invitation, password, replaced, source).await;
    match accepted.inspect_err(opened::count_failure) {
        Ok(logged_in) if form => Ok(opened::browser(&app, &headers, &logged_in, "/")),
        Ok(logged_in) => opened::program(&app, &headers, logged_in).await,
        Err(error) if form && let Some(reason) = opened::reason(&error) => {
            let mut path = form_urlencoded::byte_serialize(invitation.as_bytes());
            let path = path.by_ref().collect::<String>();
            Ok(opened::see_other(&page(&format!("/app/invitation/{path}"), reason, "")))
        }
        Err(error) => Err(error.into()),
    }
}
