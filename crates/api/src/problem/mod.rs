//! What a refused request is answered with: `application/problem+json` by
//! RFC 9457, in the caller's language.

pub(crate) mod bare;
pub(crate) mod body;
pub mod code;
mod from_engine;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Response, header};
use axum::response::IntoResponse;
use domain::testing::Report;
use domain::{DeploymentId, Fault, Text, Timestamp};

pub use code::Code;
pub(crate) use from_engine::counted;

/// The most bytes of a path with its query.
pub(crate) const LONGEST_URI: usize = 64_000;

/// A refusal. It becomes an answer without a body, and the outermost layer
/// writes the body: only there are the request's id, path and language known.
#[derive(Clone, Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    code: Code,
    detail: Text,
    faults: Vec<Fault>,
    deployment: Option<DeploymentId>,
    tests: Option<Report>,
    quota: Option<Quota>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A quota that is used up.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    pub(crate) name: &'static str,
    pub(crate) limit: f64,
    pub(crate) used: f64,
    pub(crate) resets_at: Option<Timestamp>,
}

impl Problem {
    /// A problem whose detail says what was expected, what was found and
    /// what to do.
    pub(crate) fn new(code: Code, detail: Text) -> Self {
        Self(Box::new(Parts {
            code,
            detail,
            faults: Vec::new(),
            deployment: None,
            tests: None,
            quota: None,
            headers: Vec::new(),
        }))
    }

    /// What there is to say where no such thing exists, or where it is
    /// another company's: the same words, so that nobody learns which.
    pub(crate) fn not_found() -> Self {
        Self::new(
            Code::NotFound,
            Text::new(
                "Nothing with this name or id exists in your company.",
                "Rien ne porte ce nom ou cet identifiant dans votre entreprise.",
            ),
        )
    }

    /// A path with a query that no route needs.
    pub(crate) fn uri_too_long() -> Self {
        Self::new(
            Code::UriTooLong,
            Text::new(
                format!(
                    "A path with its query may have {LONGEST_URI} bytes. Ask for less at once."
                ),
                format!(
                    "Un chemin et sa requête peuvent avoir {LONGEST_URI} octets. Demandez moins à la fois."
                ),
            ),
        )
    }

    /// What the caller's role does not allow.
    pub(crate) fn forbidden(needed: Text) -> Self {
        Self::new(Code::Forbidden, needed)
    }

    /// What the platform broke; the reason goes to the log, not to the caller.
    pub(crate) fn internal() -> Self {
        Self::new(
            Code::Internal,
            Text::new(
                "Something went wrong on our side. Try again; if it persists, give the \
                 operator the request_id of this answer.",
                "Une erreur s'est produite de notre côté. Réessayez ; si elle persiste, donnez \
                 à l'exploitant le request_id de cette réponse.",
            ),
        )
    }

    /// The code.
    #[cfg(test)]
    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// What is wrong, place by place.
    #[cfg(test)]
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// Adds what is wrong, place by place.
    pub(crate) fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.0.faults = faults;
        self
    }

    /// Names the deployment that was refused.
    pub(crate) fn of_deployment(mut self, id: DeploymentId) -> Self {
        self.0.deployment = Some(id);
        self
    }

    /// Adds what came of the archive's tests.
    pub(crate) fn with_tests(mut self, tests: Option<Report>) -> Self {
        self.0.tests = tests;
        self
    }

    /// Names the quota that is used up.
    pub(crate) fn of_quota(mut self, quota: Quota) -> Self {
        self.0.quota = Some(quota);
        self
    }

    /// Says after how long another try makes sense, in whole seconds from 1.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Adds a header to the answer.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = self.0.code.status();
        for (name, value) in &self.0.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
