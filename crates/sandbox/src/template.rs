//! A warm Python process per environment, from which runs are forked.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::bytecode;
use crate::error::Error;
use crate::link::{Link, News};
use crate::run::{Limits, Ready};
use crate::wire::{Id, Reply, Request, TemplatePlan};

/// A handle to a warm process; clones share it, and the last drop ends it.
/// Runs that have their assignment live on.
#[derive(Debug, Clone)]
pub struct Template {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    link: Arc<Link>,
    spec: TemplateSpec,
    current: Mutex<Current>,
    preloaded: Mutex<Preloaded>,
    /// One import at a time, as an import may put another process in place.
    imports: tokio::sync::Mutex<mpsc::UnboundedReceiver<News>>,
}

#[derive(Debug, Clone)]
struct Current {
    id: Id,
    pid: i32,
    alive: Arc<AtomicBool>,
}

/// What a template is made of.
#[derive(Debug, Clone)]
pub struct TemplateSpec {
    /// The interpreter.
    pub interpreter: Interpreter,
    /// Folders of installed packages, read-only, in `sys.path` order after the
    /// standard library. Their `.pth` files are never executed.
    pub packages: Vec<PathBuf>,
    /// Modules imported before the first fork; one that fails to import,
    /// or leaves a thread, a process or shared memory, is dropped.
    pub preload: Vec<String>,
    /// What the template process itself may use.
    pub limits: TemplateLimits,
}

/// What a template process may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateLimits {
    /// Memory of the imported packages.
    pub memory_bytes: u64,
    /// How long start and imports may take, each.
    pub start: Duration,
}

/// A Python on the host, bound at its own absolute path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Interpreter {
    /// The program itself, without symbolic links.
    pub executable: PathBuf,
    /// Full version, such as `3.12.1`.
    pub python_version: String,
    /// Folders it needs beside the system's libraries, such as its prefix.
    pub library_dirs: Vec<PathBuf>,
}

/// What [`Template::preload`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preloaded {
    /// Modules now imported.
    pub loaded: Vec<String>,
    /// Modules that are not: name and reason. A run imports them by itself.
    pub dropped: Vec<(String, String)>,
}

/// What [`Template::compile`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// Bytecode files written.
    pub written: u64,
    /// Sources that don't compile: relative path and message.
    pub failed: Vec<(String, String)>,
}

impl Default for TemplateLimits {
    fn default() -> Self {
        Self { memory_bytes: 4096 << 20, start: Duration::from_secs(60) }
    }
}

impl TemplateSpec {
    /// A bare interpreter.
    pub fn new(interpreter: Interpreter) -> Self {
        Self {
            interpreter,
            packages: Vec::new(),
            preload: Vec::new(),
            limits: TemplateLimits::default(),
        }
    }
}

impl Interpreter {
    /// Finds what the interpreter at `executable` needs, without starting it.
    pub fn at(executable: &Path, python_version: &str) -> Result<Self, Error> {
        let refuse =
            |detail: String| Error::Interpreter { executable: executable.to_path_buf(), detail };
        let real = executable
            .canonicalize()
            .map_err(|error| refuse(format!("{error}; give the path of a Python 3.9 to 3.13")))?;
        let prefix =
            real.parent().and_then(Path::parent).filter(|prefix| prefix.parent().is_some());
        let prefix = prefix.ok_or_else(|| {
            refuse("expected a program in the bin folder of an installation".into())
        })?;
        let minor = python_version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        let library = prefix.join("lib").join(format!("python{minor}"));
        if !library.is_dir() {
            return Err(refuse(format!(
                "its standard library is not at {}; give the interpreter itself, not a launcher \
                 script or a virtual environment's link",
                library.display()
            )));
        }
        // A prefix shared with the rest of the system is not shown as a whole.
        let shared = prefix == Path::new("/usr") || prefix == Path::new("/usr/local");
        let library_dirs =
            if shared { vec![prefix.join("lib")] } else { vec![prefix.to_path_buf()] };
        Ok(Self { executable: real, python_version: python_version.to_owned(), library_dirs })
    }
}

