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
        let principal = match &app.settings.without_token {
            Some(principal) if is_local(&parts.headers) => principal.clone(),
            _ => app.engine.authenticate(bearer(&parts.headers)?).await?,
        };
        if let Some(context) = parts.extensions.get::<Arc<Context>>() {
            context.set_user(principal.user);
        }
        Ok(Self(principal))
    }
}

/// Whether the request shows no token and comes from no other site's page: a
/// page that a developer happens to read must not act through their browser.
fn is_local(headers: &HeaderMap) -> bool {
    if headers.contains_key(header::AUTHORIZATION) {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let (Ok(origin), Some(Ok(host))) =
        (origin.to_str(), headers.get(header::HOST).map(|host| host.to_str()))
    else {
        return false;
    };
    origin.split_once("://").is_some_and(|(_, own)| own.eq_ignore_ascii_case(host))
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
    fn a_page_of_another_site_is_not_local() {
        let of = |sent: &[(header::HeaderName, &'static str)]| {
            let values =
                sent.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            is_local(&values.collect())
        };
        let host = (header::HOST, "127.0.0.1:8000");
        assert!(of(&[]));
        assert!(of(&[host.clone(), (header::ORIGIN, "http://127.0.0.1:8000")]));
        assert!(!of(&[host.clone(), (header::ORIGIN, "http://evil.example")]));
        assert!(!of(&[host.clone(), (header::ORIGIN, "null")]));
        assert!(!of(&[host, (header::AUTHORIZATION, "Bearer x")]));
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
