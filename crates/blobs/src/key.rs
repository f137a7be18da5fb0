//! Keys: company, area and name, typed so that no text of a caller's becomes
//! part of a path.

use std::fmt;
use std::str::FromStr;

use domain::{CompanyId, Digest};
use uuid::Uuid;

/// Where an object lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The owning company.
    pub company: CompanyId,
    /// What kind of object it is.
    pub area: Area,
    /// Its name there.
    pub name: Name,
}

/// The name of an object within its company and area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// SHA-256 of the object's own bytes; checked whenever it is read.
    Content(Digest),
    /// A digest of something else that identifies the object, such as an
    /// archive's of its sorted paths and contents.
    Digest(Digest),
    /// The id of what the object belongs to.
    Id(Uuid),
}

macro_rules! areas {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)?) => {
        /// What kind of object it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Area { $($(#[$doc])* $variant),* }

        impl Area {
            /// All areas.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The area's word in paths.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}

areas! {
    /// Archives of deployed versions.
    Archive = "archive",
    /// Archives that wait for their deployment.
    Upload = "upload",
    /// Inputs of tasks, where too large for their row.
    Inputs = "inputs",
    /// Results of tasks, where too large for their row.
    Result = "result",
    /// Input files that were uploaded.
    File = "file",
    /// Files that runs produced.
    Artifact = "artifact",
    /// Logs of tasks and deployments.
    Log = "log",
}

impl Key {
    /// The key of content that is named by its own digest.
    #[must_use]
    pub fn content(company: CompanyId, area: Area, digest: Digest) -> Self {
        Self { company, area, name: Name::Content(digest) }
    }

    /// The key of an object that is named by another thing's digest.
    #[must_use]
    pub fn digest(company: CompanyId, area: Area, digest: Digest) -> Self {
        Self { company, area, name: Name::Digest(digest) }
    }

    /// The key of an object that belongs to a task, a deployment …
    #[must_use]
    pub fn id(company: CompanyId, area: Area, id: Uuid) -> Self {
        Self { company, area, name: Name::Id(id) }
    }

    /// The digest that the object's bytes must have.
    #[must_use]
    pub fn content_digest(&self) -> Option<Digest> {
        match self.name {
            Name::Content(digest) => Some(digest),
            Name::Digest(_) | Name::Id(_) => None,
        }
    }
}

impl Name {
    /// The sub-folder that keeps folders small: what varies most in the name.
    pub(crate) fn fan_out(&self) -> String {
        match self {
            Self::Content(digest) | Self::Digest(digest) => format!("{:02x}", digest.0[0]),
            // The first bytes of a UUIDv7 are the time, its last ones random.
            Self::Id(id) => format!("{:02x}", id.as_bytes()[15]),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(digest) => f.write_str(&digest.hex()),
            Self::Digest(digest) => write!(f, "of-{}", digest.hex()),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

/// The path of the object, of `[0-9a-z/-]` alone.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.company, self.area, self.name.fan_out(), self.name)
    }
}

/// A file name that no object has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of an object, found {0:?}")]
pub struct NotAName(String);

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = if let Some(hex) = text.strip_prefix("of-") {
            hex.parse().ok().map(Self::Digest)
        } else if text.len() == 64 {
            text.parse().ok().map(Self::Content)
        } else {
            text.parse().ok().map(Self::Id)
        };
        // Only the one way of writing a name is read, so that every name that
        // is listed leads back to its file.
        name.filter(|name| name.to_string() == text).ok_or_else(|| NotAName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_are_read_as_they_are_written(bytes: [u8; 32], id: u128) {
            for name in [Name::Content(Digest(bytes)), Name::Digest(Digest(bytes)), Name::Id(Uuid::from_u128(id))] {
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }

        #[test]
        fn no_key_has_a_path_that_climbs(bytes: [u8; 32], id: u128) {
            for name in [Name::Content(Digest(bytes)), Name::Digest(Digest(bytes)), Name::Id(Uuid::from_u128(id))] {
                for &area in Area::ALL {
                    let path = Key { company: CompanyId(Uuid::from_u128(id)), area, name }.to_string();
                    prop_assert!(path.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b"/-".contains(&b)));
                    prop_assert_eq!(path.split('/').count(), 4);
                }
            }
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "..",
            "of-",
            "of-../..",
            &"A".repeat(64),
            "x",
            "0192F3A4-5B6C-7D8E-9FA0-B1C2D3E4F506",
        ] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}
