//! `POST /companies/{id}/invitations`: a link that is shown once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::CompanyId;
use domain::permission::Role;
use engine::invitations::Invited;
use utoipa::ToSchema;

use super::view::{InvitationBody, NewInvitation};
use crate::app::App;
use crate::extract::{Caller, Id, JsonBody, Params};
use crate::idempotency::{Answer, Once};
use crate::problem::Problem;

/// Somebody to be invited.
#[derive(ToSchema)]
#[schema(as = CreateInvitation)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct CreateInvitation {
    /// The user's name: 1 to 63 characters of a-z, 0-9 and -.
    #[schema(pattern = "^[a-z0-9-]{1,63}$")]
    name: String,
    /// Where mail reaches the user.
    #[schema(
        max_length = 254,
        pattern = r#"^[^\s\x00-\x1f\x7f-\x9f<>,;"]+@[^@\s\x00-\x1f\x7f-\x9f<>,;"]*\.[^@\s\x00-\x1f\x7f-\x9f<>,;"]*$"#
    )]
    email: Option<String>,
    /// `member` (by default), `company_admin` or `admin`.
    #[schema(schema_with = crate::openapi::words::role)]
    role: Option<String>,
}

/// Invites somebody into a company, or has a member set a password anew: a
/// link for one use within a week. Needs the role `company_admin`.
#[utoipa::path(
    post,
    path = "/companies/{id}/invitations",
    operation_id = "invite",
    tag = "companies",
    params(
        ("id" = Uuid, Path, description = "The company's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same body, the same invitation is answered, without its link"),
    ),
    request_body = CreateInvitation,
    responses((status = 201, description = "Made; the link is shown this once", body = NewInvitation)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    Id(id): Id<CompanyId>,
    params: Params,
    once: Once,
    body: JsonBody,
) -> Result<Response, Problem> {
    params.finish()?;
    let mut fields = body.fields()?;
    let name = fields.text("name");
    let email = fields.optional::<String>("email", ("a text", "un texte"));
    let role = fields.optional::<Role>(
        "role",
        ("one of member, company_admin, admin", "l'un de member, company_admin, admin"),
    );
    fields.finish()?;
    let invited = Invited { name, email, role: role.unwrap_or(Role::Member) };
    let (engine, caller) = (app.engine.clone(), who.clone());
    let answer = app.once(&who, once, body.bytes(), async move {
        let (invitation, secret) = engine.invite(&caller, id, invited).await?;
        let location = format!("/companies/{id}/invitations/{}", invitation.id);
        let invitation = InvitationBody::from(invitation);
        let kept = NewInvitation { invitation: invitation.clone(), path: None };
        let path = Some(format!("/app/invitation/{secret}"));
        let shown = NewInvitation { invitation, path };
        Answer::new(StatusCode::CREATED, location, &shown)?.keeping(&kept)
    });
    Ok(answer.await?.into_response())
}
