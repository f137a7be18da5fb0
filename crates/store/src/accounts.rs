//! Companies, their members and personal tokens.

use async_trait::async_trait;
use domain::permission::{Role, Scopes};
use domain::{CompanyId, Digest, Timestamp, TokenId, UserId};

use crate::audit::Entry;
use crate::{Cursor, Error, Page};

/// A company (tenant).
#[derive(Clone, Debug, PartialEq)]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// Its name, unique on the platform, 1–63 of `[a-z0-9-]`.
    pub name: String,
    /// Its share of the workers relative to the others; 1 by default.
    pub weight: f64,
    /// Tasks it may run at once; no bound of its own where absent.
    pub max_running: Option<u32>,
    /// Tasks it may have waiting; no bound of its own where absent.
    pub max_queued: Option<u32>,
    /// What it may use of the platform.
    pub budget: Budget,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What a company may use; no bound of its own where absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Tasks that it may have accepted in a day, from midnight in UTC.
    pub tasks_per_day: Option<u64>,
    /// CPU seconds after which a day's further tasks are refused.
    pub cpu_s_per_day: Option<f64>,
    /// Bytes of files, artifacts and large results that it may keep.
    pub storage_bytes: Option<u64>,
}

/// What a company has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Tasks accepted since midnight.
    pub tasks: u64,
    /// CPU time of the tasks that ended since midnight, in milliseconds.
    pub cpu_ms: f64,
    /// Bytes of files, artifacts and large results that it keeps.
    pub bytes: u64,
}

/// Whether somebody who belongs to other companies alone may be made a member
/// without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drafting {
    /// They are invited, and agree.
    Refused,
    /// The operator's own doing: at the founding, and where a token was lost.
    Allowed,
}

/// A member of a company.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The user.
    pub user: UserId,
    /// The user's name, unique on the platform.
    pub name: String,
    /// What the user may do in this company.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
}

/// A personal token, without its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// The company it acts for.
    pub company: CompanyId,
    /// Whose it is.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the secret; the secret itself is stored nowhere.
    pub secret_sha256: Digest,
    /// The beginning of the secret, by which its owner recognises it; absent
    /// from tokens made before it was kept.
    pub prefix: Option<String>,
    /// What it lets through of its owner's role.
    pub scopes: Scopes,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// What a valid token stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Authenticated {
    /// The token.
    pub token: Token,
    /// The name of its company.
    pub company_name: String,
    /// Its user's role there, as of now.
    pub role: Role,
}

/// Companies, members and tokens. What changes something takes what the audit
/// log is to say of it; the platform's own founding says nothing.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Creates a company. `NameTaken` where the name is.
    async fn create_company(&self, company: Company, entry: Option<Entry>) -> Result<(), Error>;
    /// One company.
    async fn company(&self, id: CompanyId) -> Result<Option<Company>, Error>;
    /// Stores a company with its first administrator, whose name must not be
    /// that of somebody who belongs to other companies; answers the
    /// administrator's id.
    async fn create_company_of(
        &self,
        company: Company,
        admin: &str,
        entry: Entry,
        of_admin: Entry,
    ) -> Result<UserId, Error>;
    /// One company by its name.
    async fn company_named(&self, name: &str) -> Result<Option<Company>, Error>;
    /// All companies, for platform admins.
    async fn companies(&self, after: Option<Cursor>, limit: u32) -> Result<Page<Company>, Error>;
    /// Sets weight and bounds; `false` where there is no such company.
    async fn set_company_quotas(
        &self,
        id: CompanyId,
        weight: f64,
        max_running: Option<u32>,
        max_queued: Option<u32>,
        budget: Budget,
        entry: Option<Entry>,
    ) -> Result<bool, Error>;
    /// What a company has used since the instant `since`.
    async fn used(&self, company: CompanyId, since: Timestamp) -> Result<Used, Error>;
    /// Adds a user (created where the name is new) to a company, or changes
    /// the role of one that is there, which ends its sessions and the open
    /// invitations of its name there. Answers the user's id.
    ///
    /// Where the caller is not `drafting`, the name of somebody who belongs to
    /// other companies alone is [`Error::NameTaken`].
    async fn put_member(
        &self,
        company: CompanyId,
        name: &str,
        role: Role,
        drafting: Drafting,
        entry: Option<Entry>,
    ) -> Result<UserId, Error>;
    /// The members of a company.
    async fn members(&self, company: CompanyId) -> Result<Vec<Member>, Error>;
    /// Takes a user out of a company, revokes the tokens it had there and ends
    /// its sessions there.
    async fn remove_member(
        &self,
        company: CompanyId,
        user: UserId,
        entry: Option<Entry>,
    ) -> Result<bool, Error>;
    /// Stores a token.
    async fn create_token(&self, token: Token, entry: Option<Entry>) -> Result<(), Error>;
    /// The tokens of a user in a company, newest first.
    async fn tokens(&self, company: CompanyId, user: UserId) -> Result<Vec<Token>, Error>;
    /// Revokes a token; `false` where there is none such that is valid.
    async fn revoke_token(
        &self,
        company: CompanyId,
        id: TokenId,
        entry: Option<Entry>,
    ) -> Result<bool, Error>;
    /// Remembers that a token is used now.
    async fn touch_token(&self, company: CompanyId, id: TokenId) -> Result<(), Error>;
    /// What a secret's hash stands for now; `None` for unknown, revoked or
    /// expired tokens, and for users that are no longer members.
    async fn authenticate(&self, secret_sha256: Digest) -> Result<Option<Authenticated>, Error>;
}
