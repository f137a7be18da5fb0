//! The use cases: deploy, submit, cancel, finish, reap, watch.
//!
//! Everything that changes the platform goes through an [`Engine`]. It is
//! given its ports ([`store`], [`blobs`], [`broker`]) and decides nothing by
//! itself that they have to keep: the database alone says what state a task
//! is in, the broker only knows who is next, and both can be rebuilt from the
//! database at any time ([`Engine::recover`]).
//!
//! The two sides of a task meet here. A request calls [`Engine::submit`] and
//! perhaps [`Engine::wait`]; a worker calls [`Engine::next`], runs the
//! [`Work`] it gets and hands a [`Report`] to [`Engine::finish`].

pub mod access;
mod ad_hoc;
mod audit;
mod catalog;
pub mod companies;
mod deploy;
mod dispatch;
mod error;
mod feed;
mod files;
mod finish;
mod functions;
mod idempotency;
pub mod invitations;
pub mod logins;
mod measures;
mod operations;
mod others;
pub mod passwords;
mod recover;
mod remedy;
mod running;
mod shown;
mod submit;
mod tasks;
mod throttle;
pub mod trace;
mod unwritten;
mod usage;
mod watch;

use std::sync::{Arc, Mutex, OnceLock};

pub use ad_hoc::AdHoc;
pub use broker::{Decision, Rate};
pub use catalog::Deployed;
pub use deploy::{
    BuildLog, Builder, Built, EnvironmentWanted, Locker, TestTeller, shown_value, test_faults,
};
pub use dispatch::{LocalWorker, Slot, Work};
pub use error::Error;
pub use files::{Content, Download, INPUTS_FOLDER, InputFile};
pub use finish::{End, Report, StagedArtifact};
pub use git;
pub use idempotency::Begun;
pub use operations::{Health, QueueReport, TemplateStatus, WorkerSeen, WorkerStatus};
pub use store;
pub use submit::{Submission, Submitted};
pub use tasks::{TaskFilter, TaskView};
pub use usage::Reached;
pub use watch::{REPLAYED, Update};

use domain::limits::Limits;
use domain::task::State;
use domain::{Clock, CompanyId, TaskId, WorkerId};
use moka::sync::Cache;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What an engine is built from.
pub struct Parts {
    /// The database.
    pub store: store::Handle,
    /// Archives, large results, artifacts.
    pub blobs: blobs::Handle,
    /// Queue order, wake-ups, live events.
    pub broker: broker::Handle,
    /// What locks the packages of code.
    pub locker: Arc<dyn Locker>,
    /// Environments, bytecode and warm templates: what needs a sandbox. `None`
    /// in a process that only answers requests.
    pub builder: Option<Arc<dyn Builder>>,
    /// Whether other processes work on the same database.
    pub shared: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the operator bounds.
    pub limits: Limits,
    /// Which Python the static check lets through.
    pub policy: package::Policy,
    /// How long sessions last.
    pub sessions: logins::Sessions,
    /// What fetches repositories.
    pub git: git::Fetcher,
}

/// The use cases. Clones share everything.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// How much memory tasks that ended lately may take, with their results.
const RECENT_BYTES: u64 = 64 << 20;

/// Tasks that ended lately, for those who ask right after.
fn recent() -> Cache<TaskId, Arc<store::tasks::Task>> {
    Cache::builder()
        .max_capacity(RECENT_BYTES)
        .weigher(|_, task: &Arc<store::tasks::Task>| match &task.result {
            Some(store::tasks::ResultRef::Inline(bytes)) => {
                u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(2048)
            }
            _ => 2048,
        })
        .time_to_live(std::time::Duration::from_secs(3600))
        .build()
}

