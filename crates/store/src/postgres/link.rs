//! One connection: made where there is none, made anew where it is old or lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Timestamp;
use sqlx_core::connection::{ConnectOptions as _, Connection as _};
use sqlx_core::query_scalar::query_scalar;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection, Postgres};
use tokio::runtime::Runtime;

use super::clock::{NOW, ServerClock};

/// Between two attempts to reach a server that is away.
const PAUSE: Duration = Duration::from_millis(100);

/// Where and for how long connections are made.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// Where they lead.
    pub(super) to: PgConnectOptions,
    /// How long work waits for a server that is away.
    pub(super) patience: Duration,
    /// How old a connection gets.
    pub(super) age: Duration,
    /// What is put right by the server's clock, if anything.
    pub(super) clock: Option<Arc<ServerClock>>,
}

/// One connection, for a thread that may block.
pub(super) struct Link {
    route: Arc<Route>,
    runtime: Runtime,
    connection: Option<Made>,
}

struct Made {
    connection: PgConnection,
    at: Instant,
}

impl Link {
    pub(super) fn new(route: Arc<Route>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { route, runtime, connection: None })
    }

    /// Begins a transaction, or sees that there is a connection; waits for a
    /// server that is away, as nothing was done yet.
    pub(super) fn begin(&mut self, begin: &str) -> Result<(), sqlx_core::Error> {
        let until = Instant::now() + self.route.patience;
        loop {
            let was_there = self.connection.is_some();
            let Err(error) = self.reach(begin) else { return Ok(()) };
            self.lose();
            if was_there {
                // It broke since it was last used; that says nothing of the server.
                continue;
            }
            if is_final(&error) || Instant::now() >= until {
                return Err(error);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Runs statements that answer nothing.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), sqlx_core::Error> {
        self.with(async |connection| {
            raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(drop)
        })
    }

    /// Does something on the connection.
    pub(super) fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx_core::Error>,
    ) -> Result<T, sqlx_core::Error> {
        let made = self.connection.as_mut().ok_or(sqlx_core::Error::WorkerCrashed)?;
        self.runtime.block_on(work(&mut made.connection))
    }

    /// Gives the connection up; the server undoes what was not committed.
    pub(super) fn lose(&mut self) {
        self.connection = None;
    }

    /// Says goodbye to the server.
    pub(super) fn end(&mut self) {
        if let Some(made) = self.connection.take() {
            // The server ends what isn't said goodbye to as well.
            let _ = self.runtime.block_on(made.connection.close());
        }
    }

    fn reach(&mut self, begin: &str) -> Result<(), sqlx_core::Error> {
        let age = self.route.age;
        if self.connection.as_ref().is_some_and(|made| made.at.elapsed() > age) {
            self.end();
        }
        if self.connection.is_none() {
            self.connect()?;
        }
        self.set_clock()?;
        if begin.is_empty() { Ok(()) } else { self.run(begin) }
    }

    fn connect(&mut self) -> Result<(), sqlx_core::Error> {
        let connection = self.runtime.block_on(connect(&self.route.to))?;
        self.connection = Some(Made { connection, at: Instant::now() });
        Ok(())
    }

    fn set_clock(&mut self) -> Result<(), sqlx_core::Error> {
        let Some(clock) = self.route.clock.clone().filter(|clock| clock.is_due()) else {
            return Ok(());
        };
        self.with(async |connection| set_clock(&clock, connection).await)
    }
}

/// Asks the server for its time.
pub(super) async fn set_clock(
    clock: &ServerClock,
    connection: &mut PgConnection,
) -> Result<(), sqlx_core::Error> {
    let asked = clock.asks();
    let server = query_scalar::<Postgres, i64>(NOW).fetch_one(connection).await?;
    clock.learn(asked, Timestamp(server));
    Ok(())
}

/// A new connection. A machine that doesn't answer at all is away, too.
pub(super) async fn connect(to: &PgConnectOptions) -> Result<PgConnection, sqlx_core::Error> {
    match tokio::time::timeout(LONGEST_GREETING, to.connect()).await {
        Ok(connection) => connection,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// How long a server may take to let somebody in.
const LONGEST_GREETING: Duration = Duration::from_secs(5);

/// Whether a connection ended, rather than that a statement failed on it.
pub(super) fn is_lost(error: &sqlx_core::Error) -> bool {
    match error {
        // 57P: the server shuts down, or an operator ended the connection.
        sqlx_core::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("57P"))
        }
        sqlx_core::Error::Io(_) | sqlx_core::Error::Protocol(_) | sqlx_core::Error::Tls(_) => true,
        _ => false,
    }
}

/// Whether trying again can't help.
fn is_final(error: &sqlx_core::Error) -> bool {
    match error {
        sqlx_core::Error::Configuration(_) | sqlx_core::Error::Tls(_) => true,
        // 28: who connects is not let in; 3D: there is no such database.
        sqlx_core::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("28") || code.starts_with("3D"))
        }
        _ => false,
    }
}
