//! The session's cookie, and what guards it against other sites' pages.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use domain::Text;
use engine::access::csrf_token;

use crate::problem::{Code, Problem};

/// The name where the cookie is bound to this host and to TLS.
const BOUND: &str = "__Host-mecapy";
/// The name on a developer's machine, without TLS.
const PLAIN: &str = "mecapy";
/// The header in which a page proves that it may read this site.
pub(crate) const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
/// What a browser says of where a request comes from; no page can forge it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The secret of the session's cookie, where the request has one.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    let found = named(headers, BOUND);
    // The plain one counts only where it is made: another site of the same
    // domain could set it, too.
    found.or_else(|| is_plain(headers).then(|| named(headers, PLAIN)).flatten())
}

fn named<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(own, secret)| *own == name && (1..=128).contains(&secret.len()))
        .map(|(_, secret)| secret)
}

/// The header that gives a browser its session.
pub(crate) fn set(headers: &HeaderMap, secret: &str, lasts: Duration) -> HeaderValue {
    written(headers, secret, lasts.as_secs())
}

/// The header that takes it away.
pub(crate) fn clear(headers: &HeaderMap) -> HeaderValue {
    written(headers, "", 0)
}

fn written(headers: &HeaderMap, secret: &str, lasts_s: u64) -> HeaderValue {
    let (name, secure) = if is_plain(headers) { (PLAIN, "") } else { (BOUND, "; Secure") };
    let text =
        format!("{name}={secret}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("base64url makes a header value")
}

/// Whether the browser talks to its own machine without TLS. A proxy on the
/// same machine may say that its side is encrypted, or show it by the page's
/// origin.
fn is_plain(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let loopback = text(&header::HOST).is_some_and(is_loopback);
    let encrypted = text(&FORWARDED_PROTO).is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
        || text(&header::ORIGIN).is_some_and(|origin| origin.starts_with("https:"));
    loopback && !encrypted
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Lets through what a page of this site sends under a session: it knows the
/// session's token, and the browser says nothing against it.
pub(crate) fn guard(headers: &HeaderMap, secret: &str) -> Result<(), Problem> {
    let shown = headers.get(CSRF).map(HeaderValue::as_bytes).unwrap_or_default();
    // The token is a hash that only the holder of the cookie can compute: how
    // long a comparison takes leads to nothing.
    if shown != csrf_token(secret).as_bytes() {
        return Err(refused(&Text::new(
            "The header X-CSRF-Token must hold the `csrf_token` of GET /auth/me",
            "L'en-tête X-CSRF-Token doit contenir le `csrf_token` de GET /auth/me",
        )));
    }
    same_site(headers)
}

/// Refuses what a browser says comes from another site's page.
pub(crate) fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    if is_own_page(headers) == Some(false) {
        return Err(refused(&other_site()));
    }
    Ok(())
}

/// Refuses a form unless a browser says that it is one of our own: a form
/// needs no script, and so no permission, to be sent from anywhere.
pub(crate) fn own_form(headers: &HeaderMap) -> Result<(), Problem> {
    if is_own_page(headers) == Some(true) { Ok(()) } else { Err(refused(&other_site())) }
}

fn other_site() -> Text {
    Text::new(
        "The request comes from another site's page, or its proxy changes the header Host",
        "La requête vient de la page d'un autre site, ou son mandataire change l'en-tête Host",
    )
}

/// Whether a page of this very site sent the request; `None` where nothing
/// says so, as of programs.
pub(crate) fn is_own_page(headers: &HeaderMap) -> Option<bool> {
    if let Some(site) = headers.get(FETCH_SITE) {
        return Some(["same-origin", "none"].iter().any(|own| site == own));
    }
    let origin = headers.get(header::ORIGIN)?.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok())?;
    Some(origin.split_once("://").is_some_and(|(_, own)| own.eq_ignore_ascii_case(host)))
}

fn refused(why: &Text) -> Problem {
    Problem::new(Code::CsrfFailed, Text::new(format!("{}.", why.en), format!("{}.", why.fr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_cookie_is_bound_to_the_host_and_to_tls_but_on_ones_own_machine() {
        let cookie = |pairs: &[_]| {
            let value = set(&headers(pairs), "s3cret", Duration::from_secs(60));
            value.to_str().unwrap().to_owned()
        };
        let bound = "__Host-mecapy=s3cret; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        let plain = "mecapy=s3cret; Path=/; Max-Age=60; HttpOnly; SameSite=Lax";
        assert_eq!(cookie(&[("host", "calc.example.com")]), bound);
        assert_eq!(cookie(&[("host", "192.168.1.5:8000")]), bound);
        assert_eq!(cookie(&[("host", "127.0.0.1.evil.example")]), bound);
        assert_eq!(cookie(&[]), bound);
        for host in ["127.0.0.1:8000", "localhost", "[::1]:8000"] {
            assert_eq!(cookie(&[("host", host)]), plain, "{host}");
            assert_eq!(cookie(&[("host", host), ("x-forwarded-proto", "https")]), bound);
            assert_eq!(cookie(&[("host", host), ("origin", "https://calc.example.com")]), bound);
        }
    }

    #[test]
    fn the_plain_cookie_counts_nowhere_but_on_ones_own_machine() {
        let far = ("host", "calc.example.com");
        let near = ("host", "127.0.0.1:8000");
        assert_eq!(session(&headers(&[far, ("cookie", "a=1; __Host-mecapy=x")])), Some("x"));
        assert_eq!(session(&headers(&[far, ("cookie", "mecapy=x")])), None);
        assert_eq!(session(&headers(&[near, ("cookie", "mecapy=x")])), Some("x"));
        assert_eq!(session(&headers(&[near, ("cookie", "mecapy=; mecapyx=y")])), None);
    }

    #[test]
    fn a_page_of_another_site_is_refused_whatever_it_knows() {
        let token = csrf_token("s");
        let guarded = |pairs: &[_]| {
            let mut headers = headers(pairs);
            headers.insert(CSRF, HeaderValue::from_str(&token).unwrap());
            guard(&headers, "s").is_ok()
        };
        let host = ("host", "calc.example.com");
        assert!(guarded(&[host]), "a program");
        assert!(guarded(&[host, ("origin", "https://calc.example.com")]));
        assert!(guarded(&[host, ("sec-fetch-site", "same-origin"), ("origin", "https://p.x")]));
        assert!(!guarded(&[host, ("origin", "https://evil.example")]));
        assert!(!guarded(&[host, ("origin", "null")]));
        assert!(!guarded(&[host, ("sec-fetch-site", "same-site")]));
        assert!(!guarded(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(guard(&headers(&[host]), "s").is_err(), "without the token");
    }
}
