//! Warm templates within a memory budget, and the runs that stand ready.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{CompanyId, Digest};
use engine::TemplateStatus;
use environment::Environment;
use sandbox::{Error, Interpreter, Preloaded, Ready, Template, TemplateLimits, TemplateSpec};
use tokio_util::task::TaskTracker;

use crate::supervisor::Supervisor;

/// Whom a template serves. Wheels are code of whoever chose them, so a
/// template with more than a base image's packages stays in its company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) environment: Digest,
    /// `None`: every company.
    pub(crate) company: Option<CompanyId>,
}

/// What a template is made of.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) key: Key,
    pub(crate) interpreter: Interpreter,
    pub(crate) packages: PathBuf,
    /// Held as long as the template stands, so that it is not collected.
    pub(crate) environment: Environment,
    /// Modules to be there before the fork.
    pub(crate) imports: Vec<String>,
}

/// How much is kept warm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) memory_bytes: u64,
    pub(crate) ready: u32,
    /// After so many runs, or so much time, a template is replaced: its runs
    /// share one address layout and one hash seed.
    pub(crate) runs: u64,
    pub(crate) age: Duration,
    pub(crate) start: Duration,
}

/// When nobody took a run for this long, more are prepared.
const PAUSE: Duration = Duration::from_millis(5);
/// How many runs a template that was never idle serves before it settles.
const LONG_BUSY_RUNS: u64 = 64;
/// Memory of one ready run beyond its template, as measured generously.
const READY_BYTES: u64 = 3 << 20;

/// All warm templates of a worker.
#[derive(Clone)]
pub(crate) struct Templates(Arc<Inner>);

struct Inner {
    supervisor: Arc<Supervisor>,
    budget: Budget,
    standing: Mutex<HashMap<Key, Arc<Warm>>>,
    /// Who starts or extends which template, so that it is done once.
    changing: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
    /// Whose imports keep runs from being isolated: theirs import by
    /// themselves.
    unfit: Mutex<HashSet<Key>>,
    warm_starts: AtomicU64,
    cold_starts: AtomicU64,
    jobs: TaskTracker,
}

/// One standing template.
pub(crate) struct Warm {
    key: Key,
    template: Template,
    /// With every module that was asked for, whether it could be loaded or not.
    wanted: Mutex<Wanted>,
    born: Instant,
    renewing: AtomicBool,
    ready: Mutex<VecDeque<Ready>>,
    refilling: AtomicBool,
    /// Whether its memory is laid out for further runs.
    settled: AtomicBool,
    few_left: tokio::sync::Notify,
    used_at: Mutex<Instant>,
    runs: AtomicU64,
    memory_bytes: AtomicU64,
}

/// A run to be assigned, and whether its template stood already.
pub(crate) struct Start {
    pub(crate) ready: Ready,
    pub(crate) warm: bool,
    pub(crate) template: Arc<Warm>,
}

impl Templates {
    pub(crate) fn new(supervisor: Arc<Supervisor>, budget: Budget) -> Self {
        Self(Arc::new(Inner {
            supervisor,
            budget,
            standing: Mutex::default(),
            changing: Mutex::default(),
            unfit: Mutex::default(),
            warm_starts: AtomicU64::new(0),
            cold_starts: AtomicU64::new(0),
            jobs: TaskTracker::new(),
        }))
    }

    /// A ready run of a template, which `stood` before it was asked for.
    pub(crate) async fn start(&self, warm: Arc<Warm>, stood: bool) -> Result<Start, Error> {
        let waiting = warm.pop();
        if warm.is_low(self.0.budget.ready) {
            warm.few_left.notify_waiters();
        }
        let prepared = match waiting {
            Some(ready) => Ok(ready),
            None => warm.template.prepare().await,
        };
        let (warm, stood, ready) = match prepared {
            Ok(ready) => (warm, stood, ready),
            Err(Error::Unfit(reason)) if !self.is_unfit(&warm.key) => {
                let fresh = self.without_imports(&warm, &reason).await?;
                let ready = match fresh.pop() {
                    Some(ready) => ready,
                    None => fresh.template.prepare().await?,
                };
                (fresh, false, ready)
            }
            Err(error) => return Err(error),
        };
        let counter = if stood { &self.0.warm_starts } else { &self.0.cold_starts };
        counter.fetch_add(1, Ordering::Relaxed);
        warm.runs.fetch_add(1, Ordering::Relaxed);
        *lock(&warm.used_at) = Instant::now();
        if self.is_worn(&warm) {
            self.renew(&warm);
        }
        Ok(Start { ready, warm: stood, template: warm })
    }

