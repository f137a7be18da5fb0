//! Who calls: the bearer token or the session of a request, checked by the
//! engine, and whether it may do what the route does.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::permission::{Credential, Principal, Scope};

use crate::app::App;
use crate::context::Context;
use crate::cookie;
use crate::problem::Problem;
use crate::rates::Key;
use crate::scopes::{self, Needs};

/// The longest token that is looked at; ours have 50 characters.
const LONGEST_TOKEN: usize = 4096;

/// The authenticated caller. A handler that takes one refuses all others.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let mut principal = authenticate(parts, app).await?;
        let context = parts.extensions.get::<Arc<Context>>();
        if let Some(context) = context {
            context.set_user(principal.user);
            context.lefts.take(app.limiter.count(&app.engine, Key::User(principal.user)).await)?;
            if let Credential::Token(id) = principal.credential {
                context.lefts.take(app.limiter.count(&app.engine, Key::Token(id)).await)?;
            }
        }
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let needs = scopes::needed(&parts.method, scopes::route(route));
        if let Needs::Scope(scope) = needs
            && !principal.scopes.contains(scope)
        {
            return Err(Problem::out_of_scope(scope.as_str()));
        }
        // What reads or runs is recorded elsewhere, and happens often.
        if !matches!(needs, Needs::Scope(Scope::Read | Scope::Run))
            && let Some(context) = context
        {
            principal.origin = context.origin();
        }
        Ok(Self(principal))
    }
}

/// A token where one is shown, else the session of a cookie; never a bit of
/// both.
async fn authenticate(parts: &Parts, app: &App) -> Result<Principal, Problem> {
    let headers = &parts.headers;
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(app.engine.authenticate(bearer(headers)?).await?);
    }
    let local = app.settings.without_token.as_ref();
    let local = local.filter(|_| cookie::is_own_page(headers) != Some(false));
    let Some(secret) = cookie::session(headers) else {
        return local.cloned().ok_or_else(|| Problem::unauthenticated(false));
    };
    let principal = match app.engine.authenticate_session(secret).await {
        Ok(principal) => principal,
        Err(engine::Error::Unauthenticated) => {
            return local.cloned().ok_or_else(Problem::session_ended);
        }
        Err(error) => return Err(error.into()),
    };
    if !parts.method.is_safe() {
        cookie::guard(headers, secret)?;
    }
    Ok(principal)
}

pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let value = sent.next().ok_or_else(|| Problem::unauthenticated(false))?;
    // Two such headers would let a proxy check one and us the other.
    if sent.next().is_some() {
        return Err(Problem::unauthenticated(true));
    }
    let text = value.to_str().map_err(|_| Problem::unauthenticated(true))?;
    let (scheme, secret) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthenticated(false));
    }
    match secret.trim() {
        "" => Err(Problem::unauthenticated(false)),
        secret if secret.len() > LONGEST_TOKEN => Err(Problem::unauthenticated(true)),
        secret => Ok(secret),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).ok().map(str::to_owned)
    }

    #[test]
    fn only_one_bearer_token_is_taken() {
        assert_eq!(of(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(of(&["bearer  abc "]).as_deref(), Some("abc"));
        for refused in
            [&[][..], &["Basic abc"], &["Bearer"], &["Bearer "], &["Bearer a", "Bearer b"]]
        {
            assert_eq!(of(refused), None, "{refused:?}");
        }
    }
}
