//! `POST /auth/accept`: an invitation becomes an account, or a membership.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::ToSchema;

use super::me::AccountBody;
use super::opened::{self, Form};
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
    #[schema(min_length = 1)]
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
        Sent::Form(mut form) => {
            let (invitation, password) = (form.take("invitation"), form.take("password"));
            let encoded: String = form_urlencoded::byte_serialize(invitation.as_bytes()).collect();
            let page = format!("/app/invitation/{encoded}");
            (invitation, password, Some(Form { page, next: String::new() }))
        }
        Sent::Json(body) => {
            let mut fields = body.fields()?;
            let [invitation, password] = ["invitation", "password"].map(|name| fields.text(name));
            fields.finish()?;
            (invitation, password, None)
        }
    };
    let origin = context.origin();
    let accepted = app.engine.accept_invitation(&invitation, password, replaced, origin).await;
    opened::answer(&app, &headers, accepted, form).await
}
