//! A PostgreSQL server of a test's own, from the machine's packages.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// Where Debian keeps the programs of each major version.
const PACKAGED: &str = "/usr/lib/postgresql";

/// PostgreSQL refuses to run as root; then it runs as Debian's `nobody`.
const NOBODY: u32 = 65_534;

/// A running server, stopped and deleted when it is dropped. It listens on a
/// socket in its own folder and on no port.
#[derive(Debug)]
pub struct Postgres {
    process: Child,
    programs: PathBuf,
    folder: TempDir,
    runs_as: Option<u32>,
}

impl Postgres {
    /// Makes a cluster and starts it; it accepts connections when this
    /// returns.
    pub fn start() -> Result<Self> {
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
        let process = program("postgres")
            .args(["-D", "data", "-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .context("start postgres")?;
        let mut server = Self { process, programs, folder, runs_as };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// The URL of the database `postgres`, whose owner needs no password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgresql:///postgres?user=postgres&host={}", self.folder.path().display())
    }

    /// Runs SQL through `psql` in one transaction; answers the rows, a line
    /// each, with `|` between the columns.
    pub fn psql(&self, sql: &str) -> Result<String> {
        let mut psql = self
            .program("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"])
            .arg(self.url())
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
        let mut lines = BufReader::new(self.process.stderr.take().context("no log")?).lines();
        let mut log = String::new();
        while let Some(line) = lines.next().transpose()? {
            if line.contains("database system is ready to accept connections") {
                // A full pipe would stop the server.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(());
            }
            log.push_str(&line);
            log.push('\n');
        }
        bail!("PostgreSQL ended before it was ready:\n{log}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let stopped = self
            .program("pg_ctl")
            .args(["--pgdata=data", "--mode=immediate", "--silent", "stop"])
            .stdout(Stdio::null())
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
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
