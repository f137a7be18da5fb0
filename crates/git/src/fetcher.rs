//! Starts the process that fetches, and reads its answer.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdout, Command};

use crate::child::{ARGUMENT, Answer, Order};
use crate::http::host_of;
use crate::{Error, Limits, Reach, Request};

/// The longest first line of an answer: the paths of all files.
const LINE_BYTES: u64 = 16 << 20;
/// What the process may take beyond the time that the network has.
const SLACK: Duration = Duration::from_secs(10);

/// What a [`Fetcher`] is built from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program that calls [`crate::child_main`] for [`ARGUMENT`].
    pub program: PathBuf,
    /// Where objects lie while they are read; it must be there.
    pub folder: PathBuf,
    /// Which addresses are called.
    pub reach: Reach,
    /// Certificates of authorities in PEM that are trusted instead of the
    /// usual ones.
    pub authorities: Option<String>,
    /// The bounds of each fetch.
    pub limits: Limits,
}

/// The files of a folder at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The 40 digits of the commit.
    pub commit: String,
    /// Path below the folder, `/` between the names, and bytes of each file.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Fetches repositories, each in a process of its own.
#[derive(Clone, Debug)]
pub struct Fetcher(Settings);

impl Fetcher {
    /// Nothing is started yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(settings)
    }

    /// The files that a request asks for. Who drops the future ends the
    /// process.
    ///
    /// # Errors
    /// Why there are none; nothing of it tells the caller's token.
    pub async fn fetch(&self, request: Request) -> Result<Snapshot, Error> {
        host_of(&request.url)?;
        match tokio::time::timeout(self.0.limits.wall + SLACK, self.in_child(request)).await {
            Ok(Ok(Answered::Whole(snapshot))) => Ok(snapshot),
            Ok(Ok(Answered::Failed(error))) => Err(error),
            // Its limits ended it, whatever it was given to read.
            Ok(Ok(Answered::Died)) => {
                Err(Error::Broken("it takes too much memory or time to read".to_owned()))
            }
            Ok(Err(error)) => Err(Error::Here(error.to_string())),
            Err(_) => Err(Error::TooSlow),
        }
    }

    async fn in_child(&self, request: Request) -> io::Result<Answered> {
        let Settings { program, folder, reach, authorities, limits } = self.0.clone();
        let order = Order { request, limits, reach, authorities, folder };
        let mut child = Command::new(program)
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut order_in = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        order_in.write_all(&serde_json::to_vec(&order)?).await?;
        drop(order_in);
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let answered = read(BufReader::new(out), &self.0.limits).await?;
        child.kill().await?;
        Ok(answered)
    }
}

enum Answered {
    Whole(Snapshot),
    Failed(Error),
    /// It ended before it had said everything.
    Died,
}

/// The answer of a process that may be in a stranger's hands: each length is
/// checked before it is believed.
async fn read(mut out: BufReader<ChildStdout>, limits: &Limits) -> io::Result<Answered> {
    let mut line = Vec::new();
    (&mut out).take(LINE_BYTES).read_until(b'\n', &mut line).await?;
    let (commit, told) = match serde_json::from_slice(&line) {
        Ok(Answer::Fetched { commit, files }) => (commit, files),
        Ok(Answer::Failed(error)) => return Ok(Answered::Failed(error)),
        Err(_) => return Ok(Answered::Died),
    };
    let mut left = limits.files_bytes;
    let mut files = Vec::with_capacity(told.len());
    for (path, bytes) in told {
        let Some(rest) = left.checked_sub(bytes) else { return Ok(Answered::Died) };
        left = rest;
        let mut content = Vec::new();
        (&mut out).take(bytes).read_to_end(&mut content).await?;
        if content.len() as u64 != bytes {
            return Ok(Answered::Died);
        }
        files.push((path, content));
    }
    Ok(Answered::Whole(Snapshot { commit, files }))
}
