//! Users who log in with a password, and their sessions.

use std::net::IpAddr;

use async_trait::async_trait;
use domain::permission::Role;
use domain::{CompanyId, Digest, SessionId, Timestamp, UserId};

use crate::Error;
use crate::audit::Entry;

/// A user as a login finds it.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its name, unique on the platform.
    pub name: String,
    /// Where mail reaches it.
    pub email: Option<String>,
    /// The hash of its password as a PHC string; `None` logs in with tokens
    /// alone.
    pub password: Option<String>,
}

/// A company that a user belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    /// The company.
    pub company: CompanyId,
    /// Its name.
    pub company_name: String,
    /// The user's role there.
    pub role: Role,
}

/// A browser that is logged in, without its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// SHA-256 of the secret in its cookie.
    pub secret_sha256: Digest,
    /// Whose it is.
    pub user: UserId,
    /// The company it acts for now.
    pub company: CompanyId,
    /// Where it was made from.
    pub address: Option<IpAddr>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the minute.
    pub seen_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

/// What a session stands for now.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The company it acts for.
    pub company: CompanyId,
    /// That company's name.
    pub company_name: String,
    /// The user's role there, as of now.
    pub role: Role,
    /// When it was used last, to the minute.
    pub seen_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

/// Passwords and sessions.
#[async_trait]
pub trait Logins: Send + Sync {
    /// A user by its name.
    async fn user_named(&self, name: &str) -> Result<Option<User>, Error>;
    /// A user by its id.
    async fn user(&self, id: UserId) -> Result<Option<User>, Error>;
    /// The companies that a user belongs to, by name.
    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>, Error>;
    /// The company that a user's last session acted for, where it is still a
    /// member there.
    async fn last_company(&self, user: UserId) -> Result<Option<CompanyId>, Error>;
    /// Sets a password and ends the user's sessions but `kept`. `was` is the
    /// hash that the caller knew; `false` where it has changed since.
    async fn set_password(
        &self,
        user: UserId,
        was: Option<String>,
        hash: String,
        kept: Option<SessionId>,
        entry: Entry,
    ) -> Result<bool, Error>;
    /// Stores a session, and ends the one whose cookie the browser had.
    async fn create_session(
        &self,
        session: Session,
        replaced: Option<Digest>,
        entry: Entry,
    ) -> Result<(), Error>;
    /// What a secret's hash stands for now; `None` for unknown, ended or
    /// expired sessions, and for users that are no longer members. `idle` is
    /// how long a session may be unused.
    async fn session(
        &self,
        secret_sha256: Digest,
        idle: std::time::Duration,
    ) -> Result<Option<Open>, Error>;
    /// Remembers that a session is used now.
    async fn touch_session(&self, id: SessionId) -> Result<(), Error>;
    /// Has a session act for another of its user's companies; `false` where
    /// the user is no member there.
    async fn move_session(
        &self,
        id: SessionId,
        company: CompanyId,
        entry: Entry,
    ) -> Result<bool, Error>;
    /// Ends a session; `false` where it has ended.
    async fn end_session(&self, id: SessionId, entry: Entry) -> Result<bool, Error>;
}
