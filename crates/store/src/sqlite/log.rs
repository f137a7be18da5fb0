//! The length of the write-ahead log, and who shortens it.
//!
//! SQLite's own way (every 1000 pages, inside the commit that crosses the
//! line) would make that one commit wait for several megabytes to be written.
//! Here a thread with a connection of its own copies pages while the writer
//! goes on; the log starts anew at the next commit after a copy that caught
//! up. Under writes without a pause none ever catches up, so past a bound the
//! writer copies the little that is left itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::Options;
use super::rows::Failure;

/// Pages in the log (4 KiB each) after which another thread copies them into
/// the database file, while the writer goes on.
const CHECKPOINT_PAGES: usize = 1_000;

/// Pages in the log at which the writer stops to copy the rest itself: a log
/// that is written without a pause could otherwise never start anew.
const LOG_PAGES: usize = 8_000;

/// The watch over the log.
pub(super) struct Log {
    pages: Arc<AtomicUsize>,
    /// The number of pages at which the thread is called next.
    call_at: usize,
    calls: mpsc::SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Log {
    pub(super) fn watch(
        path: &Path,
        connection: &mut Connection,
        options: Options,
    ) -> Result<Self, Failure> {
        let pages = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&pages);
        // This also takes the place of SQLite's automatic checkpoint.
        connection.wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
                seen.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
                Ok(())
            },
        ))?;
        let beside = super::connect(path, options.busy_timeout)?;
        let (calls, called) = mpsc::sync_channel(1);
        let thread = spawn("store-checkpoint", move || {
            while called.recv().is_ok() {
                if let Err(error) = checkpoint(&beside, "PASSIVE") {
                    tracing::warn!(%error, "A checkpoint of the database failed; the next one makes up for it.");
                }
            }
        })
        .map_err(|e| Failure::Content(e.to_string()))?;
        Ok(Self { pages, call_at: CHECKPOINT_PAGES, calls, thread })
    }

    /// Waits for the thread, which closes its connection.
    pub(super) fn end(self) {
        drop(self.calls);
        if self.thread.join().is_err() {
            tracing::warn!("The thread of the database's checkpoints ended in a panic.");
        }
    }

    pub(super) fn after_commit(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages >= LOG_PAGES {
            if let Err(error) = checkpoint(connection, "PASSIVE") {
                tracing::warn!(%error, "A checkpoint of the database failed; the next one makes up for it.");
            }
            self.call_at = CHECKPOINT_PAGES;
        } else if pages >= self.call_at {
            let _ = self.calls.try_send(());
            self.call_at = pages + CHECKPOINT_PAGES;
        } else if pages + CHECKPOINT_PAGES < self.call_at {
            // The log started anew.
            self.call_at = CHECKPOINT_PAGES;
        }
    }
}

pub(super) fn checkpoint(connection: &Connection, mode: &str) -> Result<(), rusqlite::Error> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

pub(super) fn spawn(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}
