//! The answer to somebody who logged in, or who did not.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use engine::Error;
use engine::access::csrf_token;
use engine::logins::LoggedIn;

use super::me::AccountBody;
use crate::answer::json;
use crate::app::App;
use crate::cookie;
use crate::problem::Problem;

/// The account with a cookie, for programs.
pub(crate) async fn program(
    app: &App,
    headers: &HeaderMap,
    logged_in: LoggedIn,
) -> Result<Response, Problem> {
    let account = app.engine.account(&logged_in.principal).await?;
    let csrf = csrf_token(&logged_in.secret);
    let body = AccountBody::new(account, &logged_in.principal, Some(csrf));
    Ok(with_cookie(app, headers, &logged_in, json(StatusCode::OK, &body)))
}

/// A cookie and the way to where the browser came from.
pub(crate) fn browser(
    app: &App,
    headers: &HeaderMap,
    logged_in: &LoggedIn,
    next: &str,
) -> Response {
    with_cookie(app, headers, logged_in, see_other(local(next)))
}

fn with_cookie(
    app: &App,
    headers: &HeaderMap,
    logged_in: &LoggedIn,
    mut response: Response,
) -> Response {
    let lasts = logged_in.expires_at.since(app.engine.clock().now());
    let cookie = cookie::set(headers, &logged_in.secret, lasts);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Counts a login that failed, by what it failed at.
pub(crate) fn count_failure(error: &Error) {
    let reason = match error {
        Error::WrongLogin => "credentials",
        Error::TooManyLogins { .. } => "delayed",
        Error::LoginsBusy { .. } => "busy",
        Error::NoCompany => "company",
        Error::InvitationGone => "invitation",
        _ => return,
    };
    metrics::counter!("mecapy_logins_failed_total", "reason" => reason).increment(1);
}

/// What a page says of a login that failed; `None` for what broke here.
pub(crate) fn reason(error: &Error) -> Option<&'static str> {
    match error {
        Error::WrongLogin => Some("credentials"),
        Error::TooManyLogins { .. } | Error::LoginsBusy { .. } => Some("wait"),
        Error::NoCompany => Some("company"),
        Error::InvitationGone => Some("invitation"),
        Error::NameTaken { .. } => Some("taken"),
        Error::Invalid(_) => Some("password"),
        _ => None,
    }
}

/// Sends a browser to a page of this site.
pub(crate) fn see_other(path: &str) -> Response {
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

/// A path of this very site; the first page for anything else. Two slashes,
/// or a slash and a backslash, would name another host.
pub(crate) fn local(path: &str) -> &str {
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if plain && path.starts_with('/') && !path.starts_with("//") { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_no_other_site() {
        for path in ["/", "/app/tasks?status=failed#x", "/docs"] {
            assert_eq!(local(path), path);
        }
        for path in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb"] {
            assert_eq!(local(path), "/", "{path:?}");
        }
    }
}
