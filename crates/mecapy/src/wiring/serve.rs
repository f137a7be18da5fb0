//! A server in its role: everything in one process, or a part beside others.

use std::sync::Arc;

use domain::{WorkerId, clock};
use engine::{Builder, Engine, Locker, Parts};
use metrics_exporter_prometheus::PrometheusHandle;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use worker::{Locks, SandboxBuilder, Worker};

use super::{Role, data, measurements, ports};
use crate::commands::up;
use crate::console::Console;
use crate::exit::Told;
use crate::settings::Settings;

/// Starts every component, says that the server is ready, and serves until a
/// signal ends it.
///
/// # Errors
/// When a component can't start, with what to do about it.
pub fn serve(settings: Settings, console: Console, role: Role) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads())
        .enable_all()
        .build()?;
    let served = runtime.block_on(run(settings, console, role));
    // What blocks on a disk or a network has had its time.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    served
}

/// How many threads serve requests: half of the cores, as the calculations
/// need theirs, too, and a request that wanders between cores costs more than
/// one that waits its turn. What takes long runs on threads of its own.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

async fn run(settings: Settings, console: Console, role: Role) -> anyhow::Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let _held = data::hold(&settings.data)?;
    let server = Server::start(&settings, role).await?;
    let stop = CancellationToken::new();
    let (announced, served) = match &server.api {
        Some(api) => {
            let listener = listener(&settings).await?;
            let announced = up::ready(&settings, console, listener.local_addr()?)?;
            let served = api.clone().serve(listener, stop.clone().cancelled_owned());
            (Some(announced), Some(served))
        }
        None => {
            up::working(&settings, console);
            (None, None)
        }
    };
    let serve = async {
        if let Some(served) = served {
            served.await;
        }
    };
    let ended = async {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        // A second signal is a person who does not want to wait.
        tracing::info!("stopping: running calculations may end, new ones are refused");
        stop.cancel();
        server.stop(settings.drain).await;
    };
    tokio::join!(serve, ended);
    drop(announced);
    Ok(())
}

async fn listener(settings: &Settings) -> Result<TcpListener, Told> {
    let address = settings.listen();
    TcpListener::bind(address).await.map_err(|error| {
        Told::new(
            format!("nothing can listen on {address}: {error}; choose another port with --port"),
            format!("impossible d’écouter sur {address} : {error} ; choisissez un autre port avec --port"),
        )
    })
}

/// All components of a server.
struct Server {
    engine: Engine,
    worker: Option<(WorkerId, Worker, Arc<SandboxBuilder>)>,
    api: Option<api::Api>,
    background: TaskTracker,
}

impl Server {
    async fn start(settings: &Settings, role: Role) -> anyhow::Result<Self> {
        let shared = settings.redis.is_some();
        let metrics = measurements::collect()?;
        let store = ports::store(settings, role, Arc::new(clock::System)).await?;
        // One time for all processes on one database.
        let clock = store.clock();
        let blobs = ports::blobs(settings, &clock).await?;
        let broker = ports::broker(settings, &clock).await?;
        let environments =
            environment::Environments::open(super::environments(settings), clock.clone()).await?;
        let worker_settings = super::worker(settings);
        let (locker, builder): (Arc<dyn Locker>, _) = match role {
            Role::Api => (Arc::new(Locks::new(environments)), None),
            Role::Whole | Role::Worker => {
                let instance = super::instance(&settings.data);
                let built = super::builder(instance, environments, worker_settings.clone());
                let builder = Arc::new(built.await?);
                (builder.clone(), Some(builder))
            }
        };
        let engine = Engine::new(Parts {
            store,
            blobs,
            broker,
            locker,
            builder: builder.clone().map(|builder| builder as Arc<dyn Builder>),
            shared,
            clock: clock.clone(),
            limits: settings.limits.clone(),
            policy: settings.static_check.parse()?,
            sessions: settings.sessions,
            git: super::git(settings)?,
        });
        if role != Role::Worker {
            data::admin_token(&engine, settings, role).await?;
        }
        let id = WorkerId::new();
        if !shared {
            let recovered = engine.recover(id).await?;
            if recovered != Default::default() {
                tracing::info!(?recovered, "work of an earlier server goes on");
            }
        }
        let background = TaskTracker::new();
        let worker = builder.map(|builder| {
            let of = (engine.clone(), builder.clone());
            (id, Worker::start(id, of.0, of.1, worker_settings, clock.as_ref()), builder)
        });
        for job in jobs(&engine, worker.is_some().then_some(id), shared) {
            background.spawn(job);
        }
        let api = match role {
            Role::Worker => None,
            Role::Whole | Role::Api => Some(api(settings, &engine, metrics).await?),
        };
        Ok(Self { engine, worker, api, background })
    }