/// What all clones of an engine share.
pub struct Inner {
    store: store::Handle,
    blobs: blobs::Handle,
    broker: broker::Handle,
    locker: Arc<dyn Locker>,
    builder: Option<Arc<dyn Builder>>,
    shared: bool,
    clock: Arc<dyn Clock>,
    limits: Limits,
    policy: package::Policy,
    sessions: logins::Sessions,
    git: git::Fetcher,
    /// Whose turn it is to have a repository fetched.
    fetching: deploy::Turns,
    /// The worker of this process, where there is one.
    local: OnceLock<(WorkerId, Arc<dyn LocalWorker>)>,
    checked: access::Checked,
    passwords: passwords::Passwords,
    throttle: throttle::Throttle,
    books: usage::Books,
    companies_seen: Cache<CompanyId, Arc<store::accounts::Company>>,
    catalog: catalog::Catalog,
    recent: Cache<TaskId, Arc<store::tasks::Task>>,
    /// Waiters that stood before their tasks were queued: who has one need not
    /// look whether the end was before.
    awaited: Cache<TaskId, Arc<Mutex<Option<broker::Waiter<State>>>>>,
    running: running::Running,
    pending: dispatch::Pending,
    measures: measures::Measures,
    unwritten: unwritten::Unwritten,
    deploying: Arc<tokio::sync::Semaphore>,
    /// Wakes who deploys: there may be something.
    deployable: tokio::sync::Notify,
    /// Each company's turn to have archives tested.
    testing: Cache<CompanyId, Arc<tokio::sync::Semaphore>>,
    /// Each company's turn to have the packages of its code locked.
    locking: Cache<CompanyId, Arc<tokio::sync::Mutex<()>>>,
    /// Each company's turns for checks that take long.
    checking: Cache<CompanyId, Arc<tokio::sync::Semaphore>>,
    feeds: feed::Feeds,
    jobs: TaskTracker,
    closing: CancellationToken,
}

impl std::ops::Deref for Engine {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Engine {
    /// An engine over its ports.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            store,
            blobs,
            broker,
            locker,
            builder,
            shared,
            clock,
            limits,
            policy,
            sessions,
            git,
        } = parts;
        Self(Arc::new(Inner {
            store,
            blobs,
            broker,
            locker,
            builder,
            shared,
            clock,
            limits,
            policy,
            sessions,
            git,
            fetching: deploy::Turns::default(),
            local: OnceLock::new(),
            checked: access::Checked::default(),
            passwords: passwords::Passwords::default(),
            throttle: throttle::Throttle::default(),
            books: usage::Books::default(),
            companies_seen: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(std::time::Duration::from_secs(5))
                .build(),
            catalog: catalog::Catalog::default(),
            recent: recent(),
            awaited: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(std::time::Duration::from_secs(60))
                .build(),
            running: running::Running::default(),
            pending: dispatch::Pending::default(),
            measures: measures::Measures::new(),
            unwritten: unwritten::Unwritten::default(),
            deploying: Arc::new(tokio::sync::Semaphore::new(deploy::AT_ONCE)),
            deployable: tokio::sync::Notify::new(),
            testing: Cache::builder().max_capacity(10_000).build(),
            locking: Cache::builder().max_capacity(10_000).build(),
            checking: Cache::builder().max_capacity(10_000).build(),
            feeds: feed::Feeds::default(),
            jobs: TaskTracker::new(),
            closing: CancellationToken::new(),
        }))
    }

    /// Names the worker of this process, once; tasks start on it without a
    /// detour through the queue while a slot is free and nobody is ahead.
    pub fn attach(&self, id: WorkerId, worker: Arc<dyn LocalWorker>) {
        // A second worker in one process would be a fault of the wiring.
        assert!(self.local.set((id, worker)).is_ok(), "one worker per process");
    }

    /// The bounds that the operator set.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The time as the engine sees it.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Takes nothing new, waits for what is being written, closes the
    /// database. The worker has drained before.
    pub async fn close(&self) {
        self.closing.cancel();
        self.jobs.close();
        self.jobs.wait().await;
        self.store.close().await;
    }
}
