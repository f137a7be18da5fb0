//! Everything in one process: `mecapy up`.

use std::sync::Arc;

use domain::{Clock, WorkerId, clock};
use engine::{Engine, Parts};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use store::migrate::Target;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use worker::{SandboxBuilder, Worker};

use super::{data, measurements};
use crate::commands::up;
use crate::console::Console;
use crate::exit::Told;
use crate::settings::Settings;

/// Starts every component, says that the server is ready, and serves until a
/// signal ends it.
///
/// # Errors
/// When a component can't start, with what to do about it.
pub fn serve(settings: Settings, console: Console) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads())
        .enable_all()
        .build()?;
    let served = runtime.block_on(run(settings, console));
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

async fn run(settings: Settings, console: Console) -> anyhow::Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let _held = data::hold(&settings.data)?;
    let server = Server::start(&settings).await?;

    let listener = TcpListener::bind(settings.listen()).await.map_err(|error| {
        let address = settings.listen();
        Told::new(
            format!("nothing can listen on {address}: {error}; choose another port with --port"),
            format!("impossible d’écouter sur {address} : {error} ; choisissez un autre port avec --port"),
        )
    })?;
    let announced = up::ready(&settings, console, listener.local_addr()?)?;
    let stop = CancellationToken::new();
    let api = server.api.clone().serve(listener, stop.clone().cancelled_owned());
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
    tokio::join!(api, ended);
    drop(announced);
    Ok(())
}

/// All components of an embedded server.
struct Server {
    engine: Engine,
    worker: Worker,
    builder: Arc<SandboxBuilder>,
    api: api::Api,
    reaper: tokio_util::task::TaskTracker,
}

impl Server {
    async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(clock::System);
        let metrics = measurements::collect()?;
        let store = store(settings, clock).await?;
        // One time for all processes on one database.
        let clock = store.clock();
        let blobs = blobs::Directory::open(settings.data.join("blobs"))?;
        let broker = broker::InProcess::new((&settings.limits).into(), clock.clone());
        let environments =
            environment::Environments::open(super::environments(settings), clock.clone()).await?;
        let worker_settings = super::worker(settings);
        let instance = super::instance(&settings.data);
        let builder =
            Arc::new(super::builder(instance, environments, worker_settings.clone()).await?);
        let engine = Engine::new(Parts {
            store,
            blobs: Arc::new(blobs),
            broker: Arc::new(broker),
            builder: builder.clone(),
            clock: clock.clone(),
            limits: settings.limits.clone(),
            policy: settings.static_check.parse()?,
            sessions: settings.sessions,
            git: super::git(settings)?,
        });
        data::admin_token(&engine, settings).await?;
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

        let id = WorkerId::new();
        let recovered = engine.recover(id).await?;
        if recovered != Default::default() {
            tracing::info!(?recovered, "work of an earlier server goes on");
        }
        let worker =
            Worker::start(id, engine.clone(), builder.clone(), worker_settings, clock.as_ref());
        let reaper = tokio_util::task::TaskTracker::new();
        let reaping = engine.clone();
        reaper.spawn(async move { reaping.reap_until_closed().await });
        let api = api::Api::new(
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
        )?;
        Ok(Self { engine, worker, builder, api, reaper })
    }

    /// Lets running calculations end within `patience`, then closes.
    async fn stop(&self, patience: std::time::Duration) {
        self.worker.drain(patience).await;
        self.engine.close().await;
        self.reaper.close();
        self.reaper.wait().await;
        self.builder.close().await;
    }
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

async fn store(settings: &Settings, clock: Arc<dyn Clock>) -> anyhow::Result<store::Handle> {
    let options = store::Options { postgres: settings.pool, ..store::Options::default() };
    let database = &settings.database;
    let opened = async {
        let of = database.clone();
        let keep = move || super::keep_copy(&of, &Target::Newest);
        // A copy may take as long as it takes.
        let copy = tokio::task::spawn_blocking(keep).await;
        if let Some(copy) = copy.unwrap_or(Err(store::Error::Closed))? {
            tracing::info!(copy = %copy.display(), "kept a copy of the database before it is migrated");
        }
        store::open(database, clock, options).await
    };
    opened.await.map_err(|error| {
        let error = error.text();
        Told::new(
            format!("the database {database} can't be opened: {}", error.en),
            format!("la base de données {database} ne peut pas être ouverte : {}", error.fr),
        )
        .into()
    })
}
