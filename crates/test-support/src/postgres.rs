//! A PostgreSQL server of a test's own, from the machine's packages.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::keeper::{Keeper, first};

/// Where Debian keeps the programs of each major version.
const PACKAGED: &str = "/usr/lib/postgresql";

/// PostgreSQL refuses to run as root; then it runs as Debian's `nobody`.
const NOBODY: u32 = 65_534;

/// A running server, stopped and deleted when it is dropped or its process
/// ends. It listens on a socket in its own folder and on no port.
#[derive(Debug)]
pub struct Postgres {
    keeper: Keeper,
    programs: PathBuf,
    folder: TempDir,
    runs_as: Option<u32>,
    fsync: &'static str,
}

impl Postgres {
    /// Makes a cluster and starts it; it accepts connections when this
    /// returns.
    pub fn start() -> Result<Self> {
        Self::start_with("fsync=off")
    }

    /// The same with commits that wait for the disk, as those of people do.
    pub fn start_durable() -> Result<Self> {
        Self::start_with("fsync=on")
    }

    fn start_with(fsync: &'static str) -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().context("make a folder for PostgreSQL")?;
        let is_root = folder.path().metadata()?.uid() == 0;
        let runs_as = is_root.then_some(NOBODY);
        if let Some(user) = runs_as {
            chown(folder.path(), Some(user), Some(user))?;
        }
        let program = |name: &str| command(&programs.join(name), folder.path(), runs_as);
        let made = program("initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--pgdata=data"])
            .output()
            .context("run initdb")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let keeper = keeper(&programs, folder.path(), runs_as, fsync)?;
        let mut server = Self { keeper, programs, folder, runs_as, fsync };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Stops the server as a power cut would; its data stays.
    pub fn stop(&mut self) -> Result<()> {
        self.keeper.stop()
    }

    /// Starts the server again that was stopped.
    pub fn start_again(&mut self) -> Result<()> {
        self.keeper = keeper(&self.programs, self.folder.path(), self.runs_as, self.fsync)?;
        self.wait_until_ready()
    }

    /// The URL of the database `postgres`, whose owner needs no password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL of a database.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        format!("postgresql:///{database}?user=postgres&host={}", self.folder.path().display())
    }

    /// Makes a database; answers its URL.
    pub fn database(&self, name: &str) -> Result<String> {
        let made = self
            .program("createdb")
            .args(["--username=postgres", "--host"])
            .arg(self.folder.path())
            .arg(name)
            .output()
            .context("run createdb")?;
        if !made.status.success() {
            bail!("createdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(self.url_of(name))
    }

    /// Lets `user` in with a password alone.
    pub fn ask_password_of(&self, user: &str) -> Result<()> {
        let rules = self.folder.path().join("data/pg_hba.conf");
        let before = std::fs::read_to_string(&rules)?;
        std::fs::write(&rules, format!("local all {user} scram-sha-256\n{before}"))?;
        let loaded = || self.psql("SELECT pg_conf_load_time()");
        let before = loaded()?;
        self.psql("SELECT pg_reload_conf()")?;
        while loaded()? == before {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Runs SQL through `psql` in one transaction; answers the rows, a line
    /// each, with `|` between the columns.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.psql_on(&self.url(), sql)
    }

    /// The same in another database than `postgres`.
    pub fn psql_on(&self, url: &str, sql: &str) -> Result<String> {
        let mut psql = self
            .program("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"])
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("run psql")?;
        // Dropped at the end of the statement, so that psql sees the end.
        psql.stdin.take().context("psql has no input")?.write_all(sql.as_bytes())?;
        let output = psql.wait_with_output()?;
        if !output.status.success() {
            bail!("psql failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn program(&self, name: &str) -> Command {
        command(&self.programs.join(name), self.folder.path(), self.runs_as)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let log = self.keeper.child().stderr.take().context("no log")?;
        first(log, "PostgreSQL", |line| {
            line.contains("database system is ready to accept connections").then_some(())
        })
    }
}

fn keeper(programs: &Path, folder: &Path, runs_as: Option<u32>, fsync: &str) -> Result<Keeper> {
    let mut shell = command(Path::new("/bin/sh"), folder, runs_as);
    let child = Keeper::of(&mut shell, "QUIT", folder, programs.join("postgres"))
        .args(["-D", "data", "-c", "listen_addresses=", "-c", fsync, "-k"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start postgres")?;
    Ok(Keeper::new(child))
}

fn command(program: &Path, folder: &Path, runs_as: Option<u32>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C").env_remove("PGHOST");
    if let Some(user) = runs_as {
        command.uid(user).gid(user);
    }
    command
}

/// The folder of the newest packaged programs.
fn programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir(PACKAGED)
        .with_context(|| format!("expected PostgreSQL in {PACKAGED}: install `postgresql`"))?;
    let newest = versions
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .with_context(|| format!("expected a version of PostgreSQL in {PACKAGED}, found none"))?;
    Ok(Path::new(PACKAGED).join(OsStr::new(&newest.to_string())).join("bin"))
}
