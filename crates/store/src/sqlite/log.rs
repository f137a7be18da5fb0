//! The length of the write-ahead log, and who shortens it.
//!
//! SQLite's own way (every 1000 pages, inside the commit that crosses the
//! line) would make that one commit wait for several megabytes to be written.
//! Here a thread with a connection of its own copies pages while the writer
//! goes on; the log starts anew at the next commit after a copy that caught
//! up. Under writes without a pause none ever catches up, so past a bound the
//! writer copies the little that is left itself.
//!
//! The log's file is made at its full length beforehand. A commit that makes
//! a file longer waits for the file system's journal, and with it for whatever
//! other processes wrote; one that overwrites waits for its own pages alone.
//! On a busy machine that is 2.8 ms against 0.4 ms (`docs/decisions/0002`).

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::Options;
use crate::sql::Failure;

/// Pages in the log (4 KiB each) after which another thread copies them into
/// the database file, while the writer goes on.
const CHECKPOINT_PAGES: usize = 500;

/// Pages in the log at which the writer stops to copy the rest itself: a log
/// that is written without a pause could otherwise never start anew.
const LOG_PAGES: usize = 2_000;

/// The length at which the log is made, a little beyond [`LOG_PAGES`]: each
/// page of 4096 bytes has a header of 24.
const LOG_BYTES: u64 = 9 << 20;

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

/// Makes the database's file and its log, where they are missing, for nobody
/// but their owner to read. SQLite takes a log of zeros for an empty one, and
/// zeros behind the frames of a crash for their end.
pub(super) fn prepare(path: &Path) -> std::io::Result<()> {
    let file =
        |path: &Path, mode| OpenOptions::new().append(true).create(true).mode(mode).open(path);
    let mode = file(path, 0o600)?.metadata()?.mode() & 0o777;
    // SQLite puts the log beside the file that a link leads to.
    let mut log = path.canonicalize()?.into_os_string();
    log.push("-wal");
    let mut log = file(Path::new(&log), mode)?;
    let missing = LOG_BYTES.saturating_sub(log.metadata()?.len());
    std::io::copy(&mut std::io::repeat(0).take(missing), &mut log).map(drop)
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
