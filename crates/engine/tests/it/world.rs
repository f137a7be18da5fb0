//! A platform of its own for each test, and the hands of its worker.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::Want;
use bytes::Bytes;
use domain::clock::Manual;
use domain::event::Kind;
use domain::limits::Limits;
use domain::manifest::PythonVersion;
use domain::permission::Principal;
use domain::task::{ErrorKind, Measured, Priority, TaskError};
use domain::testing;
use domain::{Digest, Fault, TaskId, Text, Timestamp, WorkerId};
use engine::companies::Quotas;
use engine::store::functions::Version;
use engine::store::tasks::Finished;
use engine::store::{self, sqlite};
use engine::{
    BuildLog, Builder, Built, End, Engine, EnvironmentWanted, Error, LocalWorker, Locker, Parts,
    Report, Slot, Submission, Submitted, TestTeller, Update, Work, WorkerStatus,
};
use futures_util::TryStreamExt as _;
use test_support::archive::Archive;

/// Longer than anything here takes, so that a test that would wait forever
/// fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A platform, its administrator, and the hands on its clock.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) admin: Principal,
    pub(crate) worker: WorkerId,
    limits: Limits,
    store: store::Handle,
    clock: Manual,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::bounded(Limits::default()).await
    }

    pub(crate) async fn bounded(limits: Limits) -> Self {
        Self::at(Timestamp(1_800_000_000_000_000), limits).await
    }

    /// A platform at this instant.
    pub(crate) async fn at(now: Timestamp, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Manual::at(now);
        let path = folder.path().join("mecapy.db");
        let store =
            sqlite::open(&path, Arc::new(clock.clone()), sqlite::Options::default()).unwrap();
        let engine = start(&store, &clock, folder.path(), &limits);
        let secret = engine.found().await.unwrap().unwrap().secret;
        let admin = engine.authenticate(&secret).await.unwrap();
        Self { engine, admin, worker: WorkerId::new(), limits, store, clock, folder }
    }

    /// The same database and blobs under a new engine with a new worker, as
    /// after a crash: whatever was only in memory is gone.
    pub(crate) fn after_a_crash(self) -> Self {
        let engine = start(&self.store, &self.clock, self.folder.path(), &self.limits);
        Self { engine, worker: WorkerId::new(), ..self }
    }

    /// The database opened anew after its server closed it.
    pub(crate) fn after_a_restart(self) -> Self {
        let path = self.folder.path().join("mecapy.db");
        let clock = Arc::new(self.clock.clone());
        let store = sqlite::open(&path, clock, sqlite::Options::default()).unwrap();
        Self { store, ..self }.after_a_crash()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Gives the engine a worker of its own process with so many slots.
    pub(crate) fn attach(&self, slots: usize) -> Arc<Hands> {
        let hands = Arc::new(Hands { free: Mutex::new(slots), ..Hands::default() });
        self.engine.attach(self.worker, Arc::new(LocalHands(hands.clone())));
        hands
    }

    /// Another company's first user.
    pub(crate) async fn company(&self, name: &str, quotas: Quotas) -> Principal {
        let made = self.engine.create_company(&self.admin, name, "boss", quotas).await.unwrap();
        self.engine.authenticate(&made.1.secret).await.unwrap()
    }

    /// Deploys and waits until it stands.
    pub(crate) async fn deploy(&self, who: &Principal, archive: &Archive) {
        let deployment = self.engine.deploy(who, archive.zip().into()).await.unwrap();
        let ended = self.engine.wait_deployment(who, deployment.id, PATIENCE).await.unwrap();
        assert_eq!(ended.status, store::deployments::Status::Deployed, "{ended:?}");
    }

    /// A platform with the function `echo` of its administrator.
    pub(crate) async fn with_echo() -> Self {
        let world = Self::new().await;
        world.deploy(&world.admin, &echo()).await;
        world
    }

    pub(crate) async fn submit(&self, who: &Principal, inputs: &str) -> Result<Submitted, Error> {
        self.submit_and(who, inputs, false).await
    }

    /// Submits for a caller who hears nothing before the end.
    pub(crate) async fn submit_and_wait(&self, inputs: &str) -> Submitted {
        self.submit_and(&self.admin, inputs, true).await.unwrap()
    }

    async fn submit_and(
        &self,
        who: &Principal,
        inputs: &str,
        waits: bool,
    ) -> Result<Submitted, Error> {
        let submission = Submission {
            inputs: Bytes::copy_from_slice(inputs.as_bytes()),
            priority: Priority::default(),
            timeout_s: None,
            waits,
            origin: None,
        };
        self.engine.submit(who, &"echo".parse().unwrap(), submission).await
    }

    /// The task as the database has it.
    pub(crate) async fn stored(&self, task: TaskId) -> Option<store::tasks::Task> {
        self.store.task(self.admin.company, task).await.unwrap()
    }

    /// The kinds of the task's durable events, in order.
    pub(crate) async fn events(&self, task: TaskId) -> Vec<&'static str> {
        let company = self.admin.company;
        let events = self.store.events_after(company, Some(task.0), 0, 100).await.unwrap();
        events.iter().map(|event| event.kind.as_str()).collect()
    }

    /// Ends the database under the engine, as a full disk would.
    pub(crate) async fn break_the_database(&self) {
        self.store.close().await;
    }

    /// Submits a task of the administrator that has to wait.
    pub(crate) async fn queue(&self, inputs: &str) -> TaskId {
        self.submit(&self.admin, inputs).await.unwrap().task
    }

    /// The next task for the worker.
    pub(crate) async fn next(&self) -> Option<Work> {
        self.engine.next(self.worker, Want::ANY).await.unwrap()
    }

    /// Resolves once the task's claim is durable, which `next` does not wait
    /// for.
    pub(crate) async fn claimed(&self, task: TaskId) {
        let watched = self.engine.watch_task(&self.admin, task, 0).await.unwrap();
        let mut watched = std::pin::pin!(watched);
        loop {
            let update = tokio::time::timeout(PATIENCE, watched.try_next()).await.unwrap();
            match update.unwrap().expect("a task that has not ended is told of") {
                Update::Event(event) if event.kind == Kind::TaskRunning => return,
                _ => {}
            }
        }
    }

    pub(crate) async fn finish(&self, work: Work, end: End) -> Finished {
        let report = Report { end, measured: Measured::default(), artifacts: Vec::new() };
        self.engine.finish(work, report).await.unwrap()
    }

    /// The task, once it has ended.
    pub(crate) async fn ended(&self, task: TaskId) -> Arc<store::tasks::Task> {
        self.engine.wait(&self.admin, task, PATIENCE).await.unwrap().task
    }
}