impl Template {
    pub(crate) async fn start(link: Arc<Link>, spec: TemplateSpec) -> Result<Self, Error> {
        let (current, preloaded, news) = bring_up(&link, &spec, spec.preload.clone()).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                link,
                spec,
                current: Mutex::new(current),
                preloaded: Mutex::new(preloaded),
                imports: tokio::sync::Mutex::new(news),
            }),
        })
    }

    /// Imports more modules between forks; answers for these modules. When one
    /// of them is not fit for it, a fresh process without it takes this one's
    /// place, and runs that were prepared before but not assigned end.
    pub async fn preload(&self, modules: &[String]) -> Result<Preloaded, Error> {
        let mut news = self.inner.imports.lock().await;
        let before = self.preloaded();
        let is_known = |name: &String| {
            before.loaded.contains(name)
                || before.dropped.iter().any(|(dropped, _)| dropped == name)
        };
        let new: Vec<String> = modules.iter().filter(|name| !is_known(name)).cloned().collect();
        if !new.is_empty() {
            let current = self.inner.current().clone();
            let import =
                import(&self.inner.link, &current, &new, &self.inner.spec.limits, &mut news);
            let Imported { loaded, failed, unfit } = import.await?;
            let mut after = before;
            after.dropped.extend(failed);
            match unfit {
                None => after.loaded.extend(loaded),
                Some(unfit) => {
                    after.dropped.push(unfit);
                    let dropped =
                        |name: &String| after.dropped.iter().any(|(other, _)| other == name);
                    let wanted = after.loaded.iter().chain(&new).filter(|name| !dropped(name));
                    let (fresh, preloaded, fresh_news) =
                        bring_up(&self.inner.link, &self.inner.spec, wanted.cloned().collect())
                            .await?;
                    after.loaded = preloaded.loaded;
                    after.dropped.extend(preloaded.dropped);
                    let old = std::mem::replace(&mut *self.inner.current(), fresh);
                    *news = fresh_news;
                    stop(&self.inner.link, &old);
                }
            }
            *self.inner.preloaded.lock().unwrap_or_else(PoisonError::into_inner) = after;
        }
        let now = self.preloaded();
        let asked = |name: &String| modules.contains(name);
        Ok(Preloaded {
            loaded: now.loaded.into_iter().filter(asked).collect(),
            dropped: now.dropped.into_iter().filter(|(name, _)| asked(name)).collect(),
        })
    }

    /// Has the process lay out its memory so that the runs prepared from here
    /// on cost less; they wait for it, up to some tenths of a second. Worth it
    /// when nothing more is to be imported.
    pub async fn settle(&self) -> Result<(), Error> {
        let template = self.inner.current().id;
        self.inner.link.send(&Request::Settle { template }, &[]).await
    }

    /// Forks, isolates and checks one run, ahead of its assignment.
    pub async fn prepare(&self) -> Result<Ready, Error> {
        let current = self.inner.current().clone();
        let prepared = Ready::prepare(self.inner.link.clone(), current.id).await;
        if prepared.is_err() && !Path::new(&format!("/proc/{}", current.pid)).exists() {
            current.alive.store(false, Ordering::Release);
        }
        prepared
    }

    /// Compiles every `.py` below `folder` inside the sandbox and puts the
    /// `__pycache__` files beside them, valid whatever the sources' times
    /// (unchecked-hash). Nothing of the folder is executed.
    pub async fn compile(&self, folder: &Path, limits: Limits) -> Result<Compiled, Error> {
        bytecode::compile(self, folder, limits).await
    }

    /// All modules imported or dropped so far.
    pub fn preloaded(&self) -> Preloaded {
        self.inner.preloaded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Proportional set size of the template process, in bytes.
    pub fn memory_bytes(&self) -> Result<u64, Error> {
        let path = format!("/proc/{}/smaps_rollup", self.inner.current().pid);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error::host(format!("reading {path}"), &error))?;
        let kilobytes = text.lines().find_map(|line| {
            line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
        });
        Ok(kilobytes.unwrap_or(0) * 1024)
    }

    /// Whether runs can still be prepared from it.
    pub fn is_alive(&self) -> bool {
        let current = self.inner.current().clone();
        let ended = || match self.inner.imports.try_lock() {
            Ok(mut news) => {
                matches!(
                    news.try_recv(),
                    Ok((Reply::TemplateEnded { .. }, _))
                        | Err(mpsc::error::TryRecvError::Disconnected)
                )
            }
            // An import in progress will tell by itself.
            Err(_) => false,
        };
        if current.alive.load(Ordering::Acquire) && ended() {
            current.alive.store(false, Ordering::Release);
        }
        current.alive.load(Ordering::Acquire)
    }

    /// Ends the template now; prepared runs that are not assigned end too,
    /// assigned ones live on.
    pub async fn stop(&self) {
        stop(&self.inner.link, &self.inner.current());
    }
}

