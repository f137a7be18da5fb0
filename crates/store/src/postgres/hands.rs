//! Threads that each hold a connection and do one thing after the other.
//!
//! Writes of tasks wait for a hand together and share its next transaction,
//! each in a savepoint of its own, as on SQLite: the wait for the disk, and
//! the turn at the company's counter of events, are paid once for all of them.
//! Everything else has a transaction to itself.
//!
//! Transactions of several processes meet at rows. So that no two ever wait
//! for each other, each takes the turns of its companies first, in the order
//! of their ids: advisory locks that end with the transaction.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::{Clock, CompanyId};
use sqlx_core::connection::{ConnectOptions as _, Connection as _};
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::reason;
use super::session::Session;
use crate::Error;
use crate::sql::rows::Connection as Either;
use crate::sql::{Db, Failure, Job, Of, Write};

/// The most writes in one commit: a bound on how long the first of them waits.
const GROUP: usize = 64;
/// Between two attempts to reach a server that is away.
const PAUSE: Duration = Duration::from_millis(100);

/// How many hands there are, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Where they connect.
    pub(super) to: PgConnectOptions,
    /// How many stay.
    pub(super) kept: usize,
    /// How many there may be while they are needed.
    pub(super) most: usize,
    /// How long work waits for a server that is away.
    pub(super) patience: Duration,
    /// How old a connection gets.
    pub(super) age: Duration,
    /// How many may wait for a hand; who comes later waits to be let in.
    pub(super) waiting: usize,
}

/// What is to be done, and how.
enum Message {
    LookUp(Box<dyn Write>),
    Scan(Box<dyn Write>),
    Write(Of, Box<dyn Write>),
}

/// The hands, and the way to them.
pub(super) struct Hands {
    inbox: Mutex<Option<mpsc::Sender<Message>>>,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Plan,
    clock: Arc<dyn Clock>,
    messages: Mutex<Messages>,
    /// Hands that there are, and those of them that wait for work.
    all: AtomicUsize,
    idle: AtomicUsize,
    ended: tokio::sync::Notify,
}

struct Messages {
    inbox: mpsc::Receiver<Message>,
    /// Taken out of the inbox, and not fit for the group that it came with.
    aside: Option<Message>,
}

