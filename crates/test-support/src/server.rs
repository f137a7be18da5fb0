//! A throw-away server: the real program on a free port and a folder of the
//! test's.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::client::Client;

/// The line that says where it listens.
const READY: &str = "MecaPy is ready at ";
/// The line of a worker, which listens nowhere.
const WORKS: &str = "MecaPy takes calculations";
/// For the start, and for the end by SIGTERM: far more than either takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `mecapy up`, stopped when dropped. Its folder is the caller's,
/// so that it can be started again on it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
    token: String,
    data: PathBuf,
    said: Arc<Said>,
}

/// What a server wrote, and a bell that rings when it writes more.
#[derive(Debug, Default)]
struct Said {
    text: Mutex<String>,
    more: Condvar,
}

impl Server {
    /// Starts the program on the folder `data`. Tests of the program's own
    /// crate name it by `env!("CARGO_BIN_EXE_mecapy")`.
    pub fn start(program: impl AsRef<Path>, data: impl AsRef<Path>) -> anyhow::Result<Self> {
        Self::start_with(program, data, |_| {})
    }

    /// The same, after the test has added arguments or variables.
    pub fn start_with(
        program: impl AsRef<Path>,
        data: impl AsRef<Path>,
        adjust: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let server = Self::start_as(program, &["up", "--port", "0"], data, adjust)?;
        if server.token.is_empty() {
            bail!("{} holds no token", server.data.join("admin.token").display());
        }
        Ok(server)
    }

    /// A server in another role, by its command. Of those that share a
    /// database, only the one that made the administrator has the token.
    pub fn start_as(
        program: impl AsRef<Path>,
        role: &[&str],
        data: impl AsRef<Path>,
        adjust: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let (program, data) = (program.as_ref(), data.as_ref().to_owned());
        let mut command = Command::new(program);
        command.args(role).arg("--data").arg(&data);
        // A developer's own settings are not the test's.
        for (name, _) in std::env::vars_os() {
            let ours = name.to_str().is_some_and(|name| {
                name.starts_with("MECAPY_")
                    || name.starts_with("S3_")
                    || ["DATABASE_URL", "REDIS_URL", "PORT"].contains(&name)
            });
            if ours {
                command.env_remove(name);
            }
        }
        adjust(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} could not be started", program.display()))?;
        let said = Arc::<Said>::default();
        let lines = listen(child.stdout.take().context("stdout is a pipe")?, &said);
        let _ = listen(child.stderr.take().context("stderr is a pipe")?, &said);
        // From here on it is stopped when anything fails.
        let mut server =
            Self { child, url: String::new(), token: String::new(), data, said: Arc::clone(&said) };
        server.url = ready_at(&lines).with_context(|| {
            format!("{} did not become ready; it said:\n{}", program.display(), server.said())
        })?;
        let token = server.data.join("admin.token");
        if token.is_file() {
            let read = std::fs::read_to_string(&token);
            let read = read.with_context(|| format!("{} can't be read", token.display()))?;
            read.trim().clone_into(&mut server.token);
        }
        Ok(server)
    }

    /// Where it listens, without a slash at the end; empty for a worker.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The administrator's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stdout and stderr so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it wrote once `is_there` holds of it. Its lines come through a
    /// pipe, so an answer may be here before them; after a patience it is
    /// what was written by then, for the test to show.
    pub fn said_once(&self, mut is_there: impl FnMut(&str) -> bool) -> String {
        let said = self.said.text.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |said: &mut String| !is_there(said);
        let (said, _) = self
            .said
            .more
            .wait_timeout_while(said, PATIENCE, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }

    /// A client with the administrator's token.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url, Some(&self.token))
    }

    /// `kill -9`, as a power cut would.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM: it drains and ends; how it ended.
    pub fn terminate(mut self) -> anyhow::Result<ExitStatus> {
        self.stop()
    }

    fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("a process has a pid")?;
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        kill_process(pid, Signal::TERM)?;
        let patience = PATIENCE.try_into()?;
        if poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience))? > 0 {
            return Ok(self.child.wait()?);
        }
        self.child.kill()?;
        self.child.wait()?;
        bail!(
            "it did not end within {PATIENCE:?} of SIGTERM and was killed; it said:\n{}",
            self.said()
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = self.stop();
        if std::thread::panicking() {
            write_out(&format!("the server said:\n{}\n", self.said()));
        } else if let Err(error) = stopped {
            write_out(&format!("{error:#}\n"));
        }
    }
}

/// Collects what comes, and hands on each line, until the end of the stream.
fn listen(stream: impl Read + Send + 'static, said: &Arc<Said>) -> Receiver<String> {
    let (lines, receiver) = mpsc::channel();
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = said.text.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
            drop(text);
            said.more.notify_all();
            // Nobody listens any more once it is ready.
            let _ = lines.send(line);
        }
    });
    receiver
}

fn ready_at(lines: &Receiver<String>) -> anyhow::Result<String> {
    let started = Instant::now();
    loop {
        let line = lines
            .recv_timeout(PATIENCE.saturating_sub(started.elapsed()))
            .context("expected the line `MecaPy is ready at …`")?;
        if let Some((_, url)) = line.split_once(READY) {
            return Ok(url.trim().trim_end_matches('/').to_owned());
        }
        if line.contains(WORKS) {
            return Ok(String::new());
        }
    }
}

/// To the test's own captured output.
#[expect(clippy::print_stdout, reason = "what the server said is shown with the failed test")]
fn write_out(text: &str) {
    print!("{text}");
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A program that behaves like the real one as far as is seen here.
    fn program(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_server_is_found_by_its_line_and_ends_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(
            folder.path(),
            // A tail of nothing waits until it is killed.
            "trap 'kill $!; exit 7' TERM\necho secret > \"$5/admin.token\"\necho starting\n\
             echo 'MecaPy is ready at http://127.0.0.1:1/'\ntail -f /dev/null & wait",
        );
        let server = Server::start(&program, folder.path()).unwrap();
        assert_eq!((server.url(), server.token()), ("http://127.0.0.1:1", "secret"));
        let started = server.said_once(|said| said.contains("starting"));
        assert!(started.contains("starting"), "{started}");
        assert_eq!(server.terminate().unwrap().code(), Some(7));
    }

    #[test]
    fn a_program_that_ends_early_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), "echo 'no room' >&2; exit 3");
        let error = Server::start(program, folder.path()).unwrap_err();
        assert!(format!("{error:#}").contains("MecaPy is ready at"), "{error:#}");
    }
}