fn start(
    store: &store::Handle,
    clock: &Manual,
    folder: &std::path::Path,
    limits: &Limits,
) -> Engine {
    let clock: Arc<dyn domain::Clock> = Arc::new(clock.clone());
    Engine::new(Parts {
        store: store.clone(),
        blobs: Arc::new(blobs::Directory::open(folder.join("blobs")).unwrap()),
        broker: Arc::new(broker::InProcess::new(limits.into(), clock.clone())),
        locker: Arc::new(Ready),
        builder: Some(Arc::new(Ready)),
        shared: false,
        clock,
        limits: limits.clone(),
        policy: package::Policy::default(),
        sessions: Default::default(),
        git: git::Fetcher::new(git::Settings {
            // No program: what fetches is tested with the real one.
            program: folder.join("none"),
            folder: folder.to_owned(),
            reach: git::Reach::default(),
            authorities: None,
            limits: git::Limits::default(),
        }),
    })
}

/// A function that takes any object.
pub(crate) fn echo() -> Archive {
    Archive::new("echo", "def calculate(inputs):\n    return inputs\n")
}

pub(crate) fn result(json: &str) -> End {
    End::Result { json: Bytes::copy_from_slice(json.as_bytes()), non_finite: Vec::new() }
}

pub(crate) fn failed(kind: ErrorKind) -> End {
    End::Failed(TaskError::new(kind, Text::same("it broke")))
}

/// The bytes of a result that stands in its row.
pub(crate) fn inline(task: &store::tasks::Task) -> &str {
    match &task.result {
        Some(store::tasks::ResultRef::Inline(bytes)) => std::str::from_utf8(bytes).unwrap(),
        other => panic!("expected an inline result, found {other:?}"),
    }
}

/// A builder whose environments stand by themselves.
struct Ready;

#[async_trait]
impl Locker for Ready {
    async fn lock(&self, wanted: EnvironmentWanted) -> Result<Built, Vec<Fault>> {
        Ok(Built {
            digest: Digest([7; 32]),
            python: wanted.python.unwrap_or(PythonVersion::PREFERRED),
            python_full: "3.12.1".to_owned(),
            lock: String::new(),
            shared: true,
            warnings: Vec::new(),
        })
    }
}

#[async_trait]
impl Builder for Ready {
    async fn environment(
        &self,
        wanted: EnvironmentWanted,
        _: BuildLog,
    ) -> Result<Built, Vec<Fault>> {
        self.lock(wanted).await
    }

    async fn prepare(&self, _: &Version, _: Bytes) -> Result<(), Vec<Fault>> {
        Ok(())
    }

    async fn test(
        &self,
        _: &Version,
        _: &package::Package,
        _: Bytes,
        _: TestTeller,
    ) -> Result<testing::Report, Vec<Fault>> {
        Ok(testing::Report::default())
    }
}

/// What a worker of the same process was given.
#[derive(Default)]
pub(crate) struct Hands {
    free: Mutex<usize>,
    started: Mutex<Vec<Work>>,
    cancelled: Mutex<Vec<TaskId>>,
}

impl Hands {
    /// The runs that were started and not looked at yet.
    pub(crate) fn started(&self) -> Vec<Work> {
        std::mem::take(&mut self.started.lock().unwrap())
    }

    /// The runs that shall end.
    pub(crate) fn cancelled(&self) -> Vec<TaskId> {
        self.cancelled.lock().unwrap().clone()
    }
}

struct LocalHands(Arc<Hands>);

impl LocalWorker for LocalHands {
    fn try_slot(&self) -> Option<Box<dyn Slot>> {
        let mut free = self.0.free.lock().unwrap();
        *free = free.checked_sub(1)?;
        Some(Box::new(Place(self.0.clone())))
    }

    fn cancel(&self, task: TaskId) {
        self.0.cancelled.lock().unwrap().push(task);
    }

    fn status(&self) -> WorkerStatus {
        WorkerStatus {
            id: WorkerId::new(),
            host: "here".to_owned(),
            started_at: Timestamp(0),
            slots: 1,
            free: 0,
            draining: false,
            templates: Vec::new(),
            warm_starts: 0,
            cold_starts: 0,
        }
    }
}

struct Place(Arc<Hands>);

impl Slot for Place {
    fn want(&self) -> Want {
        Want::ANY
    }

    fn start(self: Box<Self>, work: Work) {
        self.0.started.lock().unwrap().push(work);
    }
}
