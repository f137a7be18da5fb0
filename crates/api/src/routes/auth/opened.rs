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

/// The pages of a form.
pub(crate) struct Form {
    /// Where it stands, and where a refusal leads back to.
    pub(crate) page: String,
    /// Where a success leads.
    pub(crate) next: String,
}

/// The answer to a login: the account for programs, and for a form the way on,
/// or back with the reason.
pub(crate) async fn answer(
    app: &App,
    headers: &HeaderMap,
    logged_in: Result<LoggedIn, Error>,
    form: Option<Form>,
) -> Result<Response, Problem> {
    match (logged_in.inspect_err(count_failure), form) {
        (Ok(logged_in), None) => program(app, headers, logged_in).await,
        (Ok(logged_in), Some(form)) => Ok(browser(app, headers, &logged_in, &form.next)),
        (Err(error), Some(form)) if let Some(reason) = reason(&error) => {
            Ok(see_other(&page(&form.page, reason, &form.next)))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// The path of a page with what it is to say.
pub(crate) fn page(path: &str, reason: &str, next: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in [("error", reason), ("next", next)] {
        if !value.is_empty() {
            query.append_pair(key, value);
        }
    }
    match query.finish().as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The account with a cookie, for programs.
async fn program(app: &App, headers: &HeaderMap, logged_in: LoggedIn) -> Result<Response, Problem> {
    let account = app.engine.account(&logged_in.principal).await?;
    let csrf = csrf_token(&logged_in.secret);
    let body = AccountBody::new(account, &logged_in.principal, Some(csrf));
    Ok(with_cookie(app, headers, &logged_in, json(StatusCode::OK, &body)))
}

/// A cookie and the way to where the browser came from.
fn browser(app: &App, headers: &HeaderMap, logged_in: &LoggedIn, next: &str) -> Response {
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
fn count_failure(error: &Error) {
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
