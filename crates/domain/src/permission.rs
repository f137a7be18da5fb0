//! Who may do what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{CompanyId, SessionId, TokenId, UserId};
use crate::origin::Origin;

/// Whoever a request speaks for, after its token or session was checked.
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
    /// What the token lets of that through.
    pub scopes: Scopes,
    /// What the request showed.
    pub credential: Credential,
    /// Where the request came from, as the audit log keeps it; empty for
    /// requests that it doesn't record.
    pub origin: Origin,
}

impl Principal {
    /// Whether the caller manages the whole platform.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

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

impl Role {
    /// The word in requests and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::CompanyAdmin => "company_admin",
            Self::Admin => "admin",
        }
    }
}

/// What a request showed to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing: a developer's server that asks for nothing.
    Nothing,
    /// A personal token.
    Token(TokenId),
    /// The cookie of a browser that is logged in.
    Session(SessionId),
}

/// A part of what may be done, to which a token can be narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// See functions, tasks, results, files.
    Read,
    /// Run, cancel and delete calculations, upload their files.
    Run,
    /// Deploy and delete functions.
    Deploy,
    /// Manage tokens, members, companies, the own account.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Run, Self::Deploy, Self::Admin];

    /// The word in requests and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes, written as their words with spaces between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Whatever the role allows.
    pub const ALL: Self = Self(0b1111);

    /// Whether `scope` is one of them.
    #[must_use]
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether each of them is also one of `others`.
    #[must_use]
    pub fn within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes in their order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, scope) in self.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { " " }, scope.as_str())?;
        }
        Ok(())
    }
}

/// A word that is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected read, run, deploy or admin, found {0:?}")]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == word);
        known.ok_or_else(|| UnknownScope(word.to_owned()))
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(words: &str) -> Result<Self, UnknownScope> {
        words.split_whitespace().map(str::parse::<Scope>).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        let some: Scopes = "deploy read".parse().unwrap();
        assert_eq!(some.to_string(), "read deploy");
        assert!(some.within(Scopes::ALL) && !Scopes::ALL.within(some));
        assert!(some.contains(Scope::Read) && !some.contains(Scope::Run));
        assert_eq!(Scope::ALL.into_iter().collect::<Scopes>(), Scopes::ALL);
        assert_eq!("run write".parse::<Scopes>(), Err(UnknownScope("write".to_owned())));
    }
}
