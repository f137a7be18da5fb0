//! An S3 server of a test's own, the program `s3s-fs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::keeper::{Keeper, first};
use crate::tools;

/// The keys that every server of [`S3`] knows.
pub const ACCESS_KEY: &str = "TESTACCESSKEY";
/// Their secret half.
pub const SECRET_KEY: &str = "test-secret-of-no-worth";

/// A running server, stopped and deleted when it is dropped or its process
/// ends. It listens on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct S3 {
    keeper: Keeper,
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
        self.keeper.stop()
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

/// Answers the keeper and the address, once the server accepts connections.
fn serve(program: &Path, folder: &TempDir, port: &str) -> Result<(Keeper, String)> {
    let mut shell = Command::new("/bin/sh");
    let child = Keeper::of(&mut shell, "KILL", folder.path(), program)
        .args(["--host", "127.0.0.1", "--port", port])
        .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
        .arg(folder.path())
        .env("RUST_LOG", "s3s_fs=info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the S3 server")?;
    let mut keeper = Keeper::new(child);
    let log = keeper.child().stdout.take().context("no log")?;
    let address = first(log, "the S3 server", |line| {
        let (_, address) = line.split_once("server is running at http://")?;
        Some(address.trim().trim_end_matches(',').to_owned())
    })?;
    Ok((keeper, address))
}
