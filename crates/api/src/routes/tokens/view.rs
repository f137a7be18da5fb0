//! Tokens as callers see them.

use domain::Timestamp;
use engine::store::accounts::Token;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A token, without its secret.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenBody {
    /// Its id.
    token_id: Uuid,
    /// What its owner calls it.
    name: String,
    /// Whose it is.
    user_id: Uuid,
    /// The company it acts for.
    company_id: Uuid,
    /// The beginning of its secret, by which its owner recognises it.
    prefix: Option<String>,
    /// What it lets through: `read`, `run`, `deploy`, `admin`.
    scopes: Vec<&'static str>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was revoked; null while it is valid.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<Token> for TokenBody {
    fn from(token: Token) -> Self {
        Self {
            token_id: token.id.0,
            name: token.name,
            user_id: token.user.0,
            company_id: token.company.0,
            prefix: token.prefix,
            scopes: token.scopes.iter().map(|scope| scope.as_str()).collect(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// A token that was made just now.
#[derive(Serialize, ToSchema)]
#[schema(as = NewToken)]
pub(crate) struct NewToken {
    /// The token.
    token: TokenBody,
    /// What to send as `Authorization: Bearer`; shown this once, null in an
    /// answer that is given again.
    secret: Option<String>,
}

impl NewToken {
    /// A token with its secret.
    pub(crate) fn new(token: TokenBody, secret: String) -> Self {
        Self { token, secret: Some(secret) }
    }

    /// A token whose secret was shown before.
    pub(crate) fn without_secret(token: TokenBody) -> Self {
        Self { token, secret: None }
    }
}
