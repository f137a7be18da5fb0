//! The one writer: a thread that commits whatever waits for it in one
//! transaction.
//!
//! SQLite admits one writer at a time, and a durable commit waits for the
//! disk. So writes queue in a channel instead of at a lock, and the writer
//! takes all that wait into one transaction with one wait for the disk: alone,
//! a write is committed at once; in a crowd, a hundred share a commit. Each
//! runs in a savepoint of its own, and nobody is answered before the commit.

use std::path::Path;
use std::sync::Arc;

use domain::Clock;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Options;
use super::log::{Log, checkpoint, spawn};
use crate::Error;
use crate::sql::rows::Connection as Either;
use crate::sql::{Db, Failure, Job, Write};

/// The most writes in one commit: a bound on how long the first of them waits.
const GROUP: usize = 256;

/// The way to the writer.
pub(super) struct Writer {
    inbox: mpsc::Sender<Message>,
}

enum Message {
    Write(Box<dyn Write>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Runs `work` in a transaction; durable when this returns.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, answer) = Job::new(action, work);
        self.inbox.send(Message::Write(job)).await.map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

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
        spawn("store-writer", move || write_all(connection, messages, clock.as_ref(), log))
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

fn write_all(
    connection: Connection,
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
        commit(&connection, clock, &mut group);
        log.after_commit(&connection);
        if closing.is_some() {
            // Takes nothing more in; what was let in before is still
            // committed, then the loop ends.
            inbox.close();
        }
    }
    log.end();
    if let Err(error) = checkpoint(&connection, "TRUNCATE") {
        tracing::warn!(
            %error,
            "The database's log could not be emptied at the end; it is read at the next start."
        );
    }
    // The last connection takes the log's files with it.
    drop(connection);
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
        if !write.run(&Db { connection: Either::Sqlite(connection), now: clock.now() }) {
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

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use domain::clock::Manual;

    use super::*;
    use crate::sql::rows::{bind, only};

    type Answer<T> = oneshot::Receiver<Result<T, Error>>;

    fn job<T: Send + 'static>(
        work: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> (Box<dyn Write>, Answer<T>) {
        let (job, answer) = Job::new("write", work);
        (job, answer)
    }

    fn insert(n: i64) -> (Box<dyn Write>, Answer<()>) {
        job(move |db| db.execute("INSERT INTO a VALUES (?)", bind![n]).map(drop))
    }

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let schema = "PRAGMA foreign_keys = ON; CREATE TABLE a (n INTEGER PRIMARY KEY);
                      CREATE TABLE b (n REFERENCES a (n))";
        connection.execute_batch(schema).unwrap();
        connection
    }

    fn run(connection: &Connection, mut group: Vec<Box<dyn Write>>) {
        commit(connection, &Manual::at(Timestamp(0)), &mut group);
        assert!(group.is_empty() && connection.is_autocommit());
    }

    fn stored(connection: &Connection) -> Vec<i64> {
        let db = Db { connection: Either::Sqlite(connection), now: Timestamp(0) };
        db.all("SELECT n FROM a ORDER BY n", bind![], only).unwrap()
    }

    #[test]
    fn a_write_that_fails_or_panics_takes_nobody_with_it() {
        let connection = database();
        let (first, mut first_answer) = insert(1);
        let (twice, mut twice_answer) = job(|db| {
            db.execute("INSERT INTO a VALUES (2)", bind![])?;
            db.execute("INSERT INTO a VALUES (2)", bind![]).map(drop)
        });
        let (panicking, mut panic_answer) =
            job::<()>(|_| panic!("a panic that the test asked for"));
        let (last, mut last_answer) = insert(3);
        run(&connection, vec![first, twice, panicking, last]);
        first_answer.try_recv().unwrap().unwrap();
        last_answer.try_recv().unwrap().unwrap();
        assert!(twice_answer.try_recv().unwrap().unwrap_err().to_string().contains("UNIQUE"));
        assert!(panic_answer.try_recv().unwrap().unwrap_err().to_string().contains("panic"));
        assert_eq!(stored(&connection), [1, 3]);
    }

    #[test]
    fn when_the_commit_fails_everybody_is_told_and_the_next_group_works() {
        let connection = database();
        let (good, mut good_answer) = insert(1);
        let (deferred, mut deferred_answer) = job(|db| {
            // Let through by the write itself, found out by the commit.
            db.execute("PRAGMA defer_foreign_keys = ON", bind![])?;
            db.execute("INSERT INTO b VALUES (99)", bind![]).map(drop)
        });
        run(&connection, vec![good, deferred]);
        for answer in [&mut good_answer, &mut deferred_answer] {
            let error = answer.try_recv().unwrap().unwrap_err().to_string();
            assert!(error.contains("FOREIGN KEY"), "{error}");
        }
        assert_eq!(stored(&connection), [0; 0]);
        let (next, mut next_answer) = insert(2);
        run(&connection, vec![next]);
        next_answer.try_recv().unwrap().unwrap();
        assert_eq!(stored(&connection), [2]);
    }

    #[test]
    fn a_full_disk_undoes_the_group_or_the_write_alone_but_never_half() {
        let connection = database();
        connection.execute_batch("PRAGMA max_page_count = 20").unwrap();
        let (good, mut good_answer) = insert(1);
        let (large, mut large_answer) = job(|db| {
            db.execute("CREATE TABLE c (bytes)", bind![])?;
            db.execute("INSERT INTO c VALUES (zeroblob(1000000))", bind![]).map(drop)
        });
        run(&connection, vec![good, large]);
        assert!(large_answer.try_recv().unwrap().unwrap_err().to_string().contains("full"));
        let kept = good_answer.try_recv().unwrap().is_ok();
        assert_eq!(stored(&connection), if kept { vec![1] } else { vec![] });
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'c'";
        let found: i64 = connection.query_row(tables, [], |row| row.get(0)).unwrap();
        assert_eq!(found, 0);
    }
}