    /// Lets running calculations end within `patience`, then closes.
    async fn stop(&self, patience: std::time::Duration) {
        if let Some((id, worker, _)) = &self.worker {
            worker.drain(patience).await;
            if let Err(error) = self.engine.give_back(*id).await {
                tracing::warn!("deployments are taken over when their lease ends: {error}");
            }
        }
        self.engine.close().await;
        self.background.close();
        self.background.wait().await;
        if let Some((_, _, builder)) = &self.worker {
            builder.close().await;
        }
    }
}

type Job = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// What goes on beside requests and runs until the engine closes.
fn jobs(engine: &Engine, worker: Option<WorkerId>, shared: bool) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    if worker.is_some() && !shared {
        let engine = engine.clone();
        jobs.push(Box::pin(async move { engine.reap_until_closed().await }));
    }
    if shared {
        let (obeying, rebuilding) = (engine.clone(), engine.clone());
        jobs.push(Box::pin(async move { obeying.obey_until_closed().await }));
        jobs.push(Box::pin(async move { rebuilding.rebuild_until_closed().await }));
    }
    if let Some(id) = worker.filter(|_| shared) {
        let (deploying, beating) = (engine.clone(), engine.clone());
        jobs.push(Box::pin(async move { deploying.deploy_until_closed(id).await }));
        jobs.push(Box::pin(async move { beating.beat_until_closed().await }));
    }
    jobs
}

async fn api(
    settings: &Settings,
    engine: &Engine,
    metrics: PrometheusHandle,
) -> anyhow::Result<api::Api> {
    let without_token = match settings.token_verification {
        true => None,
        false => {
            tracing::warn!(
                "TOKEN_VERIFICATION_ENABLED=false: a request without a token acts as the \
                 administrator; whoever reaches {} can do anything",
                settings.listen()
            );
            Some(engine.administrator().await?)
        }
    };
    Ok(api::Api::new(
        engine.clone(),
        api::Settings {
            limits: settings.limits.clone(),
            without_token,
            rates: settings.rates,
            streams: settings.streams,
            trusted_proxies: settings.trusted_proxies.clone(),
            cors_origins: settings.cors_allow_origins.clone(),
            metrics: Some(metrics),
            connections: connections(settings.connections),
            head_timeout: settings.head_timeout,
            body_pause: settings.body_pause,
            ..api::Settings::default()
        },
    )?)
}

/// How many connections the system leaves room for, up to `wanted`, beside the
/// files that the server opens itself.
fn connections(wanted: u32) -> usize {
    const BESIDE: u64 = 512;
    let limit = getrlimit(Resource::Nofile);
    // Whoever raises the hard limit for a server means the server to use it.
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let most = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let room = most.map_or(u64::MAX, |files| files.saturating_sub(BESIDE).max(files / 2));
    let open = u64::from(wanted).min(room);
    if open < u64::from(wanted) {
        tracing::warn!(open, wanted, "fewer connections than set: the limit of open files is low");
    }
    usize::try_from(open).unwrap_or(usize::MAX)
}
