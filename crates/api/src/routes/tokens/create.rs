//! `POST /tokens`: a token whose secret is shown once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use domain::permission::{Scope, Scopes};
use domain::{Text, Timestamp, UserId};
use engine::access::TokenWanted;
use utoipa::ToSchema;
use uuid::Uuid;

use super::view::{NewToken, TokenBody};
use crate::app::App;
use crate::extract::json::Fields;
use crate::extract::{Caller, JsonBody, Params};
use crate::idempotency::{Answer, Once};
use crate::problem::Problem;

/// A token to be.
#[derive(ToSchema)]
#[schema(as = CreateToken)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct CreateToken {
    /// What its owner calls it, 1 to 100 characters.
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]{1,100}$")]
    name: String,
    /// When it ends, by RFC 3339; never where missing.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
    /// What it lets through: some of `read`, `run`, `deploy`, `admin`; where
    /// missing, what the caller's own token or session does.
    #[schema(schema_with = crate::openapi::words::scopes)]
    scopes: Option<Vec<String>>,
    /// Whose it is; the caller's where missing. Another member's needs the
    /// role `company_admin`.
    user_id: Option<Uuid>,
}

/// Makes a token for the caller's company.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "createToken",
    tag = "tokens",
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same body, the same token is answered, without its secret")),
    request_body = CreateToken,
    responses((status = 201, description = "Made; the secret is shown this once", body = NewToken)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Caller(who): Caller,
    params: Params,
    once: Once,
    body: JsonBody,
) -> Result<Response, Problem> {
    params.finish()?;
    let (wanted, user) = read(body.fields()?, app.engine.clock().now())?;
    let (engine, caller) = (app.engine.clone(), who.clone());
    let answer = app.once(&who, once, body.bytes(), async move {
        let user = user.unwrap_or(caller.user);
        let minted = engine.create_token(&caller, user, wanted).await?;
        let path = format!("/tokens/{}", minted.token.id);
        let token = TokenBody::from(minted.token);
        let kept = NewToken::without_secret(token.clone());
        let shown = NewToken::new(token, minted.secret);
        Answer::new(StatusCode::CREATED, path, &shown)?.keeping(&kept)
    });
    Ok(answer.await?.into_response())
}

fn read(mut fields: Fields<'_>, now: Timestamp) -> Result<(TokenWanted, Option<UserId>), Problem> {
    const NAME: (&str, &str) = ("1 to 100 characters", "1 à 100 caractères");
    let name = fields.required::<String>("name", NAME);
    if name.as_deref().is_some_and(|name| !is_label(name)) {
        fields.refuse(
            "name",
            "body_value",
            Text::new(
                format!("expected {}, none of them a control character", NAME.0),
                format!("attendu : {}, sans caractère de contrôle", NAME.1),
            ),
        );
    }
    let expires_at = fields.optional::<Timestamp>(
        "expires_at",
        ("an instant such as 2030-01-01T00:00:00Z", "un instant tel que 2030-01-01T00:00:00Z"),
    );
    if expires_at.is_some_and(|end| end <= now) {
        fields.refuse(
            "expires_at",
            "body_value",
            Text::new("expected an instant to come", "attendu : un instant à venir"),
        );
    }
    let scopes = scopes(&mut fields);
    let user = fields.optional::<UserId>("user_id", ("a UUID", "un UUID"));
    fields.finish()?;
    Ok((TokenWanted { name: name.unwrap_or_default(), expires_at, scopes }, user))
}

fn scopes(fields: &mut Fields<'_>) -> Option<Scopes> {
    const SOME: (&str, &str) = (
        "a list of some of \"read\", \"run\", \"deploy\", \"admin\"",
        "une liste de certains de \"read\", \"run\", \"deploy\", \"admin\"",
    );
    let words = fields.optional::<Vec<String>>("scopes", SOME)?;
    let read: Result<Scopes, _> = words.iter().map(|word| word.parse::<Scope>()).collect();
    match read {
        Ok(scopes) if !scopes.is_empty() => return Some(scopes),
        _ => {}
    }
    let found = words.join(", ");
    fields.refuse(
        "scopes",
        "body_value",
        Text::new(
            format!("expected {}, found [{found}]", SOME.0),
            format!("attendu : {} ; reçu : [{found}]", SOME.1),
        ),
    );
    None
}

fn is_label(name: &str) -> bool {
    (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}
