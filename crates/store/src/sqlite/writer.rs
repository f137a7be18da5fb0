//! The one writer: a thread that commits whatever waits for it in one
//! transaction.
//!
//! SQLite admits one writer at a time, and a durable commit waits for the
//! disk. So writes queue in a channel instead of at a lock, and the writer
//! takes all that wait into one transaction with one wait for the disk: alone,
//! a write is committed at once; in a crowd, a hundred share a commit. Each
//! runs in a savepoint of its own, and nobody is answered before the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;

use domain::Clock;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::rows::{Db, Failure, STATEMENTS};
use super::{Options, Sqlite};
use crate::Error;

/// The most writes in one commit: a bound on how long the first of them waits.
const GROUP: usize = 256;

/// Pages in the log (4 KiB each) after which another thread copies them into
/// the database file, while the writer goes on.
const CHECKPOINT_PAGES: usize = 1_000;

/// Pages in the log at which the writer stops to copy the rest itself: a log
/// that is written without a pause could otherwise never start anew.
const LOG_PAGES: usize = 8_000;

/// The way to the writer.
pub(super) struct Writer {
    inbox: mpsc::Sender<Message>,
}

enum Message {
    Write(Box<dyn Write>),
    Close(oneshot::Sender<()>),
}

/// One write of whatever type, from its closure to its answer.
trait Write: Send {
    /// Runs it; whether it is to be kept.
    fn run(&mut self, db: &Db<'_>) -> bool;
    /// Answers it: with its own outcome, or with the reason why what it did
    /// was not committed.
    fn answer(self: Box<Self>, lost: Option<&str>);
}

struct Job<F, T> {
    action: &'static str,
    work: Option<F>,
    outcome: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Write for Job<F, T>
where
    F: FnOnce(&Db<'_>) -> Result<T, Failure> + Send,
    T: Send,
{
    fn run(&mut self, db: &Db<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A panic in one write must not take the writer from all others.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(db)))
            .unwrap_or_else(|_| Err(Failure::Content("a panic in the query's code".to_owned())))
            .map_err(|e| e.at(self.action));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(mut self: Box<Self>, lost: Option<&str>) {
        let outcome = match (lost, self.outcome.take()) {
            (None, Some(outcome)) => outcome,
            // What failed by itself knows better why.
            (Some(_), Some(Err(error))) => Err(error),
            (Some(reason), _) => {
                Err(Error::Backend { action: self.action, reason: reason.to_owned() })
            }
            (None, None) => Err(Error::Closed),
        };
        // Nobody may listen any more; the write stands all the same.
        let _ = self.reply.send(outcome);
    }
}

impl Sqlite {
    /// Runs `work` in a transaction; durable when this returns.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job = Job { action, work: Some(work), outcome: None, reply };
        self.writer.inbox.send(Message::Write(Box::new(job))).await.map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }
}

impl Writer {
    /// Starts the writer's thread and, beside it, that of the checkpoints.
    pub(super) fn start(
        path: &Path,
        mut connection: Connection,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, Error> {
        let action = "start the database's writer";
        let log = Log::watch(path, &mut connection, options).map_err(|e| e.at(action))?;
        let (inbox, messages) = mpsc::channel(options.waiting_writes.max(1));
        spawn("store-writer", move || write_all(&connection, messages, clock.as_ref(), log))
            .map_err(|e| Error::Backend { action, reason: e.to_string() })?;
        Ok(Self { inbox })
    }

    /// Commits what waits, empties the log and ends; later writes answer
    /// `Closed`.
    pub(super) async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.inbox.send(Message::Close(done)).await.is_ok() {
            let _ = ended.await;
        }
    }

