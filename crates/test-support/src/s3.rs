//! An S3 server of a test's own, the program `s3s-fs`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::tools;

/// Runs the server until its own input says so or ends, as it does when the
/// test's process ends in whatever way; then nothing is left of either.
const KEEPER: &str = r#"
    folder=$1; shift
    "$@" </dev/null & server=$!
    read -r word || word=
    exec 2>/dev/null
    kill -KILL "$server"; wait "$server"
    [ "$word" = keep ] || { cd /; rm -rf "$folder"; }
"#;

/// The keys that every server of [`S3`] knows.
pub const ACCESS_KEY: &str = "TESTACCESSKEY";
/// Their secret half.
pub const SECRET_KEY: &str = "test-secret-of-no-worth";

/// A running server, stopped and deleted when it is dropped or its process
/// ends. It listens on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct S3 {
    keeper: Child,
    program: PathBuf,
    folder: TempDir,
    address: String,
}

impl S3 {
    /// Starts a server without buckets; it answers when this returns.
    ///
    /// # Panics
    /// Where the program is missing; the message says how to get it.
    pub fn start() -> Result<Self> {
        let program = tools::s3s_fs();
        let folder = tempfile::tempdir().context("make a folder for the S3 server")?;
        let (keeper, address) = serve(&program, &folder, "0")?;
        Ok(Self { keeper, program, folder, address })
    }

    /// Stops the server as a power cut would; what it keeps stays.
    pub fn stop(&mut self) -> Result<()> {
        self.keeper.stdin.take().context("it was stopped before")?.write_all(b"keep\n")?;
        self.keeper.wait()?;
        Ok(())
    }

    /// Starts the server again that was stopped, on the same port.
    pub fn start_again(&mut self) -> Result<()> {
        let (_, port) = self.address.rsplit_once(':').context("the address has no port")?;
        (self.keeper, self.address) = serve(&self.program, &self.folder, port)?;
        Ok(())
    }

    /// Where it listens, such as `http://127.0.0.1:9000`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens, such as `127.0.0.1:9000`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes a bucket; answers the folder in which its objects are files.
    pub fn bucket(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Files of uploads that are neither completed nor aborted.
    pub fn half_written(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.folder.path())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(".upload") || name.ends_with(".part") {
                names.push(name);
            }
        }
        Ok(names)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // The keeper stops the server at the end of its input.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Answers the keeper and the address, once the server accepts connections.
fn serve(program: &PathBuf, folder: &TempDir, port: &str) -> Result<(Child, String)> {
    let mut keeper = Command::new("/bin/sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(folder.path())
        .arg(program)
        .args(["--host", "127.0.0.1", "--port", port])
        .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
        .arg(folder.path())
        .env("RUST_LOG", "s3s_fs=info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .context("start the S3 server")?;
    let mut lines = BufReader::new(keeper.stdout.take().context("no log")?).lines();
    let mut log = String::new();
    while let Some(line) = lines.next().transpose()? {
        if let Some((_, address)) = line.split_once("server is running at http://") {
            let address = address.trim().trim_end_matches(',').to_owned();
            // A full pipe would stop the server.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok((keeper, address));
        }
        log.push_str(&line);
        log.push('\n');
    }
    bail!("the S3 server ended before it was ready:\n{log}")
}
