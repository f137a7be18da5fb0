//! `DATABASE_URL`: which database, and where it lies.

use std::path::PathBuf;

use crate::Error;

/// The database that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    Sqlite(PathBuf),
}

const FORMS: &str = "`sqlite://relative.db`, `sqlite:///./relative.db` or \
                     `sqlite:////absolute/path.db`";

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
            Err(unusable("`postgresql://`, which is not offered by this build", FORMS))
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
        for url in ["postgresql://me:secret@host/db", "mysql://me:secret@host", "sqlite://", ""] {
            let message = parse(url).unwrap_err().to_string();
            assert!(message.contains("sqlite://"), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
        assert!(parse("postgres://x").unwrap_err().to_string().contains("not offered"));
    }
}
