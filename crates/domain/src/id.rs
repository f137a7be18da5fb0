//! Ids: UUIDv7, one type for each thing that has one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, later in order than the ones made before it.
            #[expect(clippy::new_without_default, reason = "an id is made on purpose, never by default")]
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// A company (tenant).
    CompanyId,
    /// A person or service that belongs to companies.
    UserId,
    /// A personal API token.
    TokenId,
    /// A browser that is logged in.
    SessionId,
    /// An invitation into a company.
    InvitationId,
    /// A row of the audit log.
    AuditId,
    /// A named calculation of a company.
    FunctionId,
    /// An immutable version of a function.
    VersionId,
    /// One try to deploy an archive.
    DeploymentId,
    /// One calculation.
    TaskId,
    /// An uploaded input file.
    FileId,
    /// A file that a run produced.
    ArtifactId,
    /// A process that runs tasks.
    WorkerId,
    /// The random token of one claim; only its holder can complete the task.
    LeaseToken,
}

impl FunctionId {
    /// The function whose versions are a company's ad-hoc code. Rows are keyed
    /// by company and id, so each company has its own; listings and names
    /// never show it.
    pub const AD_HOC: Self = Self(Uuid::nil());
}

impl LeaseToken {
    /// A token nobody can guess: unlike ids it carries no time.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}
