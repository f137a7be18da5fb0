//! `DATABASE_URL`: which database, and where it lies.

use std::path::PathBuf;

use crate::{Error, postgres};

/// The database that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server: the URL as it was given, which may
    /// hold a password.
    Postgres(Secret),
}

/// The path of a file; of a database on a server its name and the server's.
impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => match postgres::connect_options(url.reveal()) {
                Ok(options) => f.write_str(&postgres::name(&options)),
                Err(_) => f.write_str("PostgreSQL"),
            },
        }
    }
}

/// A URL that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The URL, for whoever connects.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("postgresql://…")
    }
}

const FORMS: &str = "`sqlite:///./relative.db`, `sqlite:////absolute/path.db` or \
                     `postgresql://user:password@host:5432/database`";

/// Reads a URL. After `sqlite://` one slash only ends the (empty) host, so
/// three slashes in all are a relative path and four an absolute one.
pub fn parse(url: &str) -> Result<Location, Error> {
    let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
    match scheme {
        "sqlite" => match rest.strip_prefix('/').unwrap_or(rest) {
            "" => Err(unusable("a URL without a path", FORMS)),
            path => Ok(Location::Sqlite(PathBuf::from(path))),
        },
        "postgresql" | "postgres" => {
            // Refused here, where a setting is at fault, not at the first use.
            postgres::connect_options(url)?;
            Ok(Location::Postgres(Secret(url.to_owned())))
        }
        // Never the URL itself: it may hold a password.
        _ => Err(unusable("another kind of URL", FORMS)),
    }
}

fn unusable(found: &'static str, expected: &'static str) -> Error {
    Error::Url { found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_slashes_are_relative_and_four_absolute() {
        for (url, path) in [
            ("sqlite://dev.db", "dev.db"),
            ("sqlite:///./dev.db", "./dev.db"),
            ("sqlite:///dev.db", "dev.db"),
            ("sqlite:////var/lib/mecapy/mecapy.db", "/var/lib/mecapy/mecapy.db"),
        ] {
            assert_eq!(parse(url).unwrap(), Location::Sqlite(PathBuf::from(path)), "{url}");
        }
    }

    #[test]
    fn an_unusable_url_is_refused_without_being_shown() {
        for url in ["mysql://me:secret@host", "sqlite://", "", "postgresql://me:secret@h:port/db"] {
            let message = parse(url).unwrap_err().to_string();
            assert!(message.contains("postgresql://user:password@host"), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_url_of_postgresql_is_kept_as_it_is_and_never_shown() {
        for url in
            ["postgresql://me:secret@host/db", "postgres://me:secret@host/db?sslmode=require"]
        {
            let location = parse(url).unwrap();
            assert!(!format!("{location:?}").contains("secret"));
            assert_eq!(location.to_string(), "db (PostgreSQL, host:5432)");
            let Location::Postgres(kept) = location else { panic!("{location:?}") };
            assert_eq!(kept.reveal(), url);
        }
    }
}
