//! Installing a lock into a folder of its own, whole or not at all.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use domain::Clock;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::bytecode::CompileBytecode;
use crate::cache;
use crate::disk::{self, Description, Extent, Lease, Places};
use crate::error::{Error, Stage};
use crate::interpreter::Interpreter;
use crate::lock::Lock;
use crate::log::{KeptLog, Log};
use crate::resolve;
use crate::settings::Limits;
use crate::uv::{Ended, Uv};

/// One build, by whoever holds the environment's exclusive lock.
pub(crate) struct Build<'a> {
    pub(crate) uv: &'a Uv,
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) places: &'a Places,
    pub(crate) limits: &'a Limits,
    pub(crate) lock: &'a Lock,
    pub(crate) lease: &'a Lease,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) slots: &'a Semaphore,
}

/// A half-built environment; removed unless it was finished.
struct Site {
    folder: PathBuf,
    finished: bool,
}

impl Drop for Site {
    fn drop(&mut self) {
        if !self.finished {
            // What can't be removed now is removed at the next start.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Build<'_> {
    /// Installs, compiles, measures, and gives the environment its name last.
    pub(crate) async fn run(&self, compiler: &dyn CompileBytecode, log: &Log) -> Result<(), Error> {
        let began = Instant::now();
        let mut site = Site { folder: building(self.places, self.lock), finished: false };
        let fresh = || {
            if fs::symlink_metadata(&site.folder).is_ok() {
                fs::remove_dir_all(&site.folder)?;
            }
            fs::create_dir(&site.folder)?;
            // Others must not reach the folder while a part of it is writable
            // for the sandbox's users.
            fs::set_permissions(&site.folder, fs::Permissions::from_mode(0o700))?;
            fs::create_dir(site.folder.join("site"))
        };
        fresh().map_err(Error::io("make the folder", &site.folder))?;
        let log_path = site.folder.join("build.log");
        let file = File::create(&log_path).map_err(Error::io("write", &log_path))?;
        let log = KeptLog::into_file(log, file, self.limits.log_bytes);
        let built = self.fill(&site.folder, compiler, &log, began).await;
        if let Err(error) = &built {
            log.line(&format!("the build failed: {error}"));
            let kept = self.places.failed_log(&self.lock.digest);
            // The log is a courtesy; the error itself is returned.
            let _ = fs::rename(&log_path, kept);
            return built;
        }
        self.give_its_name(&site.folder)?;
        site.finished = true;
        Ok(())
    }

    async fn fill(
        &self,
        folder: &Path,
        compiler: &dyn CompileBytecode,
        log: &KeptLog,
        began: Instant,
    ) -> Result<(), Error> {
        let site = folder.join("site");
        if !self.lock.packages.is_empty() {
            self.install(&site, log).await?;
        }
        self.measure(&site)?;
        let bytecode = self.compile(&site, compiler, log).await?;
        let extent = self.measure(&site)?;
        let description = Description {
            lock: self.lock.clone(),
            bytes: extent.bytes,
            files: extent.files,
            bytecode,
            built_at: self.clock.now(),
            build_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            uv: self.uv.version().to_owned(),
        };
        log.line(&format!("{} files, {} bytes", extent.files, extent.bytes));
        disk::mark_whole(folder, &description).map_err(Error::io("write to", folder))
    }

    /// The one place where wheels are unpacked. `--target` with the base
    /// interpreter: `uv` then starts that interpreter alone, isolated, to ask
    /// for its tags, and never one that would run the `.pth` files of the
    /// wheels. For the same reason `--compile-bytecode` is not used.
    async fn install(&self, site: &Path, log: &KeptLog) -> Result<(), Error> {
        let limit = self.limits.build_time;
        let deadline = Instant::now() + limit;
        let late = |_| Error::TimedOut { stage: Stage::Build, limit };
        let slot = tokio::time::timeout_at(deadline, self.slots.acquire()).await.map_err(late)?;
        let parent = self.places.scratch();
        let scratch = tempfile::tempdir_in(&parent).map_err(Error::io("use", &parent))?;
        let requirements = scratch.path().join("requirements.txt");
        fs::write(&requirements, self.lock.text()).map_err(Error::io("write", &requirements))?;
        let mut command = self.uv.command(scratch.path());
        command
            .args(["pip", "install", "--requirements", "requirements.txt", "--require-hashes"])
            .args(["--only-binary", ":all:", "--no-deps", "--no-sources"])
            .args(["--link-mode", "hardlink"])
            .arg("--python")
            .arg(&self.interpreter.executable)
            .arg("--target")
            .arg(site);
        self.uv.ask_index(&mut command);
        let held = self.lease.for_a_child().map_err(Error::io("lock", site))?;
        // Builds that run beside this one unpack into the same cache.
        let beside = self.limits.parallel_builds.max(1) as u64;
        let watch = cache::outgrown(self.uv.cache(), Some(site), self.most(), beside);
        let largest = self.limits.environment_bytes;
        let ended = self.uv.run(command, Some(held), Some(largest), deadline, log, watch).await?;
        drop(slot);
        let error = match ended {
            Ended::Exited(finished) if finished.status.success() => None,
            Ended::Exited(finished) if finished.wrote_too_much() => {
                Some(Error::TooLarge { limit_bytes: largest, measured_bytes: largest })
            }
            Ended::Exited(finished) => Some(resolve::failure(self.uv, &finished.said)),
            Ended::OutOfTime => Some(Error::TimedOut { stage: Stage::Build, limit }),
            Ended::Stopped(error) => Some(error),
        };
        if let Some(error) = error {
            cache::remove_leftovers(self.uv, &self.places.scratch()).await;
            return Err(error);
        }
        // `uv` leaves the file by which it locks the target.
        let _ = fs::remove_file(site.join(".lock"));
        disk::settle(site).map_err(Error::io("set the modes of", site))
    }

    async fn compile(
        &self,
        site: &Path,
        compiler: &dyn CompileBytecode,
        log: &KeptLog,
    ) -> Result<u64, Error> {
        if self.lock.packages.is_empty() {
            return Ok(0);
        }
        let compiled = compiler.compile(self.interpreter, site).await.map_err(Error::Bytecode)?;
        self.measure(site)?;
        disk::settle(site).map_err(Error::io("settle the bytecode in", site))?;
        log.line(&format!("{compiled} modules compiled in the sandbox"));
        Ok(compiled)
    }

    fn most(&self) -> Extent {
        Extent { bytes: self.limits.environment_bytes, files: self.limits.environment_files }
    }

    fn measure(&self, folder: &Path) -> Result<Extent, Error> {
        let found = disk::extent(folder, self.most());
        found.within(self.most())?;
        Ok(found)
    }

    /// The rename is what makes an environment exist, so everything that it
    /// names is on the disk before.
    fn give_its_name(&self, folder: &Path) -> Result<(), Error> {
        let name = self.places.folder(&self.lock.digest);
        let publish = || -> io::Result<()> {
            disk::note_use_in(folder, self.clock.now());
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
            rustix::fs::syncfs(File::open(folder)?)?;
            if fs::symlink_metadata(&name).is_ok() {
                // A folder without the mark of a whole one.
                fs::remove_dir_all(&name)?;
            }
            fs::rename(folder, &name)?;
            File::open(&self.places.root)?.sync_all()
        };
        publish().map_err(Error::io("finish", &name))
    }
}

/// Where an environment lies while it is built.
fn building(places: &Places, lock: &Lock) -> PathBuf {
    places.root.join(format!("{BUILDING}{}", lock.digest.hex()))
}

/// What the names of half-built environments start with.
pub(crate) const BUILDING: &str = "building-";
