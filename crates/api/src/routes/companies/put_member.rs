//! `POST /companies/{id}/members`: adds a member, or changes its role.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::CompanyId;
use domain::permission::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::view::MemberBody;
use crate::app::App;
use crate::extract::{Caller, Id, JsonBody, Params};
use crate::idempotency::{Answer, Once};
use crate::problem::Problem;
use crate::routes::tokens::view::{NewToken, TokenBody};

/// A member to be.
#[derive(ToSchema)]
#[schema(as = PutMember)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct PutMember {
    /// The user's name: 1 to 63 characters of a-z, 0-9 and -.
    #[schema(pattern = "^[a-z0-9-]{1,63}$")]
    name: String,
    /// `member` (by default), `company_admin` or `admin`.
    #[schema(schema_with = crate::openapi::words::role)]
    role: Option<String>,
}

/// A member as it is now.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberPut)]
pub(crate) struct Put {
    /// The member.
    member: MemberBody,
    /// The first token of a new member; its secret is shown this once.
    token: Option<NewToken>,
}

/// Adds a member with a first token, or changes the role of one that is
/// there. Needs the role `company_admin`.
#[utoipa::path(
    post,
    path = "/companies/{id}/members",
    operation_id = "putMember",
    tag = "companies",
    params(
        ("id" = Uuid, Path, description = "The company's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same body, the same member is answered, without its token's secret"),
    ),
    request_body = PutMember,
    responses(
        (status = 201, description = "Added", body = Put),
        (status = 200, description = "The role was changed", body = Put),
    ),
)]
pub(crate) async fn put(
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
    let role = fields.optional::<Role>(
        "role",
        ("one of member, company_admin, admin", "l'un de member, company_admin, admin"),
    );
    fields.finish()?;
    let (engine, caller) = (app.engine.clone(), who.clone());
    let answer = app.once(&who, once, body.bytes(), async move {
        let role = role.unwrap_or(Role::Member);
        let (member, minted) = engine.put_member(&caller, id, &name, role).await?;
        let status = if minted.is_some() { StatusCode::CREATED } else { StatusCode::OK };
        let path = format!("/companies/{id}/members/{}", member.user);
        let (token, kept) = match minted {
            None => (None, None),
            Some(minted) => {
                let token = TokenBody::from(minted.token);
                let kept = NewToken::without_secret(token.clone());
                (Some(NewToken::new(token, minted.secret)), Some(kept))
            }
        };
        let kept = Put { member: member.clone().into(), token: kept };
        Answer::new(status, path, &Put { member: member.into(), token })?.keeping(&kept)
    });
    Ok(answer.await?.into_response())
}
