//! What can go wrong with the database.

use domain::Text;

/// An error of the database. Absence is no error: look-ups answer `None`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A name that must be unique is taken.
    #[error("{what} `{name}` exists already")]
    NameTaken {
        /// What kind of thing: `company`, `function version` …
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The schema of the database is not one this program can use.
    #[error("the database is at migration {found}, this program needs {expected}: {remedy}")]
    Schema {
        /// The newest migration that was applied.
        found: String,
        /// The migration this program was built for.
        expected: String,
        /// What to do.
        remedy: &'static str,
        /// The same in French.
        french: &'static str,
    },
    /// `DATABASE_URL` names no database that this build can use.
    #[error("expected a database URL such as {expected}, found {found}")]
    Url {
        /// What it is; not the URL, which may hold a password.
        found: &'static str,
        /// What would do.
        expected: &'static str,
    },
    /// The database is closed: the process is shutting down.
    #[error("the database is closed")]
    Closed,
    /// The database itself failed: disk full, locked by another process …
    #[error("the database failed while it tried to {action}: {reason}")]
    Backend {
        /// What was tried.
        action: &'static str,
        /// What the database said.
        reason: String,
    },
}

impl Error {
    /// The sentence in both languages, for an operator.
    #[must_use]
    pub fn text(&self) -> Text {
        let french = match self {
            Self::NameTaken { what, name } => format!("{what} `{name}` existe déjà"),
            Self::Schema { found, expected, french, .. } => format!(
                "la base de données en est à la migration {found}, ce programme demande {expected} : {french}"
            ),
            Self::Url { found, expected } => {
                format!("une URL de base telle que {expected} était attendue, trouvé : {found}")
            }
            Self::Closed => "la base de données est fermée".to_owned(),
            Self::Backend { action, reason } => {
                format!("la base de données a échoué ({action}) : {reason}")
            }
        };
        Text::new(self.to_string(), french)
    }
}
