//! Git repositories, and servers that serve them over https or try to harm
//! whoever fetches from them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = include_str!("git_server.py");
/// What paths below `/private/` ask for.
pub const TOKEN: &str = "s3cret-of-the-repository";

/// A Git server on 127.0.0.1 with an authority of its own, stopped when it is
/// dropped. It serves the bare repositories of its folder, below `/private/`
/// only with [`TOKEN`].
#[derive(Debug)]
pub struct GitServer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl GitServer {
    /// Starts it without repositories.
    pub fn start() -> anyhow::Result<Self> {
        Self::with_rules(&json!([]))
    }

    /// The same; what `rules` name is answered as they say. Each has a `path`,
    /// and may have a text that the body `contains`, a `status`, `headers`, a
    /// `body` in Base64 or as `text`, and `more` in Base64 that is sent after it
    /// without end, with `pause_s` between.
    pub fn with_rules(rules: &Value) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        certify(folder.path())?;
        std::fs::create_dir(folder.path().join("root"))?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        let settings = json!({
            "root": at("root"),
            "certificate": at("server.pem"),
            "key": at("server.key"),
            "log": at("log"),
            "token": TOKEN,
            "rules": rules,
        });
        let mut child = Command::new("python3")
            .args(["-c", PROGRAM, &settings.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("python3 could not be started")?;
        let mut line = String::new();
        let out = child.stdout.take().context("stdout is a pipe")?;
        BufReader::new(out).read_line(&mut line)?;
        let port = line.trim().parse().context("the server says its port")?;
        Ok(Self { child, port, folder })
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}/{path}", self.port)
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of its authority.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// What it was asked so far: method, path and headers of each request,
    /// their names in lower case.
    #[must_use]
    pub fn asked(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Serves a copy of a repository under a name such as `f.git`.
    pub fn serve(&self, repository: &Repository, name: &str) -> anyhow::Result<()> {
        let target = self.folder.path().join("root").join(name);
        let target = target.to_str().context("a temporary path is text")?;
        git(repository.folder.path(), &["clone", "--quiet", "--mirror", ".", target])?;
        Ok(())
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A repository with a working tree.
#[derive(Debug)]
pub struct Repository {
    folder: TempDir,
}

impl Repository {
    /// One without a commit, whose branch is `main`.
    pub fn new() -> anyhow::Result<Self> {
        Self::with_options(&[])
    }

    /// The same; `options` go to `git init`.
    pub fn with_options(options: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let init = [&["init", "--quiet", "--initial-branch=main"], options].concat();
        git(folder.path(), &init)?;
        Ok(Self { folder })
    }

    /// Its working tree.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let path = self.path().join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        Ok(std::fs::write(path, content)?)
    }

    /// Commits everything; the 40 digits of the commit.
    pub fn commit(&self) -> anyhow::Result<String> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "x"])?;
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs `git` in it; what it printed.
    pub fn git(&self, words: &[&str]) -> anyhow::Result<String> {
        git(self.path(), words)
    }
}

fn git(folder: &Path, words: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(words);
    for (name, value) in [
        // A developer's own settings are not the test's.
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_AUTHOR_DATE", "1700000000 +0000"),
        ("GIT_COMMITTER_NAME", "ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_DATE", "1700000000 +0000"),
    ] {
        command.env(name, value);
    }
    ran(&mut command)
}

/// Makes an authority, and a certificate of it for this machine.
fn certify(folder: &Path) -> anyhow::Result<()> {
    std::fs::write(
        folder.join("names"),
        "subjectAltName=IP:127.0.0.1,IP:127.0.0.2,DNS:localhost\nbasicConstraints=CA:FALSE\n",
    )?;
    let run = |words: &str| ran(Command::new("openssl").current_dir(folder).args(words.split(' ')));
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    run(&format!(
        "req -x509 {key} -keyout authority.key -out authority.pem -days 2 -subj /CN=tests"
    ))?;
    run(&format!("req {key} -keyout server.key -out server.csr -subj /CN=server"))?;
    run(
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -days 2 -extfile names -out server.pem",
    )?;
    Ok(())
}

fn ran(command: &mut Command) -> anyhow::Result<String> {
    let done = command.output().with_context(|| format!("{command:?} could not be started"))?;
    if !done.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}
