//! Who may do what.

use serde::{Deserialize, Serialize};

use crate::id::{CompanyId, UserId};

/// What a user is in a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Deploys and runs functions of the company.
    Member,
    /// Also manages the company's members and tokens.
    CompanyAdmin,
    /// Also manages companies, and sees workers and queues of all.
    Admin,
}

/// Whoever a request speaks for, after its token was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: UserId,
    /// The company that the request acts for; every query takes it.
    pub company: CompanyId,
    /// The company's name.
    pub company_name: String,
    /// What the user may do there.
    pub role: Role,
}

impl Principal {
    /// Whether the caller manages the whole platform.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}
