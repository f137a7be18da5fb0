//! The `uv` program: found, asked, and run with a clean environment, a
//! deadline and a watch on what it writes.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, prlimit};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::error::Error;
use crate::log::KeptLog;
use crate::settings::{Index, UvProgram};

/// The oldest version whose output and options are known.
const OLDEST: (u32, u32) = (0, 9);
/// The longest line of its output that is kept whole, in bytes.
const LONGEST_LINE: u64 = 16 << 10;
/// Lines of its last words that are kept to explain a failure.
const LAST_LINES: usize = 400;

/// The `uv` program of this machine, with the index it asks.
#[derive(Clone, Debug)]
pub struct Uv {
    program: PathBuf,
    version: String,
    index: Index,
    cache: PathBuf,
    secrets: Vec<String>,
}

/// How a run of `uv` ended.
pub(crate) enum Ended {
    /// By itself.
    Exited(Finished),
    /// Killed at its deadline.
    OutOfTime,
    /// Killed because the watch said so.
    Stopped(Error),
}

/// A run that ended by itself.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// The last lines that it said, without secrets.
    pub(crate) said: String,
}

impl Finished {
    /// Whether it met the limit on the size of a file.
    pub(crate) fn wrote_too_much(&self) -> bool {
        use std::os::unix::process::ExitStatusExt as _;
        self.status.signal() == Some(rustix::process::Signal::XFSZ.as_raw())
            || self.said.contains("File too large (os error 27)")
    }
}

impl Uv {
    /// Finds the program and asks for its version.
    ///
    /// # Errors
    /// [`Error::NoUv`] where there is none, [`Error::BadUv`] where the one
    /// found is too old or no `uv`.
    pub async fn find(places: &UvProgram, index: &Index, cache: &Path) -> Result<Self, Error> {
        let program = locate(places)?;
        let secrets = secrets(index);
        let mut uv = Self {
            program,
            version: String::new(),
            index: index.clone(),
            cache: cache.to_owned(),
            secrets,
        };
        uv.version = uv.ask_version().await?;
        Ok(uv)
    }

    /// Where it was found.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its version, such as `0.9.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn offline(&self) -> bool {
        self.index.offline
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    async fn ask_version(&self) -> Result<String, Error> {
        let bad = |reason: String| Error::BadUv { program: self.program.clone(), reason };
        let mut command = Command::new(&self.program);
        command.arg("--version").env_clear().stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(10), command.output())
            .await
            .map_err(|_| bad("it did not tell its version within 10 s".to_owned()))?
            .map_err(|error| bad(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said
            .strip_prefix("uv ")
            .and_then(|rest| rest.split_whitespace().next())
            .ok_or_else(|| bad("it does not tell a version of uv".to_owned()))?;
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let known = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if known < OLDEST {
            let (major, minor) = OLDEST;
            return Err(bad(format!(
                "it is version {version}, {major}.{minor} or later is needed"
            )));
        }
        Ok(version.to_owned())
    }

    /// A command with nothing of ours in its environment but what it needs.
    pub(crate) fn command(&self, scratch: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("HOME", scratch)
            .env("TMPDIR", scratch)
            .env("LANG", "C.UTF-8")
            .env("UV_CACHE_DIR", &self.cache)
            .env("UV_NO_PROGRESS", "1")
            .env("UV_HTTP_RETRIES", "2")
            .env("UV_PYTHON_DOWNLOADS", "never")
            .args(["--no-config", "--color", "never"])
            .current_dir(scratch)
            // A group of its own, so that it is killed with all it started.
            .process_group(0)
            .kill_on_drop(true);
        match &self.index.certificates {
            Some(file) => {
                command.env("SSL_CERT_FILE", file);
            }
            None => {
                command.arg("--system-certs");
            }
        }
        if let Some(proxy) = &self.index.proxy {
            command.env("ALL_PROXY", proxy).env("HTTPS_PROXY", proxy).env("HTTP_PROXY", proxy);
        }
        if self.index.offline {
            command.arg("--offline");
        }
        command
    }

    /// Adds where packages come from. URLs go through the environment, which
    /// only their owner can read, as they may carry credentials.
    pub(crate) fn ask_index(&self, command: &mut Command) {
        if let Some(url) = &self.index.url {
            command.env("UV_DEFAULT_INDEX", format!("mecapy={url}"));
        }
        if !self.index.extra_urls.is_empty() {
            command.env("UV_INDEX", self.index.extra_urls.join(" "));
        }
        if let Some(credentials) = &self.index.credentials {
            command.env("UV_INDEX_MECAPY_USERNAME", &credentials.username);
            command.env("UV_INDEX_MECAPY_PASSWORD", &credentials.password);
        }
        if !self.index.find_links.is_empty() {
            command.env("UV_FIND_LINKS", self.index.find_links.join(","));
        }
        if self.index.only_find_links {
            command.arg("--no-index");
        }
    }

    /// Runs `command` until it ends, `deadline` passes or `watch` ends with the
    /// reason to stop it.
    /// Dropping the future kills it too, with all it started.
    ///
    /// `held` becomes its standard input, which it never reads: a lock on that
    /// file then stays held while the program lives, even if this process is
    /// killed first. No file that it writes grows beyond `largest_file` bytes.
    pub(crate) async fn run(
        &self,
        mut command: Command,
        held: Option<File>,
        largest_file: Option<u64>,
        deadline: Instant,
        log: &KeptLog,
        watch: impl Future<Output = Error>,
    ) -> Result<Ended, Error> {
        command
            .stdin(held.map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Error::io("start", &self.program))?;
        let group = Group::of(&child);
        if let (Some(limit), Some(id)) = (largest_file, group.0) {
            let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
            prlimit(Some(id), Resource::Fsize, limit)
                .map_err(|error| Error::io("limit", &self.program)(error.into()))?;
        }
        let stdout = child.stdout.take();
        let mut said = Said { lines: VecDeque::new(), log, secrets: &self.secrets };
        let mut silent = Said {
            lines: VecDeque::new(),
            log: &KeptLog::live_only(&crate::Log::silent()),
            secrets: &[],
        };
        let stderr = child.stderr.take();
        let reading = async {
            tokio::join!(read(stderr, &mut said), read(stdout, &mut silent));
        };
        let ended = {
            tokio::select! {
                () = reading => None,
                () = tokio::time::sleep_until(deadline) => Some(Ended::OutOfTime),
                error = watch => Some(Ended::Stopped(error)),
            }
        };
        if let Some(early) = ended {
            group.kill();
            child.wait().await.map_err(Error::io("wait for", &self.program))?;
            return Ok(early);
        }
        // Both pipes are closed, so nothing of the group writes any more; it
        // is killed all the same, then reaped.
        let status = tokio::time::timeout_at(deadline, child.wait()).await;
        let Ok(status) = status else {
            group.kill();
            child.wait().await.map_err(Error::io("wait for", &self.program))?;
            return Ok(Ended::OutOfTime);
        };
        group.disarm();
        let status = status.map_err(Error::io("wait for", &self.program))?;
        let said = said.lines.into_iter().collect::<Vec<_>>().join("\n");
        Ok(Ended::Exited(Finished { status, said }))
    }
}

/// The process group of a running `uv`, killed when it is dropped early.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(rustix::process::Pid::from_raw))
    }

    fn kill(&self) {
        if let Some(group) = self.0 {
            // It may have ended by itself in between.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }

    /// Once the leader is reaped its number may be given to another group.
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Said<'a> {
    lines: VecDeque<String>,
    log: &'a KeptLog,
    secrets: &'a [String],
}

impl Said<'_> {
    fn line(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let line = redacted(text.trim_end(), self.secrets);
        self.log.line(&line);
        if self.lines.len() == LAST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, said: &mut Said<'_>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = tokio::io::AsyncReadExt::take(&mut from, LONGEST_LINE);
        match bounded.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => said.line(&line),
        }
    }
}

