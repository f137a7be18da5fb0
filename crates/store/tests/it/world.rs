//! A database of its own for each test, and records to fill it with.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use domain::clock::{Clock, Manual};
use domain::manifest::{Io, Manifest, Metadata, PythonVersion, RetryPolicy, Runtime};
use domain::permission::Role;
use domain::task::{Measured, Priority, QueueClass, State};
use domain::{
    CompanyId, DeploymentId, Digest, FunctionId, LeaseToken, TaskId, Timestamp, UserId, VersionId,
    WorkerId,
};
use serde_json::json;
use store::accounts::{Company, Drafting};
use store::deployments::{Deployment, Draft, Published, Status};
use store::functions::Version;
use store::tasks::{Claim, Ending, InputsRef, Lease, NewTask, Outcome, ResultRef, Task};
use store::{Handle, postgres, sqlite};
use test_support::postgres::Postgres;

/// Runs each function, which takes a [`World`], against every backend.
macro_rules! on_every_backend {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(crate::world::World::on_sqlite()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(crate::world::World::on_postgres().await).await;
                }
            )*
        }
    };
}

/// The server of all tests; it ends with their process.
static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start().unwrap());

pub(crate) const LEASE: Duration = Duration::from_secs(10);
pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000_000);

/// A database, and the hands on its clock.
pub(crate) struct World {
    pub(crate) store: Handle,
    clock: Manual,
    place: Place,
    /// Holds the database's files until the test ends.
    #[expect(dead_code, reason = "what counts is when it is dropped")]
    folder: Option<tempfile::TempDir>,
}

/// Where the database is, for what goes around the store.
enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

/// A company with a member and a deployed version.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) company: CompanyId,
    pub(crate) name: String,
    pub(crate) user: UserId,
    pub(crate) version: Version,
}

impl World {
    pub(crate) fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Manual::at(START);
        let path = folder.path().join("mecapy.db");
        let store =
            sqlite::open(&path, Arc::new(clock.clone()), sqlite::Options::default()).unwrap();
        Self { store, clock, place: Place::Sqlite(path), folder: Some(folder) }
    }

    pub(crate) async fn on_postgres() -> Self {
        Self::at(database(), by_hand()).await
    }

    pub(crate) async fn at(url: String, options: postgres::Options) -> Self {
        let clock = Manual::at(START);
        let store = postgres::open(&url, Arc::new(clock.clone()), options).await.unwrap();
        Self { store, clock, place: Place::Postgres(url), folder: None }
    }

    /// Another process's worth of the same database.
    pub(crate) async fn beside(&self) -> Handle {
        let clock = Arc::new(self.clock.clone());
        match &self.place {
            Place::Sqlite(path) => sqlite::open(path, clock, sqlite::Options::default()).unwrap(),
            Place::Postgres(url) => postgres::open(url, clock, by_hand()).await.unwrap(),
        }
    }

    /// The database's file on SQLite.
    pub(crate) fn path(&self) -> &Path {
        match &self.place {
            Place::Sqlite(path) => path,
            Place::Postgres(_) => panic!("a database on PostgreSQL has no path"),
        }
    }

    /// The URL of the database on PostgreSQL.
    pub(crate) fn url(&self) -> &str {
        match &self.place {
            Place::Postgres(url) => url,
            Place::Sqlite(path) => panic!("{} has no URL", path.display()),
        }
    }

    /// Runs a statement that the store would not.
    pub(crate) fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap();
    }

    /// The same, or what the database has against it.
    pub(crate) fn try_execute(&self, sql: &str) -> Result<(), String> {
        match &self.place {
            Place::Sqlite(path) => {
                let beside = rusqlite::Connection::open(path).unwrap();
                beside.execute(sql, []).map(drop).map_err(|error| error.to_string())
            }
            Place::Postgres(url) => {
                SERVER.psql_on(url, sql).map(drop).map_err(|error| error.to_string())
            }
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass for the database.
    pub(crate) fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    pub(crate) async fn company(&self, name: &str) -> CompanyId {
        let id = CompanyId::new();
        let company = Company {
            id,
            name: name.to_owned(),
            weight: 1.0,
            max_running: None,
            max_queued: None,
            budget: Default::default(),
            created_at: self.now(),
        };
        self.store.create_company(company, None).await.unwrap();
        id
    }

    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let company = self.company(name).await;
        let member = format!("someone-at-{name}");
        let user = self
            .store
            .put_member(company, &member, Role::Member, Drafting::Allowed, None)
            .await
            .unwrap();
        let deployment = self.deployment(company, user).await;
        let draft = draft(company, user, "bolt", Some("1.0.0"), 1);
        let published = self.store.publish(company, deployment, draft).await.unwrap();
        let Published::New(version) = published else { panic!("{published:?}") };
        Tenant { company, name: name.to_owned(), user, version }
    }

    pub(crate) async fn deployment(&self, company: CompanyId, user: UserId) -> DeploymentId {
        let id = DeploymentId::new();
        let deployment = Deployment {
            company,
            id,
            user,
            status: Status::Running,
            upload: digest(99),
            source: None,
            name: None,
            version: None,
            function: None,
            number: None,
            stages: Vec::new(),
            faults: Vec::new(),
            created_at: self.now(),
            completed_at: None,
        };
        self.store.create_deployment(deployment, None).await.unwrap();
        id
    }

    /// Submits a task that waits.
    pub(crate) async fn queue(&self, tenant: &Tenant) -> TaskId {
        let task = self.task(tenant);
        self.store.submit(new(task.clone(), None)).await.unwrap();
        task.id
    }

    /// Submits a task and claims it.
    pub(crate) async fn start(&self, tenant: &Tenant) -> Lease {
        let id = self.queue(tenant).await;
        self.claim(tenant, id, 1).await
    }

    pub(crate) async fn claim(&self, tenant: &Tenant, task: TaskId, attempt: u32) -> Lease {
        let claim = claim(attempt);
        let claimed = self.store.claim(tenant.company, task, claim).await.unwrap();
        assert!(claimed.is_some(), "attempt {attempt} could not be claimed");
        Lease { company: tenant.company, task, attempt, token: claim.token }
    }

    pub(crate) async fn read(&self, tenant: &Tenant, id: TaskId) -> Task {
        self.store.task(tenant.company, id).await.unwrap().unwrap()
    }

    /// The kinds of all events of a resource, and whether the company's order
    /// has no gap.
    pub(crate) async fn told(&self, tenant: &Tenant, resource: uuid::Uuid) -> Vec<&'static str> {
        let all = self.store.events_after(tenant.company, None, 0, 100_000).await.unwrap();
        for (at, event) in (1..).zip(&all) {
            assert_eq!(event.seq, at, "the company's events have a gap");
        }
        let events = self.store.events_after(tenant.company, Some(resource), 0, 100).await.unwrap();
        events.iter().map(|event| event.kind.as_str()).collect()
    }

    pub(crate) fn task(&self, tenant: &Tenant) -> Task {
        Task {
            company: tenant.company,
            id: TaskId::new(),
            name: tenant.version.name.clone(),
            user: tenant.user,
            function: tenant.version.function,
            version: tenant.version.id,
            version_number: tenant.version.version.to_string(),
            state: State::Queued,
            priority: Priority::default(),
            class: QueueClass::HighPriority,
            expected_ms: 12.5,
            timeout_ms: 300_000,
            retry: RetryPolicy { max_attempts: 2, backoff_s: 1, on_user_error: false },
            attempt: 0,
            worker: None,
            cancel_requested: false,
            created_at: self.now(),
            available_at: self.now(),
            started_at: None,
            completed_at: None,
            progress: None,
            result: None,
            non_finite: Vec::new(),
            error: None,
            warnings: Vec::new(),
            measured: None,
            cached: false,
        }
    }
}

