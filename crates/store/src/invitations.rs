//! Invitations into a company: single-use links that set a password.

use async_trait::async_trait;
use domain::permission::Role;
use domain::{CompanyId, Digest, InvitationId, Timestamp, UserId};

use crate::Error;
use crate::audit::Entry;

/// An invitation, without its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The company it leads into.
    pub company: CompanyId,
    /// SHA-256 of the secret in its link.
    pub secret_sha256: Digest,
    /// The user's name.
    pub name: String,
    /// Where mail reaches the user.
    pub email: Option<String>,
    /// The role of one who is no member yet.
    pub role: Role,
    /// Who invites.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// An invitation that can be accepted now, and whom it would meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The invitation.
    pub invitation: Invitation,
    /// The company's name.
    pub company_name: String,
    /// The user who has its name already, and whether that one is or was a
    /// member of any other company.
    pub user: Option<(crate::logins::User, bool)>,
}

/// What came of a change to open invitations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was done.
    Done,
    /// There is none such that is open.
    Missing,
    /// The open one leads to this role, above what the caller may give;
    /// nothing was changed.
    Above(Role),
}

/// Invitations.
#[async_trait]
pub trait Invitations: Send + Sync {
    /// Stores an invitation; open ones of the same name in that company are
    /// revoked, unless one leads to a role above `most`.
    async fn invite(
        &self,
        invitation: Invitation,
        most: Role,
        entry: Entry,
    ) -> Result<Settled, Error>;
    /// The invitations of a company, newest first.
    async fn invitations(&self, company: CompanyId) -> Result<Vec<Invitation>, Error>;
    /// Revokes an open invitation to a role that is not above `most`.
    async fn revoke_invitation(
        &self,
        company: CompanyId,
        id: InvitationId,
        most: Role,
        entry: Entry,
    ) -> Result<Settled, Error>;
    /// The open invitation with this secret's hash.
    async fn invitation(&self, secret_sha256: Digest) -> Result<Option<Waiting>, Error>;
    /// Accepts what [`Invitations::invitation`] answered: makes the user where
    /// there is none, sets its password where `password` is given (and ends
    /// its sessions), and makes it a member where it is none. `None` where the
    /// invitation or the user changed since.
    async fn accept(
        &self,
        waiting: Waiting,
        password: Option<String>,
        entry: Entry,
    ) -> Result<Option<UserId>, Error>;
}
