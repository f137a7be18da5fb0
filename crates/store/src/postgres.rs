//! PostgreSQL: threads with a connection each, for writes and for reads.

mod clock;
mod hands;
mod link;
mod migrate;
mod session;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use sqlx_core::connection::{ConnectOptions as _, Connection as _};
use sqlx_postgres::PgConnectOptions;

pub use migrate::{migrate, status};
pub(crate) use session::Session;

use crate::sql::{Database, Db, Failure, Of};
use crate::{Error, Handle};
use clock::ServerClock;
use hands::{Hands, Plan};
use link::Route;

/// How a PostgreSQL database is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether missing migrations are applied (an embedded server) or the
    /// database is refused for them (a server beside others).
    pub migrate: bool,
    /// Connections that are kept (`DB_POOL_SIZE`).
    pub connections: usize,
    /// Further ones while they are needed (`DB_MAX_OVERFLOW`).
    pub overflow: usize,
    /// How long work waits for a server that is away (`DB_POOL_TIMEOUT`).
    pub patience: Duration,
    /// How old a connection gets before it is made anew (`DB_POOL_RECYCLE`).
    pub age: Duration,
    /// By which clock leases compare.
    pub time: Time,
    /// Writes or reads that may wait for a connection; who comes later waits
    /// to be let in.
    pub waiting: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            migrate: true,
            connections: 5,
            overflow: 10,
            patience: Duration::from_secs(30),
            age: Duration::from_mins(30),
            time: Time::Server,
            waiting: 4096,
        }
    }
}

/// Whose clock is the database's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The server's, the same for every machine.
    Server,
    /// The given one: for whoever moves it by hand.
    Given,
}

/// Connections that write: enough that one company's wait is not another's.
const WRITERS: usize = 2;

/// Opens the database that `url` names. Leases compare with the server's clock,
/// by which the given one is put right.
pub async fn open(url: &str, clock: Arc<dyn Clock>, options: Options) -> Result<Handle, Error> {
    let to = connect_options(url)?;
    if options.migrate {
        migrate::to(&to, clock.now(), crate::migrate::Target::Newest).await?;
    } else {
        migrate::check(&to).await?;
    }
    let mut server = None;
    let clock: Arc<dyn Clock> = match options.time {
        Time::Given => clock,
        Time::Server => {
            let over = Arc::new(ServerClock::over(clock));
            measure(&to, &over).await.map_err(|error| Error::Backend {
                action: "read the database's clock",
                reason: reason(&error),
            })?;
            Arc::clone(server.insert(over)) as Arc<dyn Clock>
        }
    };
    let Options { connections, overflow, patience, age, waiting, .. } = options;
    let route = Arc::new(Route { to, patience, age, clock: server });
    let most = connections + overflow;
    let writers = WRITERS.min(most.saturating_sub(1)).max(1);
    let hands = |kept, most| {
        let plan = Plan { route: Arc::clone(&route), kept, most, waiting };
        Hands::new(plan, Arc::clone(&clock))
    };
    let readers = hands(connections.saturating_sub(writers), most.saturating_sub(writers).max(1));
    Ok(Arc::new(Postgres { writers: hands(writers, writers), readers, clock }))
}

async fn measure(to: &PgConnectOptions, clock: &ServerClock) -> Result<(), sqlx_core::Error> {
    let mut connection = link::connect(to).await?;
    link::set_clock(clock, &mut connection).await?;
    connection.close().await
}

/// One PostgreSQL database.
struct Postgres {
    writers: Hands,
    readers: Hands,
    clock: Arc<dyn Clock>,
}

impl Database for Postgres {
    async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        of: Of,
        work: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.writers.write(action, of, work).await
    }

    async fn look_up<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.look_up(action, read).await
    }

    async fn scan<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.scan(action, read).await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    fn takes_writes(&self) -> bool {
        self.writers.is_open()
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

pub(crate) fn connect_options(url: &str) -> Result<PgConnectOptions, Error> {
    // Not the parser's own words: they may quote the password.
    let options = PgConnectOptions::from_str(url).map_err(|_| Error::Url {
        found: "a URL of PostgreSQL that can't be read",
        expected: "`postgresql://user:password@host:5432/database?sslmode=verify-full`",
    })?;
    Ok(options.application_name("mecapy").statement_cache_capacity(256).disable_statement_logging())
}

/// What people read of a database and its server.
pub(crate) fn name(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(folder) => format!("{database} (PostgreSQL, {})", folder.display()),
        None => format!("{database} (PostgreSQL, {}:{})", options.get_host(), options.get_port()),
    }
}

/// What PostgreSQL said, in one line.
pub(crate) fn reason(error: &sqlx_core::Error) -> String {
    match error {
        sqlx_core::Error::Database(error) => match error.code() {
            Some(code) => format!("{} ({code})", error.message()),
            None => error.message().to_owned(),
        },
        sqlx_core::Error::Io(error) => format!("PostgreSQL can't be reached: {error}"),
        other => other.to_string(),
    }
}