fn locate(places: &UvProgram) -> Result<PathBuf, Error> {
    let mut looked = Vec::new();
    let tried: Vec<PathBuf> = match &places.program {
        Some(program) => vec![program.clone()],
        None => {
            let path = places.path.as_deref().map(std::env::split_paths);
            let folders = places.folders.iter().cloned().chain(path.into_iter().flatten());
            // A relative folder would mean another program in another folder.
            folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join("uv")).collect()
        }
    };
    for program in tried {
        if is_executable(&program) {
            return program.canonicalize().map_err(Error::io("resolve", &program));
        }
        if !looked.contains(&program) {
            looked.push(program);
        }
    }
    Err(Error::NoUv { looked })
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Everything that must not appear in a log: the password, and the user parts
/// of URLs.
fn secrets(index: &Index) -> Vec<String> {
    let urls =
        index.url.iter().chain(&index.extra_urls).chain(&index.find_links).chain(&index.proxy);
    let mut secrets: Vec<String> = urls
        .filter_map(|url| {
            let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
            Some(authority.rsplit_once('@')?.0)
        })
        .flat_map(|user| user.split_once(':').map_or(user, |(_, password)| password).lines())
        .map(str::to_owned)
        .chain(index.credentials.iter().map(|credentials| credentials.password.clone()))
        .filter(|secret| !secret.is_empty())
        .collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

fn redacted(line: &str, secrets: &[String]) -> String {
    secrets.iter().fold(line.to_owned(), |line, secret| line.replace(secret.as_str(), "****"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Credentials;

    #[test]
    fn no_password_reaches_a_log() {
        let index = Index {
            url: Some("https://bob:t0p%20secret@pypi.example/simple".to_owned()),
            extra_urls: vec!["https://only-token@other.example/simple".to_owned()],
            credentials: Some(Credentials { username: "eve".into(), password: "hunter2".into() }),
            ..Index::default()
        };
        let secrets = secrets(&index);
        let line = "GET https://bob:t0p%20secret@pypi.example only-token hunter2";
        assert_eq!(redacted(line, &secrets), "GET https://bob:****@pypi.example **** ****");
        assert!(!format!("{index:?}").contains("hunter2"));
        assert!(!format!("{index:?}").contains("secret"));
    }

    #[test]
    fn a_missing_program_names_every_place_that_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let places = UvProgram {
            folders: vec![folder.path().join("tools")],
            path: Some("/nowhere:relative:/nowhere".into()),
            ..UvProgram::default()
        };
        let Err(Error::NoUv { looked }) = locate(&places) else { panic!() };
        assert_eq!(looked, [folder.path().join("tools/uv"), PathBuf::from("/nowhere/uv")]);
    }
}