    /// The wanted template with its imports loaded, and whether it stood.
    pub(crate) async fn standing(&self, wanted: &Wanted) -> Result<(Arc<Warm>, bool), Error> {
        if let Some(warm) = self.fit(&wanted.key, &wanted.imports) {
            return Ok((warm, true));
        }
        let turn = lock(&self.0.changing).entry(wanted.key).or_default().clone();
        let _turn = turn.lock().await;
        if let Some(warm) = self.fit(&wanted.key, &wanted.imports) {
            return Ok((warm, true));
        }
        let alive = self.alive(&wanted.key);
        let warm = match alive {
            Some(warm) => {
                let imports = !self.is_unfit(&wanted.key);
                warm.extend(&wanted.imports, imports).await?;
                warm
            }
            None => self.raise(wanted).await?,
        };
        warm.measure();
        self.evict(&wanted.key).await;
        Ok((warm, false))
    }

    /// Prepares runs behind one that was taken, in the background.
    pub(crate) fn refill(&self, warm: &Arc<Warm>) {
        let full = lock(&warm.ready).len() >= self.0.budget.ready as usize;
        let done = full && warm.settled.load(Ordering::Relaxed);
        if done || warm.refilling.swap(true, Ordering::AcqRel) {
            return;
        }
        let (templates, warm) = (self.clone(), warm.clone());
        self.0.jobs.spawn(async move {
            templates.await_pause(&warm).await;
            let settles = warm.may_settle();
            if settles {
                warm.settle().await;
            }
            templates.fill(&warm).await;
            if settles {
                warm.measure();
            }
            warm.refilling.store(false, Ordering::Release);
        });
    }

    /// Waits until nobody has taken a run for a moment, or few are left. A fork
    /// behind each of several runs that follow each other would take the cores
    /// from them.
    async fn await_pause(&self, warm: &Warm) {
        loop {
            let few = warm.few_left.notified();
            let idle = lock(&warm.used_at).elapsed();
            if idle >= PAUSE || warm.is_low(self.0.budget.ready) {
                return;
            }
            // Either is a reason to look again.
            let _ = tokio::time::timeout(PAUSE - idle, few).await;
        }
    }

    async fn fill(&self, warm: &Arc<Warm>) {
        while lock(&warm.ready).len() < self.0.budget.ready as usize && warm.template.is_alive() {
            match warm.template.prepare().await {
                Ok(ready) => lock(&warm.ready).push_back(ready),
                // Whoever needs the next run finds out, and acts on it.
                Err(error) => {
                    tracing::debug!("no run could be prepared ahead: {error}");
                    return;
                }
            }
        }
    }

    /// Ends every template and ready run.
    pub(crate) async fn close(&self) {
        let standing: Vec<_> = lock(&self.0.standing).drain().map(|(_, warm)| warm).collect();
        for warm in standing {
            lock(&warm.ready).clear();
            warm.template.stop().await;
        }
        self.0.jobs.close();
        self.0.jobs.wait().await;
    }

    pub(crate) fn status(&self) -> Vec<TemplateStatus> {
        let standing = lock(&self.0.standing);
        let mut all: Vec<_> = standing
            .values()
            .map(|warm| {
                // Let go of before `cost` takes the same lock.
                let ready = lock(&warm.ready).len();
                TemplateStatus {
                    environment: warm.key.environment.to_string(),
                    shared: warm.key.company.is_none(),
                    ready: u32::try_from(ready).unwrap_or(u32::MAX),
                    memory_bytes: warm.cost(),
                }
            })
            .collect();
        all.sort_by(|a, b| a.environment.cmp(&b.environment));
        all
    }