    /// Whether the thread still takes writes.
    pub(super) fn is_alive(&self) -> bool {
        !self.inbox.is_closed()
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

fn write_all(
    connection: &Connection,
    mut inbox: mpsc::Receiver<Message>,
    clock: &dyn Clock,
    mut log: Log,
) {
    let mut group = Vec::with_capacity(GROUP);
    let mut closing = None;
    while let Some(first) = inbox.blocking_recv() {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Write(write) => group.push(write),
                Message::Close(done) => closing = Some(done),
            }
            next = if group.len() < GROUP { inbox.try_recv().ok() } else { None };
        }
        commit(connection, clock, &mut group);
        log.after_commit(connection);
        if closing.is_some() {
            // Takes nothing more in; what was let in before is still
            // committed, then the loop ends.
            inbox.close();
        }
    }
    drop(log);
    if let Err(error) = checkpoint(connection, "TRUNCATE") {
        tracing::warn!(%error, "The database's log could not be emptied at the end; it is read at the next start.");
    }
    if let Some(done) = closing {
        let _ = done.send(());
    }
}

/// Commits a group and answers its members.
fn commit(connection: &Connection, clock: &dyn Clock, group: &mut Vec<Box<dyn Write>>) {
    if group.is_empty() {
        return;
    }
    let lost = transact(connection, clock, group).err();
    if lost.is_some() && !connection.is_autocommit() {
        // The next group must not find this one's transaction open.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for write in group.drain(..) {
        write.answer(lost.as_deref());
    }
}

fn transact(
    connection: &Connection,
    clock: &dyn Clock,
    group: &mut [Box<dyn Write>],
) -> Result<(), String> {
    let run = |sql| {
        let done = connection.prepare_cached(sql).and_then(|mut s| s.execute([]));
        done.map(drop).map_err(|error| error.to_string())
    };
    run("BEGIN IMMEDIATE")?;
    for write in group {
        run("SAVEPOINT one")?;
        if !write.run(&Db { connection, now: clock.now() }) {
            // A full disk or an I/O error ends the whole transaction, and
            // with it what the others in the group did.
            if connection.is_autocommit() {
                return Err("a full disk or an I/O error undid this commit".to_owned());
            }
            run("ROLLBACK TO one")?;
        }
        run("RELEASE one")?;
    }
    run("COMMIT")
}

/// The length of the write-ahead log, and who shortens it.
///
/// SQLite's own way (every 1000 pages, inside the commit that crosses the
/// line) would make that one commit wait for several megabytes to be written.
/// Here a thread with a connection of its own copies pages while the writer
/// goes on; the log starts anew at the next commit after a copy that caught
/// up. Under writes without a pause none ever catches up, so past a bound the
/// writer copies the little that is left itself.
struct Log {
    pages: Arc<AtomicUsize>,
    /// The number of pages at which the thread is called next.
    call_at: usize,
    thread: std_mpsc::SyncSender<()>,
}

impl Log {
    fn watch(path: &Path, connection: &mut Connection, options: Options) -> Result<Self, Failure> {
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
        beside.set_prepared_statement_cache_capacity(STATEMENTS);
        let (thread, calls) = std_mpsc::sync_channel(1);
        spawn("store-checkpoint", move || {
            while calls.recv().is_ok() {
                if let Err(error) = checkpoint(&beside, "PASSIVE") {
                    tracing::warn!(%error, "A checkpoint of the database failed; the next one makes up for it.");
                }
            }
        })
        .map_err(|e| Failure::Content(e.to_string()))?;
        Ok(Self { pages, call_at: CHECKPOINT_PAGES, thread })
    }

    fn after_commit(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages >= LOG_PAGES {
            if let Err(error) = checkpoint(connection, "PASSIVE") {
                tracing::warn!(%error, "A checkpoint of the database failed; the next one makes up for it.");
            }
            self.call_at = CHECKPOINT_PAGES;
        } else if pages >= self.call_at {
            let _ = self.thread.try_send(());
            self.call_at = pages + CHECKPOINT_PAGES;
        } else if pages + CHECKPOINT_PAGES < self.call_at {
            // The log started anew.
            self.call_at = CHECKPOINT_PAGES;
        }
    }
}

fn checkpoint(connection: &Connection, mode: &str) -> Result<(), rusqlite::Error> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}
