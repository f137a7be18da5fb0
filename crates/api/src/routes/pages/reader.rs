//! The language that a reader of a page chose.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::Lang;

use crate::app::App;
use crate::context::Context;

/// By `?lang=`, as the pages' own links do, else by the browser's languages.
pub(crate) struct Reader(pub(crate) Lang);

impl FromRequestParts<App> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let chosen = form_urlencoded::parse(query)
            .find_map(|(name, value)| (name == "lang").then(|| Lang::negotiate(&value)));
        let by_browser = || parts.extensions.get::<Arc<Context>>().map(|context| context.lang);
        Ok(Self(chosen.or_else(by_browser).unwrap_or_default()))
    }
}
