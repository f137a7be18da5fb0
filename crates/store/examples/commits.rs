//! Measures what the database costs: single commits, commits in a crowd,
//! look-ups, and a hop to another thread and back; and the same lives of tasks
//! on both databases.
//!
//! `cargo run --release -p store --example commits`, with `both` behind it for
//! the comparison alone; the figures stand in
//! `docs/decisions/0002-rusqlite-one-writer.md` and `0015-one-sql.md`.

#![expect(clippy::print_stdout, reason = "it is a program that prints figures")]
#![expect(clippy::unwrap_used, reason = "a measurement may end at the first surprise")]

use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::clock::{Clock as _, System};
use domain::manifest::{BaseImage, Io, Manifest, Metadata, PythonVersion, RetryPolicy, Runtime};
use domain::permission::Role;
use domain::task::{Measured, Priority, QueueClass, State};
use domain::{
    CompanyId, DeploymentId, Digest, FunctionId, LeaseToken, TaskId, UserId, VersionId, WorkerId,
};
use store::accounts::{Company, Drafting};
use store::deployments::{Deployment, Draft, Published, Status};
use store::functions::Version;
use store::tasks::{Claim, Ending, InputsRef, Lease, NewTask, Outcome, ResultRef, Task};
use store::{Handle, postgres, sqlite};
use test_support::postgres::Postgres;

const ALONE: usize = 5_000;
const CROWD: usize = 64;
const IN_CROWD: usize = 400;

#[tokio::main]
async fn main() {
    both().await;
    if std::env::args().any(|argument| argument == "both") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    println!("one write and fdatasync of 40 KiB, file of fixed size");
    show(&disk(folder.path()));

    let path = folder.path().join("mecapy.db");
    let store = sqlite::open(&path, Arc::new(System), sqlite::Options::default()).unwrap();
    let tenant = Tenant::new(&store).await;

    // The first round grows the files; the second overwrites them.
    for round in ["first", "second"] {
        let (mut submits, mut finishes) = (Vec::new(), Vec::new());
        for _ in 0..ALONE {
            let (task, lease) = tenant.claimed();
            submits.push(timed(store.submit(task)).await);
            finishes.push(timed(store.finish(lease, ending())).await);
        }
        println!("submit with claim, alone, {round} {ALONE}");
        show(&submits);
        println!("finish, alone, {round} {ALONE}");
        show(&finishes);
    }

    let begin = Instant::now();
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..CROWD {
        let (store, tenant) = (Arc::clone(&store), tenant.clone());
        crowd.spawn(async move {
            let mut took = Vec::new();
            for _ in 0..IN_CROWD {
                took.push(timed(store.submit(tenant.queued())).await);
            }
            took
        });
    }
    let took = crowd.join_all().await.concat();
    let rate = took.len() as f64 / begin.elapsed().as_secs_f64();
    println!("submit, {CROWD} at once: {rate:.0} per second");
    show(&took);

    println!("an insert of two columns, {CROWD} at once, a connection and a commit for each");
    show(&pooled(&folder.path().join("pooled.db")));

    let task = tenant.queued();
    let id = task.task.id;
    store.submit(task).await.unwrap();
    let mut look_ups = Vec::new();
    for _ in 0..ALONE {
        look_ups.push(timed(store.task(tenant.version.company, id)).await);
    }
    println!("look-up of a task, in place");
    show(&look_ups);
    let mut hops = Vec::new();
    for _ in 0..ALONE {
        hops.push(timed(async { tokio::task::spawn_blocking(|| ()).await }).await);
    }
    println!("empty hop through spawn_blocking");
    show(&hops);
    println!("empty hop through a thread of one's own, channel and oneshot");
    show(&channel_hops().await);
    store.close().await;
}

/// The same work on both databases, each with a disk that is waited for.
async fn both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.db");
    let store = sqlite::open(&path, Arc::new(System), sqlite::Options::default()).unwrap();
    compare("SQLite", store).await;
    let server = Postgres::start_durable().unwrap();
    let options = postgres::Options::default();
    let store = postgres::open(&server.url(), Arc::new(System), options).await.unwrap();
    compare("PostgreSQL", store).await;
}

