//! `Idempotency-Key`: the same request sent twice is done once and answered
//! twice.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::permission::Principal;
use domain::{Digest, Text};
use engine::store::idempotency::{Key, Reservation};
use serde::Serialize;
use sha2::Digest as _;

use crate::app::App;
use crate::problem::{Code, Problem};

/// The header that carries the key.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// When to ask again while the first request is still being answered.
const IN_PROGRESS: std::time::Duration = std::time::Duration::from_secs(1);

/// The key of a request, where it has one, and what the request was for.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    key: Option<String>,
    route: String,
}

impl FromRequestParts<App> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let key = match parts.headers.get(HEADER).map(HeaderValue::to_str) {
            None => None,
            Some(Ok(key)) if is_key(key) => Some(key.to_owned()),
            Some(_) => {
                return Err(Problem::new(
                    Code::InvalidHeader,
                    Text::new(
                        "Idempotency-Key: expected 1 to 255 visible ASCII characters.",
                        "Idempotency-Key : attendu 1 à 255 caractères ASCII visibles.",
                    ),
                ));
            }
        };
        let path = parts.uri.path();
        let route = format!("{} {}", parts.method, path.strip_prefix("/api").unwrap_or(path));
        Ok(Self { key, route })
    }
}

fn is_key(key: &str) -> bool {
    (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Once {
    /// Whether the request carries a key.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }
}

/// An answer that can be kept and given again.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Path of what was made; empty for none.
    pub(crate) location: String,
    pub(crate) body: Bytes,
    /// What is kept in place of `body`, where that holds a secret.
    kept: Option<Bytes>,
    replayed: bool,
}

impl Answer {
    /// A JSON answer about something that was made at `location`.
    pub(crate) fn new<T: Serialize>(
        status: StatusCode,
        location: String,
        value: &T,
    ) -> Result<Self, Problem> {
        Ok(Self { status, location, body: bytes(value)?, kept: None, replayed: false })
    }

    /// Keeps `value` for later in place of the answer itself: a secret is
    /// shown once and stored nowhere.
    pub(crate) fn keeping<T: Serialize>(mut self, value: &T) -> Result<Self, Problem> {
        self.kept = Some(bytes(value)?);
        Ok(self)
    }

    /// What is stored: the location on a line of its own, then the body.
    fn to_stored(&self) -> Vec<u8> {
        let body = self.kept.as_ref().unwrap_or(&self.body);
        [self.location.as_bytes(), b"\n", body].concat()
    }

    fn from_stored(status: u16, stored: Vec<u8>) -> Option<Self> {
        let end = stored.iter().position(|byte| *byte == b'\n')?;
        Some(Self {
            status: StatusCode::from_u16(status).ok()?,
            location: String::from_utf8(stored[..end].to_vec()).ok()?,
            body: Bytes::from(stored).slice(end + 1..),
            kept: None,
            replayed: true,
        })
    }
}

fn bytes<T: Serialize>(value: &T) -> Result<Bytes, Problem> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        Problem::internal()
    })
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(location) = HeaderValue::from_str(&self.location)
            && !location.is_empty()
        {
            headers.insert(header::LOCATION, location);
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// What is to be done with a request.
pub(crate) enum Turn {
    /// It carries no key.
    Unkeyed,
    /// Its key is reserved: it has to be done, and its answer kept.
    Reserved(Key),
    /// It was done before.
    Done(Answer),
}

impl App {
    /// Does the request unless it was done before.
    pub(crate) async fn once(
        &self,
        who: &Principal,
        once: Once,
        body: &[u8],
        work: impl Future<Output = Result<Answer, Problem>> + Send + 'static,
    ) -> Result<Answer, Problem> {
        match self.turn(who, once, body).await? {
            Turn::Done(answer) => Ok(answer),
            turn => self.take(who, turn, work).await,
        }
    }

    /// Finds out whether the request was done before. `body` is what tells
    /// two requests to one route apart.
    pub(crate) async fn turn(
        &self,
        who: &Principal,
        once: Once,
        body: &[u8],
    ) -> Result<Turn, Problem> {
        let Some(key) = once.key else { return Ok(Turn::Unkeyed) };
        let mut hash = sha2::Sha256::new();
        hash.update(once.route.as_bytes());
        hash.update([0]);
        hash.update(body);
        let key = Key { user: who.user, key, request: Digest(hash.finalize().into()) };
        match self.engine.begin(who, key.clone()).await? {
            Reservation::New => Ok(Turn::Reserved(key)),
            Reservation::Answered { status, body } => {
                Answer::from_stored(status, body).map(Turn::Done).ok_or_else(|| {
                    tracing::error!("an answer kept under an idempotency key is unreadable");
                    Problem::internal()
                })
            }
            Reservation::InProgress => Err(Problem::new(
                Code::IdempotencyInProgress,
                Text::new(
                    "The first request with this key is still being answered. Ask again soon.",
                    "La première requête portant cette clé est en cours. Redemandez bientôt.",
                ),
            )
            .retry_after(IN_PROGRESS)),
            Reservation::Mismatch => Err(key_reused()),
        }
    }

    /// Does the request. With a key it goes on where the caller goes away:
    /// else its effect could stand without an answer under the key.
    pub(crate) async fn take(
        &self,
        who: &Principal,
        turn: Turn,
        work: impl Future<Output = Result<Answer, Problem>> + Send + 'static,
    ) -> Result<Answer, Problem> {
        let Turn::Reserved(key) = turn else { return work.await };
        let (engine, who) = (self.engine.clone(), who.clone());
        let job = self.jobs.spawn(async move {
            let answer = work.await;
            let kept = match &answer {
                Ok(answer) => {
                    let status = answer.status.as_u16();
                    engine.answered(&who, key, status, answer.to_stored()).await
                }
                Err(_) => engine.released(&who, key).await,
            };
            if let Err(error) = kept {
                tracing::error!(%error, "an idempotency key could not be settled");
            }
            answer
        });
        job.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request with an idempotency key did not end");
            Err(Problem::internal())
        })
    }
}

/// The key stands for another request already.
pub(crate) fn key_reused() -> Problem {
    Problem::new(
        Code::IdempotencyKeyReused,
        Text::new(
            "This key was sent with another request. Use a new key for each new request.",
            "Cette clé a été envoyée avec une autre requête. Utilisez une clé par requête.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_given_again_without_the_secret() {
        let answer = Answer::new(StatusCode::CREATED, "/tokens/1".to_owned(), &"secret")
            .and_then(|answer| answer.keeping(&"shown once"))
            .unwrap();
        assert_eq!(answer.body, "\"secret\"");
        let again = Answer::from_stored(201, answer.to_stored()).unwrap();
        assert_eq!(again.status, StatusCode::CREATED);
        assert_eq!(again.location, "/tokens/1");
        assert_eq!(again.body, "\"shown once\"");
        assert!(again.replayed);
    }
}
