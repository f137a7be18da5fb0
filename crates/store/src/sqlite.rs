//! SQLite: one writer thread that commits in groups, readers beside it.

mod log;
mod migrate;
mod readers;
mod rows;
mod snapshot;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use rusqlite::Connection;

pub use migrate::{migrate, status};
pub use snapshot::{Contents, Object, Reference, Snapshot, contents};

use crate::sql::{Database, Db, Failure, Of};
use crate::{Error, Handle};
use readers::Readers;
pub(crate) use rows::{all, execute, one};
use writer::Writer;

/// How a SQLite database is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether missing migrations are applied (an embedded server) or the
    /// database is refused for them (a server beside others).
    pub migrate: bool,
    /// How long to wait for another process that holds the database.
    pub busy_timeout: Duration,
    /// Listings and other long reads that may run at once; look-ups by key
    /// are not counted.
    pub scans: usize,
    /// Writes that may wait for the writer; who comes later waits to be let
    /// in.
    pub waiting_writes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { migrate: true, busy_timeout: Duration::from_secs(5), scans: 4, waiting_writes: 4096 }
    }
}

/// Opens the database file at `path`, made where it is missing, and starts
/// its writer. The clock is the database's clock: leases compare with it.
pub fn open(path: &Path, clock: Arc<dyn Clock>, options: Options) -> Result<Handle, Error> {
    let action = "open the database";
    log::prepare(path).map_err(|e| Error::Backend { action, reason: e.to_string() })?;
    let mut connection = connect(path, options.busy_timeout).map_err(|e| e.at(action))?;
    if options.migrate {
        migrate::to(&mut connection, clock.now(), crate::migrate::Target::Newest)?;
    } else {
        migrate::check(&connection)?;
    }
    let readers = Readers::open(path, Arc::clone(&clock), options)?;
    let writer = Writer::start(path, connection, Arc::clone(&clock), options)?;
    Ok(Arc::new(Sqlite { writer, readers, clock }))
}

/// One SQLite file.
pub(crate) struct Sqlite {
    writer: Writer,
    readers: Readers,
    clock: Arc<dyn Clock>,
}

impl Database for Sqlite {
    async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        _of: Of,
        work: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.writer.write(action, work).await
    }

    async fn look_up<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.look_up(action, read)
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
        self.writer.is_alive()
    }

    async fn close(&self) {
        // The writer last: whoever closes the file last empties its log.
        self.readers.close();
        self.writer.close().await;
    }
}

/// A connection as the writer needs it. `synchronous=FULL` makes each commit
/// wait for the disk; what is answered is durable.
fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection, Failure> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // 16 MiB at most, taken as needed.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(rows::STATEMENTS);
    Ok(connection)
}
