//! The database: the one authority on every state.
//!
//! Traits stand apart from their SQL: a company's data is reached through
//! traits whose every method takes the [`CompanyId`] first, so that no query
//! can forget it; what sees all companies (the reaper, the queue's rebuild)
//! stands apart in [`Operator`]. The SQL is written once (`src/sql`) and runs on
//! both databases: on SQLite with one writer that commits in groups
//! ([`sqlite`]), on PostgreSQL with a pool ([`postgres`]). The migrations of
//! both dialects are written together under `migrations/`, and one contract
//! suite runs against both.

pub mod accounts;
pub mod audit;
pub mod deployments;
pub mod error;
pub mod events;
pub mod files;
pub mod functions;
pub mod idempotency;
pub mod invitations;
pub mod logins;
pub mod migrate;
pub mod operator;
pub mod page;
pub mod postgres;
mod sql;
pub mod sqlite;
pub mod tasks;
pub mod url;

use std::sync::Arc;

pub use accounts::Accounts;
pub use audit::Audit;
pub use deployments::Deployments;
use domain::Clock;
pub use domain::CompanyId;
pub use error::Error;
pub use events::Events;
pub use files::Files;
pub use functions::Functions;
pub use idempotency::Idempotency;
pub use invitations::Invitations;
pub use logins::Logins;
pub use operator::Operator;
pub use page::{Cursor, Page};
pub use tasks::Tasks;

/// How either database is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A SQLite file.
    pub sqlite: sqlite::Options,
    /// A database of a PostgreSQL server.
    pub postgres: postgres::Options,
}

/// Opens the database at `location` (see [`url::parse`]). SQLite keeps its time
/// by `clock`; PostgreSQL puts that right by its own ([`Operator::clock`]).
pub async fn open(
    location: &url::Location,
    clock: Arc<dyn Clock>,
    options: Options,
) -> Result<Handle, Error> {
    match location.clone() {
        url::Location::Sqlite(path) => {
            let open = move || sqlite::open(&path, clock, options.sqlite);
            // Migrations may take as long as they take.
            tokio::task::spawn_blocking(open).await.unwrap_or(Err(Error::Closed))
        }
        url::Location::Postgres(url) => postgres::open(url.reveal(), clock, options.postgres).await,
    }
}

/// All repositories over one database.
pub trait Store:
    Accounts
    + Logins
    + Invitations
    + Audit
    + Functions
    + Deployments
    + Tasks
    + Files
    + Events
    + Idempotency
    + Operator
{
}

impl<T> Store for T where
    T: Accounts
        + Logins
        + Invitations
        + Audit
        + Functions
        + Deployments
        + Tasks
        + Files
        + Events
        + Idempotency
        + Operator
{
}

/// A handle to the database that was opened.
pub type Handle = Arc<dyn Store>;
