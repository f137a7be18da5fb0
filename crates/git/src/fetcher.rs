//! Starts the process that fetches, and reads its answer.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::sync::mpsc;

use crate::child::{ARGUMENT, Answer, Order};
use crate::http::host_of;
use crate::{Error, Limits, Reach, Request};

/// The longest first line of an answer: the paths of all files.
const LINE_BYTES: u64 = 16 << 20;
/// How much is read at once, and how many such pieces wait for the sink.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 4;
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

/// A folder at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched<T> {
    /// The 40 digits of the commit.
    pub commit: String,
    /// Where its files went.
    pub files: T,
}

/// Where files go, one after the other, sorted by path.
pub trait Sink: Send + 'static {
    /// Takes a file: its path below the folder, `/` between the names, and its
    /// bytes, of which the sink reads as many as it wants.
    ///
    /// # Errors
    /// When it can't be kept here.
    fn file(&mut self, path: &str, content: &mut dyn Read) -> io::Result<()>;
}

/// Files in memory: for few and small ones.
pub type Files = Vec<(String, Vec<u8>)>;

impl Sink for Files {
    fn file(&mut self, path: &str, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.push((path.to_owned(), bytes));
        Ok(())
    }
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

    /// Has the files that a request asks for go to `sink`. Who drops the future
    /// ends the process.
    ///
    /// # Errors
    /// Why there are none; nothing of it tells the caller's token.
    pub async fn fetch<T: Sink>(&self, request: Request, sink: T) -> Result<Fetched<T>, Error> {
        host_of(&request.url)?;
        let in_child = self.in_child(request, sink);
        match tokio::time::timeout(self.0.limits.wall + SLACK, in_child).await {
            Ok(Ok(Answered::Whole(fetched))) => Ok(fetched),
            Ok(Ok(Answered::Failed(error))) => Err(error),
            // Its limits ended it, whatever it was given to read.
            Ok(Ok(Answered::Died)) => {
                Err(Error::Broken("it takes too much memory or time to read".to_owned()))
            }
            Ok(Err(error)) => Err(Error::Here(error.to_string())),
            Err(_) => Err(Error::TooSlow),
        }
    }

    async fn in_child<T: Sink>(&self, request: Request, sink: T) -> io::Result<Answered<T>> {
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
        let answered = read(BufReader::new(out), &self.0.limits, sink).await?;
        child.kill().await?;
        Ok(answered)
    }
}

enum Answered<T> {
    Whole(Fetched<T>),
    Failed(Error),
    /// It ended before it had said everything.
    Died,
}

/// The answer of a process that may be in a stranger's hands: each length is
/// checked before it is believed.
async fn read<T: Sink>(
    mut out: BufReader<ChildStdout>,
    limits: &Limits,
    sink: T,
) -> io::Result<Answered<T>> {
    let mut line = Vec::new();
    (&mut out).take(LINE_BYTES).read_until(b'\n', &mut line).await?;
    let (commit, told) = match serde_json::from_slice(&line) {
        Ok(Answer::Fetched { commit, files }) => (commit, files),
        Ok(Answer::Failed(error)) => return Ok(Answered::Failed(error)),
        Err(_) => return Ok(Answered::Died),
    };
    let mut left = Some(limits.files_bytes);
    for (_, bytes) in &told {
        left = left.and_then(|left| left.checked_sub(*bytes));
    }
    if left.is_none() {
        return Ok(Answered::Died);
    }
    let (pieces, piped) = mpsc::channel(PIECES);
    let sinking = tokio::task::spawn_blocking(move || fill(sink, &told, Pipe::new(piped)));
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let is_end = out.read_buf(&mut piece).await? == 0;
        // A sink that failed takes no more.
        if is_end || pieces.send(piece).await.is_err() {
            break;
        }
    }
    drop(pieces);
    match sinking.await.map_err(io::Error::other)? {
        Ok(files) => Ok(Answered::Whole(Fetched { commit, files })),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Answered::Died),
        Err(error) => Err(error),
    }
}

/// Gives each file to the sink, and passes over what it leaves of one.
fn fill<T: Sink>(mut sink: T, told: &[(String, u64)], mut pipe: Pipe) -> io::Result<T> {
    for (path, bytes) in told {
        let mut content = Read::take(&mut pipe, *bytes);
        sink.file(path, &mut content)?;
        io::copy(&mut content, &mut io::sink())?;
        if content.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(sink)
}

/// Pieces that come from an async task, for a thread that may block.
struct Pipe {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Pipe {
    fn new(pieces: mpsc::Receiver<Vec<u8>>) -> Self {
        Self { pieces, piece: io::Cursor::default() }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = Read::read(&mut self.piece, buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(next) = self.pieces.blocking_recv() else { return Ok(0) };
            self.piece = io::Cursor::new(next);
        }
    }
}
