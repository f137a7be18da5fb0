//! Threads that each hold a connection and do one thing after the other.
//!
//! Writes of tasks wait for a hand together and share its next transaction,
//! each in a savepoint of its own, as on SQLite: the wait for the disk, and
//! the turn at the company's counter of events, are paid once for all of them.
//! Everything else has a transaction to itself.
//!
//! Transactions of several processes meet at rows. So that no two ever wait
//! for each other, each takes the turns of its companies first, in one
//! order everywhere: advisory locks that end with the transaction.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Clock, CompanyId};
use tokio::sync::mpsc;

use super::link::{Link, Route};
use super::reason;
use super::session::{Lost, Session};
use crate::Error;
use crate::sql::rows::Connection as Either;
use crate::sql::{Db, Failure, Job, Of, Write};

/// The most writes in one commit: a bound on how long the first of them waits.
const GROUP: usize = 64;

/// How many hands there are, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Where they connect.
    pub(super) route: Arc<Route>,
    /// How many stay.
    pub(super) kept: usize,
    /// How many there may be while they are needed.
    pub(super) most: usize,
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
    /// Hands that work, and those of them that wait for work.
    all: AtomicUsize,
    idle: AtomicUsize,
    /// Those whose connection has not ended.
    open: AtomicUsize,
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
            open: AtomicUsize::new(0),
            ended: tokio::sync::Notify::new(),
        };
        Self { inbox: Mutex::new(Some(sender)), shared: Arc::new(shared) }
    }

    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(action, read, Message::LookUp).await
    }

    pub(super) async fn scan<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Db<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(action, read, Message::Scan).await
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
            if self.shared.open.load(Ordering::SeqCst) == 0 {
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
        self.open.fetch_add(1, Ordering::SeqCst);
        let begin = || {
            let link = Link::new(Arc::clone(&self.plan.route))?;
            let hand = Hand { shared: Arc::clone(self), link };
            std::thread::Builder::new().name("store".to_owned()).spawn(move || hand.work())
        };
        begin().map(drop).inspect_err(|_| {
            self.all.fetch_sub(1, Ordering::SeqCst);
            self.ended();
        })
    }

    fn ended(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.ended.notify_waiters();
    }

    /// The next thing to do: tasks' writes together, all else alone. Nothing
    /// where nothing waits and there are more hands than are kept, or there
    /// will be nothing more.
    fn next(self: &Arc<Self>) -> Vec<Message> {
        self.idle.fetch_add(1, Ordering::SeqCst);
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let first = match messages.aside.take().or_else(|| messages.inbox.try_recv().ok()) {
            Some(first) => Some(first),
            None if self.all.load(Ordering::SeqCst) > self.plan.kept => None,
            None => messages.inbox.blocking_recv(),
        };
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
        let waits = messages.aside.is_some() || !messages.inbox.is_empty();
        if group.is_empty() {
            // Whoever comes from here on finds one hand less, and may make one.
            self.all.fetch_sub(1, Ordering::SeqCst);
        }
        drop(messages);
        if waits && let Err(error) = self.want() {
            tracing::warn!(%error, "A further thread for the database could not be started.");
        }
        group
    }
}

/// One thread with a connection.
struct Hand {
    shared: Arc<Shared>,
    link: Link,
}

impl Hand {
    fn work(mut self) {
        loop {
            let group = self.shared.next();
            if group.is_empty() {
                self.link.end();
                return self.shared.ended();
            }
            self.take(group);
        }
    }

    fn take(&mut self, group: Vec<Message>) {
        let begin = begin(&group);
        let mut works: Vec<_> = group.into_iter().map(Message::work).collect();
        let lost = self.attempt(begin.as_deref(), &mut works).err().map(|error| {
            // Whatever state it is in: a new one is in none.
            self.link.lose();
            reason(&error)
        });
        for work in works {
            work.answer(lost.as_deref());
        }
    }

    /// Does what is asked for, in a transaction where it has a `begin`; an
    /// error is why none of it was done.
    fn attempt(
        &mut self,
        begin: Option<&str>,
        works: &mut [Box<dyn Write>],
    ) -> Result<(), sqlx_core::Error> {
        self.link.begin(begin.unwrap_or_default())?;
        let alone = works.len() == 1;
        let lost = if begin.is_some() { Lost::Failed } else { Lost::AskedAgain };
        let mut end = "";
        for work in works {
            if !alone {
                // What ends one begins the next, in one message to the server.
                self.link.run(&format!("{end}SAVEPOINT one"))?;
            }
            let session = Session::new(&mut self.link, lost);
            let db = Db { connection: Either::Postgres(session), now: self.shared.clock.now() };
            let kept = work.run(&db);
            end = match (alone, kept) {
                (true, true) => "",
                (true, false) => "ROLLBACK",
                (false, true) => "RELEASE one; ",
                (false, false) => "ROLLBACK TO one; RELEASE one; ",
            };
        }
        match (begin, end) {
            (None, _) => Ok(()),
            (Some(_), "ROLLBACK") => self.link.run(end),
            (Some(_), end) => self.link.run(&format!("{end}COMMIT")),
        }
    }
}

impl Message {
    fn work(self) -> Box<dyn Write> {
        let (Self::LookUp(work) | Self::Scan(work) | Self::Write(_, work)) = self;
        work
    }
}

/// The begin of the transaction that these need, in which their companies take
/// their turns; a look-up needs none.
fn begin(group: &[Message]) -> Option<String> {
    let mut turns = Vec::new();
    for message in group {
        match message {
            Message::LookUp(_) => return None,
            Message::Scan(_) => {
                return Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned());
            }
            Message::Write(Of::Tasks(company) | Of::Company(company), _) => {
                turns.push(turn(*company));
            }
            Message::Write(Of::Companies(companies), _) => {
                turns.extend(companies.iter().copied().map(turn));
            }
            Message::Write(Of::Platform, _) => {}
        }
    }
    turns.sort_unstable();
    turns.dedup();
    let turns = turns.iter().map(|turn| format!("; SELECT pg_advisory_xact_lock({turn})"));
    Some(std::iter::once("BEGIN".to_owned()).chain(turns).collect())
}

/// Half of an id is enough: two companies that share it take turns.
fn turn(company: CompanyId) -> i64 {
    company.0.as_u64_pair().1.cast_signed()
}

#[cfg(test)]
mod tests;
