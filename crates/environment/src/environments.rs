//! The handle: lock, build, find, collect.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use domain::manifest::{BaseImage, PythonVersion};
use domain::{Clock, Digest, Fault, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::advisories::Advisories;
use crate::base;
use crate::build::Build;
use crate::bytecode::CompileBytecode;
use crate::cache;
use crate::disk::{self, Environment, Extent, Lease, Places};
use crate::error::{Error, Stage};
use crate::explain;
use crate::garbage::{self, Collected};
use crate::interpreter::{Interpreter, Interpreters};
use crate::lock::{Lock, Request};
use crate::log::{KeptLog, Log};
use crate::requirement;
use crate::resolve::{self, Answer, Bounds, Question};
use crate::settings::Settings;
use crate::test_tools;
use crate::uv::{Ended, Uv};

/// Locks that are answered from memory; the oldest make room.
const LOCKS_IN_MEMORY: usize = 500;

/// All environments of one folder. Clones share it.
#[derive(Clone, Debug)]
pub struct Environments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    places: Places,
    uv: Uv,
    interpreters: RwLock<Arc<Interpreters>>,
    clock: Arc<dyn Clock>,
    /// Who builds what in this process, so that others wait without polling.
    builders: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    slots: Semaphore,
    locks: Mutex<HashMap<Request, (Timestamp, Lock)>>,
    advisories: Option<Advisories>,
}