    pub(crate) fn warm_starts(&self) -> u64 {
        self.0.warm_starts.load(Ordering::Relaxed)
    }

    pub(crate) fn cold_starts(&self) -> u64 {
        self.0.cold_starts.load(Ordering::Relaxed)
    }

    /// The standing template where it needs nothing more for this.
    pub(crate) fn fit(&self, key: &Key, imports: &[String]) -> Option<Arc<Warm>> {
        let warm = self.alive(key)?;
        let complete = {
            let asked = &lock(&warm.wanted).imports;
            imports.iter().all(|module| asked.contains(module))
        };
        complete.then_some(warm)
    }

    fn alive(&self, key: &Key) -> Option<Arc<Warm>> {
        let mut standing = lock(&self.0.standing);
        let warm = standing.get(key)?;
        // Its replacement comes long before, unless it can't be started.
        let usable = warm.runs.load(Ordering::Relaxed) < 2 * self.0.budget.runs;
        if warm.template.is_alive() && usable {
            return Some(warm.clone());
        }
        standing.remove(key);
        None
    }

    /// Starts a template and proves it with its first run. Where what it has
    /// imported keeps runs from being isolated, it is started without.
    async fn raise(&self, wanted: &Wanted) -> Result<Arc<Warm>, Error> {
        let sandbox = self.0.supervisor.sandbox().await?;
        loop {
            let preload = match self.is_unfit(&wanted.key) {
                true => Vec::new(),
                false => wanted.imports.clone(),
            };
            let imports = !preload.is_empty();
            let template = sandbox
                .start_template(TemplateSpec {
                    packages: vec![wanted.packages.clone()],
                    preload,
                    limits: TemplateLimits {
                        start: self.0.budget.start,
                        ..TemplateLimits::default()
                    },
                    ..TemplateSpec::new(wanted.interpreter.clone())
                })
                .await?;
            tell_dropped(&template.preloaded());
            match template.prepare().await {
                Ok(first) => return Ok(self.stand(wanted, template, first)),
                Err(Error::Unfit(reason)) if imports => self.mark_unfit(&wanted.key, &reason),
                Err(error) => return Err(error),
            }
        }
    }

    fn stand(&self, wanted: &Wanted, template: Template, first: Ready) -> Arc<Warm> {
        let warm = Arc::new(Warm {
            key: wanted.key,
            template,
            wanted: Mutex::new(wanted.clone()),
            born: Instant::now(),
            renewing: AtomicBool::new(false),
            ready: Mutex::new(VecDeque::from([first])),
            refilling: AtomicBool::new(false),
            settled: AtomicBool::new(false),
            few_left: tokio::sync::Notify::new(),
            used_at: Mutex::new(Instant::now()),
            runs: AtomicU64::new(0),
            memory_bytes: AtomicU64::new(0),
        });
        lock(&self.0.standing).insert(wanted.key, warm.clone());
        warm
    }

    fn is_worn(&self, warm: &Warm) -> bool {
        warm.runs.load(Ordering::Relaxed) >= self.0.budget.runs
            || warm.born.elapsed() >= self.0.budget.age
    }

    /// Puts a fresh template in the place of a worn one, which serves until
    /// then and ends with its last run.
    fn renew(&self, warm: &Arc<Warm>) {
        if warm.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (templates, warm) = (self.clone(), warm.clone());
        self.0.jobs.spawn(async move {
            let turn = lock(&templates.0.changing).entry(warm.key).or_default().clone();
            let _turn = turn.lock().await;
            let wanted = lock(&warm.wanted).clone();
            match templates.raise(&wanted).await {
                Ok(fresh) => {
                    fresh.measure();
                    lock(&warm.ready).clear();
                    templates.refill(&fresh);
                }
                Err(error) => {
                    tracing::warn!("a worn template can't be replaced: {error}");
                    warm.renewing.store(false, Ordering::Release);
                }
            }
        });
    }

