//! What a refusal or a broken connection means for who has to mend it.

use std::error::Error as StdError;
use std::io;

use http::StatusCode;

use super::Settings;
use super::http::Trouble;
use crate::{Error, Key};

/// An action on an object or folder, for messages.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) action: &'static str,
    pub(super) what: String,
    pub(super) key: Option<Key>,
}

impl Act {
    pub(super) fn on_key(action: &'static str, key: Key) -> Self {
        Self { action, what: key.to_string(), key: Some(key) }
    }

    pub(super) fn on(action: &'static str, what: impl ToString) -> Self {
        Self { action, what: what.to_string(), key: None }
    }

    /// The error of this action.
    pub(super) fn failed(&self, settings: &Settings, error: object_store::Error) -> Error {
        match trouble(&error) {
            Some(Trouble::Away(reason)) => {
                Error::Away { endpoint: settings.server(), reason: reason.clone() }
            }
            Some(Trouble::Untrusted(reason)) => {
                Error::Untrusted { endpoint: settings.server(), reason: reason.clone() }
            }
            Some(Trouble::Silent(silence)) => Error::Silent {
                endpoint: settings.server(),
                action: self.action,
                key: self.what.clone(),
                silence: *silence,
            },
            Some(Trouble::Refused { status, code, message }) => {
                self.refused(settings, *status, code, message)
            }
            Some(broken @ Trouble::Broken(_)) => self.backend(broken.to_string()),
            None => self.backend(error.to_string().chars().take(400).collect()),
        }
    }

    fn refused(&self, settings: &Settings, status: StatusCode, code: &str, said: &str) -> Error {
        let (bucket, endpoint) = (settings.bucket.clone(), settings.server());
        match (code, status) {
            ("NoSuchBucket", _) => Error::NoBucket { bucket, endpoint },
            (
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "NotSignedUp"
                | "InvalidToken"
                | "ExpiredToken",
                _,
            ) => Error::Keys { endpoint, code: code.to_owned() },
            ("RequestTimeTooSkewed", _) => Error::Skewed { endpoint },
            ("AuthorizationHeaderMalformed" | "PermanentRedirect", _) => {
                Error::Region { bucket, region: settings.region.clone(), said: said.to_owned() }
            }
            (_, status) if status.is_redirection() => {
                Error::Region { bucket, region: settings.region.clone(), said: said.to_owned() }
            }
            (_, StatusCode::NOT_FOUND) if self.key.is_some() => match self.key {
                Some(key) => Error::NotFound { key },
                None => self.backend(format!("the server answered {status}")),
            },
            (_, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED) => Error::Forbidden {
                action: self.action,
                key: self.what.clone(),
                bucket,
                code: if code.is_empty() { status.to_string() } else { code.to_owned() },
            },
            (_, StatusCode::PRECONDITION_FAILED) => self.backend(CHANGED.to_owned()),
            (_, StatusCode::INSUFFICIENT_STORAGE) => Error::DiskFull { key: self.what.clone() },
            _ => self
                .backend(format!("the server answered {status} {code} {said}").trim().to_owned()),
        }
    }

    pub(super) fn backend(&self, reason: String) -> Error {
        Error::Backend {
            action: self.action,
            key: self.what.clone(),
            reason: io::Error::other(reason),
        }
    }
}

/// Said where an object is no longer the one that was begun.
pub(super) const CHANGED: &str = "it was written anew in the meantime; try again";

/// The server's answer, where the error has one.
pub(super) fn refusal(error: &object_store::Error) -> Option<(StatusCode, &str)> {
    match trouble(error)? {
        Trouble::Refused { status, code, .. } => Some((*status, code)),
        _ => None,
    }
}

fn trouble(error: &object_store::Error) -> Option<&Trouble> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(trouble) = error.downcast_ref::<Trouble>() {
            return Some(trouble);
        }
        next = error.source();
    }
    None
}