impl Environments {
    /// Finds `uv` and the interpreters and removes what a process left that
    /// was killed in the middle of a build.
    ///
    /// # Errors
    /// [`Error::NoUv`] or [`Error::BadUv`]; [`Error::Io`] where the folder
    /// can't be used; [`Error::Advisories`] where those can't be. Missing interpreters are no error yet.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let places = Places { root: settings.root.clone() };
        places.prepare()?;
        let cache = &settings.cache;
        std::fs::create_dir_all(cache).map_err(Error::io("make the folder", cache))?;
        garbage::sweep(&places, &*clock).map_err(Error::io("clean", &places.root))?;
        let advisories = async {
            match &settings.advisories {
                Some(path) => Advisories::open(path.clone()).await.map(Some),
                None => Ok(None),
            }
        };
        let (uv, interpreters, advisories) = tokio::join!(
            Uv::find(&settings.uv, &settings.index, cache),
            Interpreters::discover(&settings.pythons),
            advisories
        );
        let (uv, advisories) = (uv?, advisories?);
        cache::remove_leftovers(&uv, &places.scratch()).await;
        Ok(Self(Arc::new(Inner {
            uv,
            interpreters: RwLock::new(Arc::new(interpreters)),
            slots: Semaphore::new(settings.limits.parallel_builds.max(1)),
            settings,
            places,
            clock,
            builders: Mutex::default(),
            locks: Mutex::default(),
            advisories,
        })))
    }

    /// The interpreters of this machine.
    #[must_use]
    pub fn interpreters(&self) -> Arc<Interpreters> {
        self.0.interpreters.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The program that installs packages.
    #[must_use]
    pub fn uv(&self) -> &Uv {
        &self.0.uv
    }

    /// Finds the wheels that a request comes to. The same request is answered
    /// from memory for a while, and a base image's own packages from disk.
    ///
    /// # Errors
    /// [`Error::Requirements`] with every reason that was found where no set
    /// of wheels will do; [`Error::NoPython`], [`Error::Index`],
    /// [`Error::TimedOut`] and the operator's errors otherwise.
    pub async fn lock(&self, request: &Request, log: &Log) -> Result<Lock, Error> {
        let Inner { settings, clock, .. } = &*self.0;
        requirement::check(&request.requirements, settings.limits.requirements)?;
        let interpreters = self.interpreters();
        let interpreter = match request.python {
            Some(minor) => interpreters.get(minor)?,
            None => interpreters.default()?,
        };
        let request = Request { python: Some(interpreter.minor), ..request.clone() };
        let now = clock.now();
        let kept = self.locks().get(&request).cloned();
        if let Some((made, lock)) = kept
            && now.since(made) < settings.lock_ttl
            && lock.python == interpreter.python
        {
            return Ok(lock);
        }
        let log = KeptLog::live_only(log);
        let base = self.lock_base(request.base_image, interpreter, &log).await?;
        let lock = if request.requirements.is_empty() {
            base
        } else {
            self.lock_more(&request, &base, &interpreters, interpreter, &log).await?
        };
        let mut locks = self.locks();
        if locks.len() >= LOCKS_IN_MEMORY {
            let oldest =
                locks.iter().min_by_key(|(_, (made, _))| *made).map(|(key, _)| key.clone());
            oldest.and_then(|key| locks.remove(&key));
        }
        locks.insert(request, (now, lock.clone()));
        Ok(lock)
    }

    fn locks(&self) -> std::sync::MutexGuard<'_, HashMap<Request, (Timestamp, Lock)>> {
        self.0.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock of pytest for the interpreter of another lock. It is part of
    /// the release, so nobody is asked for it.
    #[must_use]
    pub fn pytest(&self, lock: &Lock) -> Lock {
        test_tools::pytest(&lock.python, lock.minor)
    }

    /// A warning for each vulnerability that the operator's advisories know of
    /// the lock's packages; none where there are no advisories.
    pub async fn known_vulnerabilities(&self, lock: &Lock) -> Vec<Fault> {
        match &self.0.advisories {
            Some(advisories) => advisories.warnings(&lock.packages).await,
            None => Vec::new(),
        }
    }

    async fn lock_base(
        &self,
        image: BaseImage,
        interpreter: &Interpreter,
        log: &KeptLog,
    ) -> Result<Lock, Error> {
        let Inner { places, uv, .. } = &*self.0;
        let lock = |packages| {
            Lock::new(interpreter.python.clone(), interpreter.minor, image, true, packages)
        };
        if image.requirements().is_empty() {
            return Ok(lock(Vec::new()));
        }
        let path = base::kept_at(&places.root, image, interpreter);
        if let Some(kept) = base::kept(&path, image, interpreter) {
            return Ok(kept);
        }
        let requirements: Vec<String> =
            image.requirements().iter().map(|name| (*name).to_owned()).collect();
        let preferences = base::preferred(image, interpreter.minor);
        let question = Question {
            preferences: &preferences,
            hashes: true,
            ..Question::new(interpreter, &requirements)
        };
        match resolve::ask(uv, &places.scratch(), &question, log, self.lock_bounds()).await? {
            Answer::Packages(packages) => {
                let lock = lock(packages);
                base::keep(&path, &lock).map_err(Error::io("write", &path))?;
                Ok(lock)
            }
            // The author asked for nothing, so this is the operator's: an
            // index that lacks the base image's packages.
            Answer::Unsolvable(said) => Err(resolve::failure(uv, &said)),
        }
    }

    async fn lock_more(
        &self,
        request: &Request,
        base: &Lock,
        interpreters: &Interpreters,
        interpreter: &Interpreter,
        log: &KeptLog,
    ) -> Result<Lock, Error> {
        let Inner { places, uv, .. } = &*self.0;
        let image = request.base_image;
        let requirements: Vec<String> = image
            .requirements()
            .iter()
            .map(|name| (*name).to_owned())
            .chain(request.requirements.iter().cloned())
            .collect();
        let question = Question {
            preferences: &base.packages,
            hashes: true,
            ..Question::new(interpreter, &requirements)
        };
        let bounds = self.lock_bounds();
        let scratch = places.scratch();
        match resolve::ask(uv, &scratch, &question, log, bounds).await? {
            Answer::Packages(packages) => {
                let base_only = packages.iter().all(|package| base.packages.contains(package));
                let python = interpreter.python.clone();
                Ok(Lock::new(python, interpreter.minor, image, base_only, packages))
            }
            Answer::Unsolvable(said) => {
                let case = explain::Case {
                    uv,
                    scratch: &scratch,
                    interpreters,
                    interpreter,
                    image,
                    requirements: &request.requirements,
                    bounds,
                };
                Err(Error::Requirements { problems: case.problems(&said).await? })
            }
        }
    }

    fn lock_bounds(&self) -> Bounds {
        let limits = &self.0.settings.limits;
        let time = limits.lock_time;
        let most = Extent { bytes: limits.environment_bytes, files: limits.environment_files };
        Bounds { deadline: Instant::now() + time, time, most }
    }

    /// The finished environment of this digest, if there is one; notes its
    /// use.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder can't be read.
    pub fn find(&self, digest: &Digest) -> Result<Option<Environment>, Error> {
        let found = disk::open(&self.0.places, digest)?;
        if found.is_some() {
            disk::note_use(&self.0.places, digest, self.0.clock.now());
        }
        Ok(found)
    }

    /// The environment of `lock`, built unless it is there already. Builds of
    /// the same one are done once, whoever asks; dropping the future stops the
    /// build, and the next in line takes over.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::TimedOut`], [`Error::Index`],
    /// [`Error::HashMismatch`], [`Error::OtherPython`], [`Error::Bytecode`],
    /// [`Error::Io`]. Nothing of a failed build stays but its log.
    pub async fn build(
        &self,
        lock: &Lock,
        compiler: &dyn CompileBytecode,
        log: &Log,
    ) -> Result<Environment, Error> {
        lock.verify()?;
        if let Some(found) = self.find(&lock.digest)? {
            return Ok(found);
        }
        let Inner { uv, places, settings, clock, slots, .. } = &*self.0;
        let interpreters = self.interpreters();
        let interpreter = interpreters.exactly(&lock.python)?;
        let limit = settings.limits.build_time.saturating_mul(2);
        let deadline = Instant::now() + limit;
        let late = || Error::TimedOut { stage: Stage::OtherBuild, limit };
        let builder = self.builder(&lock.digest);
        let turn = tokio::time::timeout_at(deadline, builder.lock()).await;
        let _turn = turn.map_err(|_| late())?;
        let lease = loop {
            if let Some(found) = self.find(&lock.digest)? {
                return Ok(found);
            }
            let lease = Lease::exclusive(places, &lock.digest);
            if let Some(lease) = lease.map_err(Error::io("lock in", &places.root))? {
                break lease;
            }
            if Instant::now() > deadline {
                return Err(late());
            }
            // Another process builds it; its lock can only be asked for.
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        if disk::describe(places, &lock.digest).is_none() {
            let build = Build {
                uv,
                interpreter,
                places,
                limits: &settings.limits,
                lock,
                lease: &lease,
                clock: &**clock,
                slots,
            };
            build.run(compiler, log).await?;
        }
        drop(lease);
        self.find(&lock.digest)?.ok_or_else(|| {
            let folder = places.folder(&lock.digest);
            let source = std::io::Error::other("it was removed again at once");
            Error::io("open", &folder)(source)
        })
    }

    fn builder(&self, digest: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut builders = self.0.builders.lock().unwrap_or_else(PoisonError::into_inner);
        builders.retain(|_, builder| builder.strong_count() > 0);
        if let Some(builder) = builders.get(digest).and_then(Weak::upgrade) {
            return builder;
        }
        let builder = Arc::default();
        builders.insert(*digest, Arc::downgrade(&builder));
        builder
    }

    /// The log of an environment's build, or of its last failed one.
    #[must_use]
    pub fn build_log(&self, digest: &Digest) -> Option<std::path::PathBuf> {
        [self.0.places.build_log(digest), self.0.places.failed_log(digest)]
            .into_iter()
            .find(|path| path.is_file())
    }

    /// Removes the longest unused environments until at most `max_bytes` are
    /// left; those in `keep` and those that somebody has open stay. Files that
    /// environments share count for each of them.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn collect_garbage(
        &self,
        max_bytes: u64,
        keep: &HashSet<Digest>,
    ) -> Result<Collected, Error> {
        let (places, keep) = (self.0.places.clone(), keep.clone());
        let work = move || garbage::collect(&places, max_bytes, &keep);
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(std::io::Error::other)
            .flatten()
            .map_err(Error::io("collect garbage in", &self.0.places.root))
    }

    /// Empties `uv`'s cache if it takes more than `max_bytes` beyond what it
    /// shares with environments, and answers how many bytes were freed. A
    /// platform that works offline keeps its cache.
    ///
    /// # Errors
    /// [`Error::Uv`] where it stayed in use for a minute.
    pub async fn trim_cache(&self, max_bytes: u64) -> Result<u64, Error> {
        cache::trim(&self.0.uv, &self.0.places.scratch(), max_bytes).await
    }

    /// Fetches an interpreter from the operator's mirror and looks for
    /// interpreters again.
    ///
    /// # Errors
    /// [`Error::NoMirror`] where none is set, [`Error::Index`] where the
    /// mirror does not answer.
    pub async fn install_python(&self, minor: PythonVersion, log: &Log) -> Result<(), Error> {
        let Inner { settings, uv, places, .. } = &*self.0;
        let Some(mirror) = &settings.pythons.mirror else { return Err(Error::NoMirror) };
        let managed: &Path = &settings.pythons.managed;
        let scratch = places.scratch();
        let scratch = tempfile::tempdir_in(&scratch).map_err(Error::io("use", &scratch))?;
        let mut command = uv.command(scratch.path());
        command
            .args(["python", "install", &minor.to_string(), "--no-bin", "--install-dir"])
            .arg(managed)
            .env("UV_PYTHON_INSTALL_MIRROR", mirror)
            .env("UV_PYTHON_DOWNLOADS", "manual");
        let limit = settings.limits.build_time;
        let deadline = Instant::now() + limit;
        let log = KeptLog::live_only(log);
        match uv.run(command, None, None, deadline, &log, std::future::pending()).await? {
            Ended::Exited(finished) if finished.status.success() => {}
            Ended::Exited(finished) => return Err(resolve::failure(uv, &finished.said)),
            Ended::OutOfTime => return Err(Error::TimedOut { stage: Stage::Interpreter, limit }),
            Ended::Stopped(error) => return Err(error),
        }
        let found = Arc::new(Interpreters::discover(&settings.pythons).await);
        *self.0.interpreters.write().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }
}