    /// A template whose runs import by themselves, in the place of one that
    /// turned out to be unfit.
    async fn without_imports(&self, warm: &Warm, reason: &str) -> Result<Arc<Warm>, Error> {
        let turn = lock(&self.0.changing).entry(warm.key).or_default().clone();
        let _turn = turn.lock().await;
        if self.is_unfit(&warm.key)
            && let Some(fresh) = self.alive(&warm.key)
        {
            return Ok(fresh);
        }
        self.mark_unfit(&warm.key, reason);
        let wanted = lock(&warm.wanted).clone();
        self.raise(&wanted).await
    }

    fn mark_unfit(&self, key: &Key, reason: &str) {
        let environment = key.environment;
        tracing::warn!(%environment, "its runs import by themselves from now on: {reason}");
        lock(&self.0.unfit).insert(*key);
    }

    fn is_unfit(&self, key: &Key) -> bool {
        lock(&self.0.unfit).contains(key)
    }

    /// Ends the longest unused templates until the rest fit the budget; the
    /// one that is wanted now stays, however large.
    async fn evict(&self, wanted: &Key) {
        loop {
            let victim = {
                let mut standing = lock(&self.0.standing);
                let total: u64 = standing.values().map(|warm| warm.cost()).sum();
                if total <= self.0.budget.memory_bytes {
                    return;
                }
                let oldest = standing
                    .values()
                    .filter(|warm| warm.key != *wanted)
                    .min_by_key(|warm| *lock(&warm.used_at))
                    .map(|warm| warm.key);
                let Some(oldest) = oldest else { return };
                standing.remove(&oldest)
            };
            if let Some(victim) = victim {
                tracing::info!(environment = %victim.key.environment, "a template makes room");
                lock(&victim.ready).clear();
                victim.template.stop().await;
            }
        }
    }
}

impl Warm {
    /// The process that runs are forked from.
    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    /// Whether a third of the runs that shall be ready is left, or less.
    fn is_low(&self, wanted: u32) -> bool {
        lock(&self.ready).len() <= wanted as usize / 3
    }

    fn pop(&self) -> Option<Ready> {
        let mut ready = lock(&self.ready);
        while let Some(next) = ready.pop_front() {
            if next.is_alive() {
                return Some(next);
            }
        }
        None
    }

    /// Whether this is a moment in which nobody waits for a run, or one has to
    /// be chosen at last.
    fn may_settle(&self) -> bool {
        !self.settled.load(Ordering::Relaxed)
            && (lock(&self.used_at).elapsed() >= PAUSE
                || self.runs.load(Ordering::Relaxed) >= LONG_BUSY_RUNS)
    }

    /// Lays out the template's memory. Runs forked before hold on to the old
    /// layout and are thrown away.
    pub(crate) async fn settle(&self) {
        if self.settled.swap(true, Ordering::Relaxed) {
            return;
        }
        match self.template.settle().await {
            Ok(()) => lock(&self.ready).clear(),
            Err(error) => tracing::debug!("a template can't be settled: {error}"),
        }
    }

    /// Loads what further functions of this environment import, where that is
    /// to be done ahead. Runs forked before lack it and are thrown away.
    async fn extend(&self, imports: &[String], ahead: bool) -> Result<(), Error> {
        let missing: Vec<_> = {
            let asked = &lock(&self.wanted).imports;
            imports.iter().filter(|module| !asked.contains(*module)).cloned().collect()
        };
        if ahead && !missing.is_empty() {
            let preloaded = self.template.preload(&missing).await?;
            tell_dropped(&preloaded);
            lock(&self.ready).clear();
            self.settled.store(false, Ordering::Relaxed);
        }
        lock(&self.wanted).imports.extend(missing);
        Ok(())
    }

    fn measure(&self) {
        match self.template.memory_bytes() {
            Ok(bytes) => self.memory_bytes.store(bytes, Ordering::Relaxed),
            Err(error) => tracing::debug!("a template's memory can't be read: {error}"),
        }
    }

    fn cost(&self) -> u64 {
        let ready = lock(&self.ready).len() as u64;
        self.memory_bytes.load(Ordering::Relaxed) + ready * READY_BYTES
    }
}

/// Says which modules each run has to import by itself, and why.
fn tell_dropped(preloaded: &Preloaded) {
    for (module, reason) in &preloaded.dropped {
        tracing::info!(module, reason, "a module is not kept warm");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