async fn compare(name: &str, store: Handle) {
    let tenant = Tenant::new(&store).await;
    for (at_once, each) in [(1, 2_000), (CROWD, 100)] {
        let begin = Instant::now();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..at_once {
            let (store, tenant) = (Arc::clone(&store), tenant.clone());
            all.spawn(async move {
                let mut took = Vec::new();
                for _ in 0..each {
                    took.push(timed(tenant.live(&store)).await);
                }
                took
            });
        }
        let took = all.join_all().await.concat();
        let rate = 3.0 * took.len() as f64 / begin.elapsed().as_secs_f64();
        println!(
            "{name}: submit, claim and finish, {at_once} at once: {rate:.0} writes per second"
        );
        show(&took);
    }
    let (task, _) = tenant.claimed();
    let id = task.task.id;
    store.submit(task).await.unwrap();
    let mut look_ups = Vec::new();
    for _ in 0..ALONE {
        look_ups.push(timed(store.task(tenant.version.company, id)).await);
    }
    println!("{name}: look-up of a task");
    show(&look_ups);
    store.close().await;
}

fn disk(folder: &std::path::Path) -> Vec<Duration> {
    let mut file = std::fs::File::create(folder.join("disk")).unwrap();
    let pages = vec![7; 40 << 10];
    for _ in 0..64 {
        file.write_all(&pages).unwrap();
    }
    file.sync_all().unwrap();
    let mut took = Vec::new();
    for _ in 0..1000 {
        file.seek(SeekFrom::Start(0)).unwrap();
        let begin = Instant::now();
        file.write_all(&pages).unwrap();
        file.sync_data().unwrap();
        took.push(begin.elapsed());
    }
    took
}

