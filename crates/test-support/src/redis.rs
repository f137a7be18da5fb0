//! A Redis server of a test's own, from the machine's packages.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::keeper::{Keeper, first};

/// How often another port is tried where somebody else was faster.
const ATTEMPTS: u32 = 10;

/// A running server on 127.0.0.1, which keeps nothing on disk; it is ended
/// when it is dropped or its process ends.
#[derive(Debug)]
pub struct Redis {
    keeper: Keeper,
    folder: TempDir,
    port: u16,
    has_tls: bool,
}

impl Redis {
    /// Starts a server; it accepts connections when this returns.
    pub fn start() -> Result<Self> {
        Self::start_on(false)
    }

    /// Starts a server that speaks TLS alone, with a certificate for
    /// `localhost` of an authority of its own ([`Self::ca_pem`]).
    pub fn start_with_tls() -> Result<Self> {
        Self::start_on(true)
    }

    fn start_on(has_tls: bool) -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for Redis")?;
        if has_tls {
            make_certificates(folder.path())?;
        }
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            match run(folder.path(), port, has_tls) {
                Ok(keeper) => return Ok(Self { keeper, folder, port, has_tls }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// The URL of database 0, for the user who may do everything.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.has_tls { "rediss" } else { "redis" };
        let host = if self.has_tls { "localhost" } else { "127.0.0.1" };
        format!("{scheme}://{host}:{}/0", self.port)
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority of a server with TLS.
    pub fn ca_pem(&self) -> Result<Vec<u8>> {
        std::fs::read(self.folder.path().join("ca.crt")).context("the server has no TLS")
    }

    /// Ends the server as a power cut would.
    pub fn stop(&mut self) -> Result<()> {
        self.keeper.stop()
    }

    /// Starts the server again that was stopped, empty and on the same port.
    pub fn start_again(&mut self) -> Result<()> {
        self.keeper = run(self.folder.path(), self.port, self.has_tls)?;
        Ok(())
    }

    /// Runs a command through `redis-cli`; answers what it printed.
    pub fn cli(&self, command: &[&str]) -> Result<String> {
        let mut cli = Command::new("redis-cli");
        cli.args(["-e", "-h", "localhost", "-p", &self.port.to_string()]);
        if self.has_tls {
            cli.arg("--tls").arg("--cacert").arg(self.folder.path().join("ca.crt"));
        }
        let output = cli.args(command).output().context("run redis-cli")?;
        if !output.status.success() {
            bail!("redis-cli failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }
}

fn run(folder: &Path, port: u16, has_tls: bool) -> Result<Keeper> {
    let mut shell = Command::new("/bin/sh");
    let command = Keeper::of(&mut shell, "KILL", folder, program()?);
    if has_tls {
        command.args(["--port", "0", "--tls-port", &port.to_string()]);
        command.args(["--tls-cert-file", "redis.crt", "--tls-key-file", "redis.key"]);
        command.args(["--tls-ca-cert-file", "ca.crt", "--tls-auth-clients", "no"]);
    } else {
        command.args(["--port", &port.to_string()]);
    }
    let child = command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start redis-server")?;
    let mut keeper = Keeper::new(child);
    let log = keeper.child().stdout.take().context("no log")?;
    let is_up = first(log, "Redis", |line| match line {
        line if line.contains("Ready to accept connections") => Some(true),
        line if line.contains("Failed listening") => Some(false),
        _ => None,
    })?;
    if !is_up {
        // For another attempt in the same folder.
        keeper.stop()?;
        bail!("somebody else listens on port {port}");
    }
    Ok(keeper)
}

/// A port that nobody listens on at this moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn program() -> Result<PathBuf> {
    let program = PathBuf::from("/usr/bin/redis-server");
    if !program.exists() {
        bail!("expected Redis at {}: install `redis-server`", program.display());
    }
    Ok(program)
}

/// An authority, and a certificate of it for `localhost`.
fn make_certificates(folder: &Path) -> Result<()> {
    let script = r#"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -subj "/CN=authority of a test" -keyout ca.key -out ca.crt \
            -addext basicConstraints=critical,CA:TRUE
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj /CN=localhost -keyout redis.key -out redis.csr
        printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' > redis.ext
        openssl x509 -req -in redis.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
            -extfile redis.ext -out redis.crt
    "#;
    let made = Command::new("/bin/sh")
        .args(["-ec", script])
        .current_dir(folder)
        .output()
        .context("run openssl")?;
    if !made.status.success() {
        bail!("openssl failed: {}", String::from_utf8_lossy(&made.stderr));
    }
    Ok(())
}
