//! Who watches: a caller whose stream outlives the request's own check.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::permission::{Credential, Principal};

use super::Caller;
use crate::app::App;
use crate::cookie;
use crate::problem::Problem;

/// A caller, and what it showed, to be looked at again now and then.
pub(crate) struct Watcher {
    pub(crate) who: Principal,
    secret: String,
}

impl FromRequestParts<App> for Watcher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Caller(who) = Caller::from_request_parts(parts, app).await?;
        let secret = match who.credential {
            Credential::Nothing => "",
            Credential::Token(_) => super::caller::bearer(&parts.headers)?,
            Credential::Session(_) => cookie::session(&parts.headers).unwrap_or_default(),
        };
        let secret = secret.to_owned();
        Ok(Self { who, secret })
    }
}

impl Watcher {
    /// Whether the token or session is still good for what it was. Where the
    /// database doesn't answer, nobody is cut off for it.
    pub(crate) async fn may_still(&self, app: &App) -> bool {
        let still = app.engine.is_still(&self.who, &self.secret).await;
        still.unwrap_or_else(|error| {
            tracing::warn!(%error, "who watches could not be checked again");
            true
        })
    }
}