/// A database of its own on the server of all tests.
pub(crate) fn database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    SERVER.database(&format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed))).unwrap()
}

/// A database whose time the test makes pass.
pub(crate) fn by_hand() -> postgres::Options {
    postgres::Options { time: postgres::Time::Given, ..postgres::Options::default() }
}

pub(crate) fn new(task: Task, claim: Option<Claim>) -> NewTask {
    let inputs = InputsRef::Inline(br#"{"force": 1000}"#.to_vec());
    NewTask { task, inputs, cache_key: None, claim, artifacts: Vec::new() }
}

pub(crate) fn claim(attempt: u32) -> Claim {
    Claim { attempt, token: LeaseToken::random(), worker: WorkerId::new(), lease: LEASE }
}

pub(crate) fn completed(result: &str) -> Ending {
    ending(Outcome::Completed {
        result: ResultRef::Inline(result.as_bytes().to_vec()),
        non_finite: Vec::new(),
        warnings: Vec::new(),
    })
}

pub(crate) fn ending(outcome: Outcome) -> Ending {
    let measured = Measured {
        startup_ms: 1.5,
        execution_ms: 0.1 + 0.2,
        cpu_ms: 2.0,
        peak_memory_bytes: 1 << 40,
        warm: true,
    };
    Ending { outcome, progress: None, measured, artifacts: Vec::new() }
}

pub(crate) fn digest(n: u8) -> Digest {
    Digest([n; 32])
}

/// A version to be published, with an archive of its own for each `content`.
pub(crate) fn draft(
    company: CompanyId,
    user: UserId,
    name: &str,
    number: Option<&str>,
    content: u8,
) -> Draft {
    let asked = number.map(|number| number.parse().unwrap());
    let manifest = Manifest {
        metadata: Metadata {
            name: name.to_owned(),
            description: Some("Contrainte d'un boulon, ÉTÉ".to_owned()),
            author: None,
            email: None,
            tags: vec!["acier".to_owned(), "eurocode".to_owned()],
            category: Some("bolts".to_owned()),
        },
        runtime: Runtime {
            python_version: None,
            base_image: domain::manifest::BaseImage::Base,
            timeout_s: 300,
            memory_limit_mb: 2048,
            cpu_limit: 0.1 + 0.2,
            cache: false,
            retry: RetryPolicy::default(),
        },
        requirements: vec!["numpy>=1".to_owned()],
        io: Io {
            inputs_schema: serde_json::from_str(
                r#"{"type":"object","z":1e-12,"a":123456789012345678901234567890.10}"#,
            )
            .unwrap(),
            outputs_schema: Some(json!({})),
        },
        test_cases: Vec::new(),
        version: asked.clone(),
        changelog: None,
    };
    let version = Version {
        company,
        id: VersionId::new(),
        function: FunctionId::new(),
        name: name.to_owned(),
        version: asked.clone().unwrap_or(semver::Version::new(0, 0, 0)),
        archive: digest(content),
        manifest,
        environment: digest(7),
        python: PythonVersion::PREFERRED,
        python_full: "3.12.1".to_owned(),
        lock: "numpy==2.0.0 --hash=sha256:00".to_owned(),
        shared_environment: true,
        imports: vec!["numpy".to_owned()],
        warnings: Vec::new(),
        deployment: DeploymentId::new(),
        source: None,
        created_by: user,
        created_at: START,
    };
    Draft { version, number_is_asked: asked.is_some() }
}
