//! How functions are named: by id, `name`, `name@version` or
//! `company:name@version`.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::id::FunctionId;

/// A reference to a function or to one of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionRef {
    /// By id: its newest version.
    Id(FunctionId),
    /// By name.
    Name {
        /// The owning company's name, where it is not the caller's.
        company: Option<String>,
        /// The function's name.
        name: String,
        /// The version asked for; the newest where absent.
        version: Option<semver::Version>,
    },
}

/// A text that refers to no function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUID, `name`, `name@1.2.3` or `company:name@1.2.3`, found {0:?}")]
pub struct NotAReference(String);

impl FromStr for FunctionRef {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = Uuid::parse_str(text) {
            return Ok(Self::Id(FunctionId(id)));
        }
        let fail = || NotAReference(text.chars().take(120).collect());
        let (path, version) = match text.split_once('@') {
            Some((path, version)) => (path, Some(version.parse().map_err(|_| fail())?)),
            None => (text, None),
        };
        let (company, name) = match path.split_once(':') {
            Some((company, name)) if is_name(company) => (Some(company.to_owned()), name),
            Some(_) => return Err(fail()),
            None => (None, path),
        };
        if !is_name(name) {
            return Err(fail());
        }
        Ok(Self::Name { company, name: name.to_owned(), version })
    }
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => fmt::Display::fmt(id, f),
            Self::Name { company, name, version } => {
                if let Some(company) = company {
                    write!(f, "{company}:")?;
                }
                f.write_str(name)?;
                version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
            }
        }
    }
}

/// Whether `text` is 1–63 characters of `[a-z0-9-]`, as names of functions
/// and companies are.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_reference_is_read_as_it_is_written() {
        for text in [
            "0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506",
            "bolt-stress",
            "bolt-stress@1.2.3",
            "acme:bolt-stress@0.1.0",
            "acme:bolt-stress",
        ] {
            assert_eq!(text.parse::<FunctionRef>().map(|r| r.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in ["", "Bolt", "bolt@1", "a:b:c", ":bolt", "bolt@", "../x", &"a".repeat(64)] {
            assert!(text.parse::<FunctionRef>().is_err(), "{text}");
        }
    }
}
