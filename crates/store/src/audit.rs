//! Who did what: rows that are written once and never changed.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use domain::permission::{Credential, Principal};
use domain::{AuditId, CompanyId, Timestamp, UserId};

use crate::{Cursor, Error, Page};

/// What is to be recorded. Methods that take one write it in the transaction
/// of the change, and only where something changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The company it belongs to, where it belongs to one.
    pub company: Option<CompanyId>,
    /// Who did it, where that is known.
    pub user: Option<UserId>,
    /// What the request showed.
    pub credential: Credential,
    /// What was done: `token.create`, `login` …
    pub action: &'static str,
    /// What it was done to, as people name it; never a secret.
    pub resource: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<Arc<str>>,
}

impl Entry {
    /// What `who` did in their own company.
    #[must_use]
    pub fn by(who: &Principal, action: &'static str, resource: impl Into<String>) -> Self {
        Self {
            company: Some(who.company),
            user: Some(who.user),
            credential: who.credential,
            action,
            resource: resource.into(),
            outcome: Outcome::Done,
            address: who.origin.address,
            request_id: who.origin.request_id.clone(),
        }
    }

    /// The same in another company, by a platform's admin.
    #[must_use]
    pub fn in_company(self, company: CompanyId) -> Self {
        Self { company: Some(company), ..self }
    }
}

/// How what was recorded ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

impl Outcome {
    /// The word in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its id, in the order of time.
    pub id: AuditId,
    /// The company it belongs to.
    pub company: Option<CompanyId>,
    /// Who did it.
    pub user: Option<UserId>,
    /// The user's name as it is now.
    pub user_name: Option<String>,
    /// What the request showed.
    pub credential: Credential,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub resource: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The caller's address.
    pub address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Which rows are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Those of this company; all of the platform's where absent.
    pub company: Option<CompanyId>,
    /// Those of this user.
    pub user: Option<UserId>,
    /// Those of this action, or of all that begin with it and a dot.
    pub action: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// The audit log.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Records what changes nothing else, such as a refused login.
    async fn record(&self, entry: Entry) -> Result<(), Error>;
    /// Rows, newest first.
    async fn audit(
        &self,
        filter: Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Record>, Error>;
}
