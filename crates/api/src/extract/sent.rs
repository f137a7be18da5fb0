//! What a login page or a program sends to log in: a form or JSON, both
//! small, as anybody may send it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};

use super::body::{self, Bounds};
use super::json::JsonBody;
use super::upload::media_type;
use crate::app::App;
use crate::cookie;
use crate::problem::Problem;

/// The largest body; a password has 256 characters.
const LARGEST: u64 = 16 << 10;

/// The body of a login.
pub(crate) enum Sent {
    /// A browser's form.
    Form(Form),
    /// A program's JSON.
    Json(JsonBody),
}

/// The fields of a form.
pub(crate) struct Form(Vec<(String, String)>);

impl FromRequest<App> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let form = media_type(&parts.headers) == "application/x-www-form-urlencoded";
        match form {
            true => cookie::own_form(&parts.headers)?,
            false => cookie::same_site(&parts.headers)?,
        }
        let pause = app.settings.body_pause;
        let bounds = Bounds { what: "body", limit: LARGEST, pause };
        let bytes: Bytes = body::read(&parts.headers, body, bounds).await?;
        if form {
            let fields = form_urlencoded::parse(&bytes);
            return Ok(Self::Form(Form(fields.into_owned().collect())));
        }
        JsonBody::of(&parts.headers, bytes).map(Self::Json)
    }
}

impl Form {
    /// A field's text; empty where it is missing.
    pub(crate) fn take(&mut self, name: &str) -> String {
        let found = self.0.iter_mut().find(|(own, _)| own == name);
        found.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
    }
}
