//! Who calls: the bearer token of a request, checked by the engine.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::permission::Principal;

use crate::app::App;
use crate::context::Context;
use crate::problem::Problem;

/// The longest token that is looked at; ours have 50 characters.
const LONGEST_TOKEN: usize = 4096;

/// The authenticated caller. A handler that takes one refuses all others.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let secret = bearer(&parts.headers)?;
        let principal = app.engine.authenticate(secret).await?;
        if let Some(context) = parts.extensions.get::<Arc<Context>>() {
            context.set_user(principal.user);
        }
        Ok(Self(principal))
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
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
