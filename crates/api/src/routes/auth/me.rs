//! `GET /auth/me`: whom the request speaks for.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use domain::permission::{Credential, Principal, Role};
use engine::access::csrf_token;
use engine::logins::Account;
use engine::store::logins::Membership;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::json;
use crate::app::App;
use crate::cookie;
use crate::extract::{Caller, Params};
use crate::problem::Problem;

/// The caller's own account.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountBody {
    /// The user's id.
    user_id: Uuid,
    /// The user's name, unique on the platform.
    name: String,
    /// Where mail reaches the user.
    email: Option<String>,
    /// Whether the user can log in with a password.
    has_password: bool,
    /// The company that the request acts for.
    company: MembershipBody,
    /// The companies to choose from, by name.
    companies: Vec<MembershipBody>,
    /// What the request showed: `session`, `token` or `nothing`.
    credential: &'static str,
    /// The token's id.
    token_id: Option<Uuid>,
    /// What the credential lets through: `read`, `run`, `deploy`, `admin`.
    scopes: Vec<&'static str>,
    /// What a page sends as `X-CSRF-Token` with every request that changes
    /// something; null without a session.
    csrf_token: Option<String>,
}

/// A company that a user belongs to.
#[derive(Serialize, ToSchema)]
#[schema(as = Membership)]
pub(crate) struct MembershipBody {
    /// The company's id.
    company_id: Uuid,
    /// The company's name.
    name: String,
    /// The user's role there.
    #[schema(value_type = String)]
    role: Role,
}

impl AccountBody {
    /// The account as its user reads it.
    pub(crate) fn new(account: Account, who: &Principal, csrf_token: Option<String>) -> Self {
        let (credential, token_id) = match who.credential {
            Credential::Session(_) => ("session", None),
            Credential::Token(id) => ("token", Some(id.0)),
            Credential::Nothing => ("nothing", None),
        };
        Self {
            user_id: account.user.id.0,
            name: account.user.name,
            email: account.user.email,
            has_password: account.user.password.is_some(),
            company: MembershipBody {
                company_id: who.company.0,
                name: who.company_name.clone(),
                role: who.role,
            },
            companies: account.companies.into_iter().map(MembershipBody::from).collect(),
            credential,
            token_id,
            scopes: who.scopes.iter().map(|scope| scope.as_str()).collect(),
            csrf_token,
        }
    }
}

impl From<Membership> for MembershipBody {
    fn from(membership: Membership) -> Self {
        let Membership { company, company_name, role } = membership;
        Self { company_id: company.0, name: company_name, role }
    }
}

/// Whom the request speaks for, in which company, and with which scopes.
#[utoipa::path(
    get,
    path = "/auth/me",
    operation_id = "getAccount",
    tag = "auth",
    responses((status = 200, description = "The account", body = AccountBody)),
)]
pub(crate) async fn me(
    State(app): State<App>,
    Caller(who): Caller,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let account = app.engine.account(&who).await?;
    let session = matches!(who.credential, Credential::Session(_));
    let csrf = cookie::session(&headers).filter(|_| session).map(csrf_token);
    Ok(json(StatusCode::OK, &AccountBody::new(account, &who, csrf)))
}
