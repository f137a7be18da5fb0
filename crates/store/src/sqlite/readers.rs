//! Reads: look-ups in place, longer reads on threads that may block.
//!
//! A look-up by key takes some ten microseconds from the page cache. Handing
//! it to another thread and back costs more than that by itself (two wake-ups
//! of a sleeping thread: measured in `docs/decisions/0002`), so it runs where
//! it is asked for, as any other short computation does. Nothing there waits
//! for a lock: in WAL mode a reader never waits for the writer, and the pool's
//! mutex is held for a push or a pop. Listings and sweeps have no such bound,
//! so they go to tokio's blocking threads, a bounded number at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Clock;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::Options;
use super::rows::STATEMENTS;
use crate::Error;
use crate::sql::rows::Connection as Either;
use crate::sql::{Db, Failure};

/// The read connections.
pub(super) struct Readers {
    shared: Arc<Shared>,
    scans: Arc<Semaphore>,
}

struct Shared {
    path: PathBuf,
    busy_timeout: Duration,
    clock: Arc<dyn Clock>,
    /// Connections nobody uses; `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
    /// How many are kept idle.
    kept: usize,
}

impl Readers {
    /// A read by key, in place.
    pub(super) fn look_up<T>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        self.shared.with(action, read)
    }

    /// A read whose length depends on the data, in one snapshot.
    pub(super) async fn scan<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.scans).acquire_owned().await.map_err(|_| Error::Closed)?;
        let shared = Arc::clone(&self.shared);
        let scan = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            shared.with(action, |db| {
                db.execute("BEGIN", &[])?;
                let answer = read(db);
                // A snapshot that is given up holds the log for nobody.
                db.execute("COMMIT", &[])?;
                answer
            })
        });
        scan.await.unwrap_or_else(|panic| Err(Error::Backend { action, reason: panic.to_string() }))
    }

    /// Opens the connections that look-ups will use first.
    pub(super) fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, Error> {
        let shared = Shared {
            path: path.to_owned(),
            busy_timeout: options.busy_timeout,
            clock,
            idle: Mutex::new(Some(Vec::new())),
            kept: options.scans + std::thread::available_parallelism().map_or(2, usize::from),
        };
        let first = shared.connect().map_err(|e| e.at("open the database for reading"))?;
        shared.give_back(first);
        Ok(Self { shared: Arc::new(shared), scans: Arc::new(Semaphore::new(options.scans.max(1))) })
    }

    /// Closes every connection; reads answer `Closed` from here on.
    pub(super) fn close(&self) {
        self.scans.close();
        self.shared.idle().take();
    }
}

impl Shared {
    fn with<T>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let idle = self.idle().as_mut().ok_or(Error::Closed)?.pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().map_err(|e| e.at(action))?,
        };
        let answer = read(&Db { connection: Either::Sqlite(&connection), now: self.clock.now() });
        self.give_back(connection);
        answer.map_err(|e| e.at(action))
    }

    fn connect(&self) -> Result<Connection, Failure> {
        // Not OPEN_READ_ONLY: a reader in WAL mode writes its mark to the
        // shared memory beside the file.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy_timeout)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -4_096)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        if let Some(idle) = self.idle().as_mut().filter(|idle| idle.len() < self.kept) {
            idle.push(connection);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Option<Vec<Connection>>> {
        // Nothing panics while it holds the lock, and a list of connections
        // would be whole even then.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
