//! What every page has around its text.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use domain::Lang;
use maud::{DOCTYPE, Markup, html};

const STYLE: &str = include_str!("style.css");
/// Where the pages find their style.
const STYLE_PATH: &str = "/docs/style.css";

/// Whether the caller is a browser that asks for a page.
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

/// `GET /docs/style.css`.
pub(crate) async fn style() -> Response {
    let media = HeaderValue::from_static("text/css; charset=utf-8");
    let cache = HeaderValue::from_static("public, max-age=3600");
    ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, cache)], STYLE).into_response()
}

/// The one of two words that a reader of `lang` understands.
pub(crate) fn say(lang: Lang, en: &'static str, fr: &'static str) -> &'static str {
    match lang {
        Lang::En => en,
        Lang::Fr => fr,
    }
}

/// A page of the documentation: a bar above, which also leads to the same
/// page in the other language, and `body`.
pub(crate) fn documentation(title: &str, lang: Lang, body: &Markup) -> Bytes {
    let (other, name) = match lang {
        Lang::En => (Lang::Fr, "Français"),
        Lang::Fr => (Lang::En, "English"),
    };
    let here = format!("/docs?lang={}", lang.tag());
    page(
        title,
        lang,
        &html! {
            header {
                a.brand href=(here) { "MecaPy" span { "API" } }
                nav {
                    a href={ (here) "#problems" } { (say(lang, "Problems", "Problèmes")) }
                    a href={ "/openapi.json?lang=" (lang.tag()) } { "OpenAPI" }
                    a href={ "?lang=" (other.tag()) } lang=(other.tag()) hreflang=(other.tag()) { (name) }
                }
            }
            (body)
        },
    )
}

/// A whole page.
pub(crate) fn page(title: &str, lang: Lang, body: &Markup) -> Bytes {
    let page = html! {
        (DOCTYPE)
        html lang=(lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body { (body) }
        }
    };
    page.into_string().into()
}

/// A page as an answer. Nothing in it may run, and its style is our own.
pub(crate) fn answer(page: Bytes, lang: Lang) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
        (header::CONTENT_LANGUAGE, lang.tag()),
        (header::VARY, "Accept-Language"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, Body::from(page)).into_response()
}