impl Inner {
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        stop(&self.link, &self.current());
    }
}

struct Imported {
    loaded: Vec<String>,
    failed: Vec<(String, String)>,
    unfit: Option<(String, String)>,
}

/// Starts a process with as many of the modules as can be imported.
async fn bring_up(
    link: &Arc<Link>,
    spec: &TemplateSpec,
    mut modules: Vec<String>,
) -> Result<(Current, Preloaded, mpsc::UnboundedReceiver<News>), Error> {
    let mut dropped = Vec::new();
    loop {
        let (current, mut news) = boot(link, spec).await?;
        let guard = StopUnlessKept { link, current: Some(&current) };
        let imported = import(link, &current, &modules, &spec.limits, &mut news).await?;
        if let Some(unfit) = imported.unfit {
            modules.retain(|module| *module != unfit.0);
            dropped.push(unfit);
            continue;
        }
        guard.keep();
        dropped.extend(imported.failed);
        return Ok((current, Preloaded { loaded: imported.loaded, dropped }, news));
    }
}

/// Ends a process that was started but is not used after all.
struct StopUnlessKept<'a> {
    link: &'a Arc<Link>,
    current: Option<&'a Current>,
}

impl StopUnlessKept<'_> {
    fn keep(mut self) {
        self.current = None;
    }
}

impl Drop for StopUnlessKept<'_> {
    fn drop(&mut self) {
        if let Some(current) = self.current {
            stop(self.link, current);
        }
    }
}

async fn boot(
    link: &Arc<Link>,
    spec: &TemplateSpec,
) -> Result<(Current, mpsc::UnboundedReceiver<News>), Error> {
    let (id, mut news) = link.new_template();
    let plan = TemplatePlan {
        executable: spec.interpreter.executable.clone(),
        library_dirs: spec.interpreter.library_dirs.clone(),
        packages: spec.packages.clone(),
        memory_bytes: spec.limits.memory_bytes,
        within: spec.limits.start,
    };
    let alive = Arc::new(AtomicBool::new(true));
    // A caller that gives up while the interpreter starts leaves none behind.
    let waiting = Current { id, pid: 0, alive: alive.clone() };
    let guard = StopUnlessKept { link, current: Some(&waiting) };
    link.send(&Request::StartTemplate { template: id, plan }, &[]).await?;
    match news.recv().await {
        Some((Reply::TemplateBooted { pid, .. }, _)) => {
            guard.keep();
            Ok((Current { id, pid, alive }, news))
        }
        other => Err(ended("starting the interpreter", other)),
    }
}

async fn import(
    link: &Link,
    current: &Current,
    modules: &[String],
    limits: &TemplateLimits,
    news: &mut mpsc::UnboundedReceiver<News>,
) -> Result<Imported, Error> {
    let none = Imported { loaded: Vec::new(), failed: Vec::new(), unfit: None };
    if modules.is_empty() {
        return Ok(none);
    }
    let request =
        Request::Import { template: current.id, modules: modules.to_vec(), within: limits.start };
    link.send(&request, &[]).await?;
    match news.recv().await {
        Some((Reply::Imported { loaded, failed, unfit, .. }, _)) => {
            Ok(Imported { loaded, failed, unfit })
        }
        other => {
            current.alive.store(false, Ordering::Release);
            Err(ended("importing", other))
        }
    }
}

fn ended(stage: &str, news: Option<News>) -> Error {
    let detail = match news {
        Some((Reply::TemplateEnded { detail, .. }, _)) => detail,
        Some((other, _)) => format!("unexpected answer {other:?}"),
        None => return Error::LauncherGone("it ended while a template started".into()),
    };
    Error::Template { stage: stage.to_owned(), detail }
}

fn stop(link: &Arc<Link>, current: &Current) {
    current.alive.store(false, Ordering::Release);
    link.post(Request::StopTemplate { template: current.id });
    link.forget_template(current.id);
}