/// What a pool of connections does: every write takes the lock for itself,
/// and who finds it taken sleeps and tries again.
fn pooled(path: &std::path::Path) -> Vec<Duration> {
    let connect = || {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.busy_timeout(Duration::from_secs(60)).unwrap();
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                       CREATE TABLE IF NOT EXISTS t (id BLOB PRIMARY KEY, body BLOB)";
        connection.execute_batch(pragmas).unwrap();
        connection
    };
    drop(connect());
    let begin = Instant::now();
    let took: Vec<Duration> = std::thread::scope(|scope| {
        let write = || {
            let connection = connect();
            let insert = |_| {
                let begin = Instant::now();
                let id = uuid::Uuid::now_v7();
                connection
                    .prepare_cached("INSERT INTO t VALUES (?, ?)")
                    .unwrap()
                    .execute((&id.as_bytes()[..], &[7_u8; 500][..]))
                    .unwrap();
                begin.elapsed()
            };
            (0..50).map(insert).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..CROWD).map(|_| scope.spawn(write)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    println!("    {:.0} per second", took.len() as f64 / begin.elapsed().as_secs_f64());
    took
}

async fn channel_hops() -> Vec<Duration> {
    let (calls, mut called) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>(64);
    let thread = std::thread::spawn(move || {
        while let Some(reply) = called.blocking_recv() {
            reply.send(()).unwrap();
        }
    });
    let mut took = Vec::new();
    for _ in 0..ALONE {
        let begin = Instant::now();
        let (reply, answer) = tokio::sync::oneshot::channel();
        calls.send(reply).await.unwrap();
        answer.await.unwrap();
        took.push(begin.elapsed());
    }
    drop(calls);
    thread.join().unwrap();
    took
}

async fn timed<T, E: std::fmt::Debug>(work: impl Future<Output = Result<T, E>>) -> Duration {
    let begin = Instant::now();
    work.await.unwrap();
    begin.elapsed()
}

fn show(took: &[Duration]) {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = |q: f64| sorted[((sorted.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    println!(
        "    p50 {:.3} ms   p95 {:.3} ms   p99 {:.3} ms   max {:.3} ms",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
}

#[derive(Clone)]
struct Tenant {
    version: Version,
    user: UserId,
    worker: WorkerId,
}

impl Tenant {
    async fn new(store: &Handle) -> Self {
        let (company, created_at) = (CompanyId::new(), System.now());
        let row = Company {
            id: company,
            name: "acme".to_owned(),
            weight: 1.0,
            max_running: None,
            max_queued: None,
            budget: Default::default(),
            created_at,
        };
        store.create_company(row, None).await.unwrap();
        let user = store
            .put_member(company, "someone", Role::Member, Drafting::Allowed, None)
            .await
            .unwrap();
        let id = DeploymentId::new();
        let deployment = Deployment {
            company,
            id,
            user,
            status: Status::Running,
            upload: Digest([1; 32]),
            source: None,
            name: None,
            version: None,
            function: None,
            number: None,
            stages: Vec::new(),
            faults: Vec::new(),
            created_at,
            completed_at: None,
        };
        store.create_deployment(deployment, None).await.unwrap();
        let draft = Draft { version: version(company, user), number_is_asked: true };
        let Published::New(version) = store.publish(company, id, draft).await.unwrap() else {
            panic!("expected a new version")
        };
        Self { version, user, worker: WorkerId::new() }
    }

    fn queued(&self) -> NewTask {
        let now = System.now();
        let task = Task {
            company: self.version.company,
            id: TaskId::new(),
            name: self.version.name.clone(),
            user: self.user,
            function: self.version.function,
            version: self.version.id,
            version_number: "1.0.0".to_owned(),
            state: State::Queued,
            priority: Priority::default(),
            class: QueueClass::HighPriority,
            expected_ms: 3.0,
            timeout_ms: 300_000,
            retry: RetryPolicy::default(),
            attempt: 0,
            worker: None,
            cancel_requested: false,
            created_at: now,
            available_at: now,
            started_at: None,
            completed_at: None,
            progress: None,
            result: None,
            non_finite: Vec::new(),
            error: None,
            warnings: Vec::new(),
            measured: None,
            cached: false,
        };
        let inputs = InputsRef::Inline(br#"{"force": 1000, "section": 10}"#.to_vec());
        NewTask { task, inputs, cache_key: None, claim: None, artifacts: Vec::new() }
    }

    /// The three writes of a task's life.
    async fn live(&self, store: &Handle) -> Result<(), store::Error> {
        let new = self.queued();
        let (company, id, token) = (new.task.company, new.task.id, LeaseToken::random());
        store.submit(new).await?;
        let lease = Duration::from_secs(30);
        let claim = Claim { attempt: 1, token, worker: self.worker, lease };
        store.claim(company, id, claim).await?.unwrap();
        store.finish(Lease { company, task: id, attempt: 1, token }, ending()).await.map(drop)
    }

    fn claimed(&self) -> (NewTask, Lease) {
        let mut new = self.queued();
        let token = LeaseToken::random();
        let lease = Duration::from_secs(30);
        new.claim = Some(Claim { attempt: 1, token, worker: self.worker, lease });
        let lease = Lease { company: new.task.company, task: new.task.id, attempt: 1, token };
        (new, lease)
    }
}

fn ending() -> Ending {
    let result = br#"{"stress": 100.0, "safety_factor": 2.35, "status": "ok"}"#.to_vec();
    Ending {
        outcome: Outcome::Completed {
            result: ResultRef::Inline(result),
            non_finite: Vec::new(),
            warnings: Vec::new(),
        },
        progress: None,
        measured: Measured { execution_ms: 1.0, ..Measured::default() },
        artifacts: Vec::new(),
    }
}

fn version(company: CompanyId, user: UserId) -> Version {
    let metadata = Metadata {
        name: "bolt-stress".to_owned(),
        description: None,
        author: None,
        email: None,
        tags: Vec::new(),
        category: None,
    };
    let runtime = Runtime {
        python_version: None,
        base_image: BaseImage::Base,
        timeout_s: 300,
        memory_limit_mb: 2048,
        cpu_limit: 2.0,
        cache: false,
        retry: RetryPolicy::default(),
    };
    let manifest = Manifest {
        metadata,
        runtime,
        requirements: Vec::new(),
        io: Io { inputs_schema: serde_json::json!({}), outputs_schema: None },
        test_cases: Vec::new(),
        version: None,
        changelog: None,
    };
    Version {
        company,
        id: VersionId::new(),
        function: FunctionId::new(),
        name: "bolt-stress".to_owned(),
        version: semver::Version::new(1, 0, 0),
        archive: Digest([2; 32]),
        manifest,
        environment: Digest([3; 32]),
        python: PythonVersion::PREFERRED,
        python_full: "3.12.1".to_owned(),
        lock: String::new(),
        shared_environment: true,
        imports: Vec::new(),
        warnings: Vec::new(),
        deployment: DeploymentId::new(),
        source: None,
        created_by: user,
        created_at: System.now(),
    }
}