impl Hands {
    pub(super) fn new(plan: Plan, clock: Arc<dyn Clock>) -> Self {
        let (sender, inbox) = mpsc::channel(plan.waiting.max(1));
        let shared = Shared {
            plan,
            clock,
            messages: Mutex::new(Messages { inbox, aside: None }),
            all: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            ended: tokio::sync::Notify::new(),
        };
        Self { inbox: Mutex::new(Some(sender)), shared: Arc::new(shared) }
    }

    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(action, read, |work| Message::LookUp(work)).await
    }

    pub(super) async fn scan<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(action, read, |work| Message::Scan(work)).await
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        of: Of,
        work: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(action, work, |work| Message::Write(of, work)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
        message: impl FnOnce(Box<dyn Write>) -> Message,
    ) -> Result<T, Error> {
        let (job, answer) = Job::new(action, work);
        let inbox = self.inbox().clone().ok_or(Error::Closed)?;
        inbox.send(message(job)).await.map_err(|_| Error::Closed)?;
        drop(inbox);
        self.shared.want().map_err(|error| Error::Backend { action, reason: error.to_string() })?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    pub(super) fn is_open(&self) -> bool {
        self.inbox().is_some()
    }

    /// Does what was let in, and ends the connections.
    pub(super) async fn close(&self) {
        self.inbox().take();
        loop {
            let ended = self.shared.ended.notified();
            if self.shared.all.load(Ordering::SeqCst) == 0 {
                return;
            }
            ended.await;
        }
    }

    fn inbox(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Message>>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Sees to it that somebody takes what waits.
    fn want(self: &Arc<Self>) -> std::io::Result<()> {
        if self.idle.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        let more = |all| (all < self.plan.most).then_some(all + 1);
        if self.all.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_err() {
            return Ok(());
        }
        let begin = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let hand = Hand { shared: Arc::clone(self), runtime, connection: None };
            std::thread::Builder::new().name("store".to_owned()).spawn(move || hand.work())
        };
        begin().map(drop).inspect_err(|_| self.gone())
    }

    fn gone(&self) {
        self.all.fetch_sub(1, Ordering::SeqCst);
        self.ended.notify_waiters();
    }

    /// The next thing to do: tasks' writes together, all else alone. Nothing
    /// once there are no more, or none came for a while that a hand too many
    /// would wait for.
    fn next(&self) -> Vec<Message> {
        self.idle.fetch_add(1, Ordering::SeqCst);
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let first = messages.aside.take().or_else(|| messages.inbox.blocking_recv());
        self.idle.fetch_sub(1, Ordering::SeqCst);
        let mut group: Vec<_> = first.into_iter().collect();
        while let Some(Message::Write(Of::Tasks(_), _)) = group.last()
            && group.len() < GROUP
        {
            match messages.inbox.try_recv() {
                Ok(message @ Message::Write(Of::Tasks(_), _)) => group.push(message),
                Ok(other) => {
                    messages.aside = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        group
    }
}

/// One thread with a connection.
struct Hand {
    shared: Arc<Shared>,
    runtime: Runtime,
    connection: Option<(PgConnection, Instant)>,
}

impl Hand {
    fn work(mut self) {
        loop {
            let group = self.shared.next();
            if group.is_empty() {
                break;
            }
            self.take(group);
        }
        if let Some((connection, _)) = self.connection.take() {
            // The server ends what isn't said goodbye to as well.
            let _ = self.runtime.block_on(connection.close());
        }
        self.shared.gone();
    }

    fn take(&mut self, mut group: Vec<Message>) {
        let lost = self.attempt(&mut group).err().map(|failure| match failure {
            Failure::Postgres(error) => {
                if !matches!(error, sqlx_core::Error::Database(_)) {
                    self.connection = None;
                }
                reason(&error)
            }
            other => other.at("").to_string(),
        });
        for message in group {
            let (Message::LookUp(work) | Message::Scan(work) | Message::Write(_, work)) = message;
            work.answer(lost.as_deref());
        }
    }

    /// Does what the group asks for; an error is why none of it was done.
    fn attempt(&mut self, group: &mut Vec<Message>) -> Result<(), Failure> {
        let begin = match group.first() {
            None => return Ok(()),
            Some(Message::LookUp(_)) => String::new(),
            Some(Message::Scan(_)) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
            Some(Message::Write(..)) => turns(group),
        };
        self.begin(&begin)?;
        let Some((connection, _)) = &mut self.connection else {
            return Err(sqlx_core::Error::WorkerCrashed.into());
        };
        let alone = group.len() == 1;
        let mut kept = true;
        for message in group {
            let (Message::LookUp(work) | Message::Scan(work) | Message::Write(_, work)) = message;
            if !alone {
                run(&self.runtime, connection, "SAVEPOINT one")?;
            }
            let session = Session::new(connection, &self.runtime);
            let db = Db { connection: Either::Postgres(session), now: self.shared.clock.now() };
            kept = work.run(&db);
            drop(db);
            if !alone {
                let end = if kept { "RELEASE one" } else { "ROLLBACK TO one; RELEASE one" };
                run(&self.runtime, connection, end)?;
            }
        }
        if begin.is_empty() {
            return Ok(());
        }
        let end = if alone && !kept { "ROLLBACK" } else { "COMMIT" };
        Ok(run(&self.runtime, connection, end)?)
    }

    /// Begins a transaction, or sees that there is a connection; waits for a
    /// server that is away, as nothing was done yet.
    fn begin(&mut self, begin: &str) -> Result<(), Failure> {
        let until = Instant::now() + self.shared.plan.patience;
        loop {
            match self.reach(begin) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.connection = None;
                    if is_final(&error) || Instant::now() >= until {
                        return Err(error.into());
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    fn reach(&mut self, begin: &str) -> Result<(), sqlx_core::Error> {
        let age = self.shared.plan.age;
        let (connection, _) = match self.connection.take_if(|(_, made)| made.elapsed() > age) {
            Some((old, _)) => {
                let _ = self.runtime.block_on(old.close());
                self.connect()?
            }
            None if self.connection.is_none() => self.connect()?,
            None => self.connection.as_mut().ok_or(sqlx_core::Error::WorkerCrashed)?,
        };
        if begin.is_empty() { Ok(()) } else { run(&self.runtime, connection, begin) }
    }

    fn connect(&mut self) -> Result<&mut (PgConnection, Instant), sqlx_core::Error> {
        let connection = self.runtime.block_on(self.shared.plan.to.connect())?;
        Ok(self.connection.insert((connection, Instant::now())))
    }
}

/// The begin of a transaction in which the companies of these writes, in the
/// order of their ids, take their turns. Their writes are put in that order.
fn turns(group: &mut [Message]) -> String {
    let companies = |message: &Message| match message {
        Message::Write(Of::Tasks(company) | Of::Company(company), _) => vec![*company],
        Message::Write(Of::Companies(companies), _) => companies.clone(),
        _ => Vec::new(),
    };
    group.sort_by_key(|message| companies(message).first().copied());
    let mut all: Vec<CompanyId> = group.iter().flat_map(companies).collect();
    all.sort();
    all.dedup();
    let mut begin = "BEGIN".to_owned();
    for company in all {
        // Half of an id is enough: two companies that share it take turns.
        let key = i64::from_be_bytes(company.0.as_bytes()[8..].try_into().expect("8 of 16 bytes"));
        begin += &format!("; SELECT pg_advisory_xact_lock({key})");
    }
    begin
}

fn run(
    runtime: &Runtime,
    connection: &mut PgConnection,
    sql: &str,
) -> Result<(), sqlx_core::Error> {
    runtime.block_on(raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection)).map(drop)
}

/// Whether trying again can't help.
fn is_final(error: &sqlx_core::Error) -> bool {
    match error {
        sqlx_core::Error::Configuration(_) | sqlx_core::Error::Tls(_) => true,
        // 28: who connects is not let in; 3D: there is no such database.
        sqlx_core::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("28") || code.starts_with("3D")),
        _ => false,
    }
}
