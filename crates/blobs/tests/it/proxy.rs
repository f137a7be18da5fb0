//! A network that misbehaves, between a store and a real server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How it treats what passes.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    Pass,
    /// Answers are held back.
    Hold,
    /// The next answers, so many, break off after so many bytes.
    Cut {
        times: u32,
        after: usize,
    },
    /// Each request is answered with this status and code and goes nowhere.
    Refuse(&'static str, &'static str),
}

/// Passes bytes on until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    server: String,
    mode: watch::Sender<Mode>,
    requests: Mutex<Vec<String>>,
}

impl Proxy {
    /// In front of a server, such as `127.0.0.1:9000`.
    pub(crate) async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            mode: watch::Sender::new(Mode::Pass),
            requests: Mutex::default(),
        });
        let mut serving = JoinSet::new();
        let all = Arc::clone(&shared);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(Arc::clone(&all).pass(client));
            }
        });
        Self { address, shared, _serving: serving }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Waits until all answers broke off that were to.
    pub(crate) async fn has_cut(&self) {
        let mut modes = self.shared.mode.subscribe();
        modes.wait_for(|mode| matches!(mode, Mode::Cut { times: 0, .. })).await.unwrap();
    }

    /// First lines of the requests since it was asked before.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }
}

impl Shared {
    async fn pass(self: Arc<Self>, client: TcpStream) {
        // A server that is not there is one that hangs up.
        let Ok(server) = TcpStream::connect(&self.server).await else { return };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = self.requests(from_client, to_server) => {}
            () = self.answers(from_server, to_client) => {}
        }
    }

    async fn requests(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut piece = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from.read(&mut piece).await {
            if let Some(line) = request_line(&piece[..read]) {
                self.requests.lock().unwrap().push(line);
            }
            if to.write_all(&piece[..read]).await.is_err() {
                return;
            }
        }
    }

    async fn answers(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut modes = self.mode.subscribe();
        let mut piece = vec![0; 64 << 10];
        let mut answered = 0;
        while let Ok(mut read @ 1..) = from.read(&mut piece).await {
            let mode = modes.wait_for(|mode| !matches!(mode, Mode::Hold)).await.unwrap().clone();
            let mut is_last = false;
            if piece[..read].starts_with(b"HTTP/1.1 ") {
                answered = 0;
            }
            match mode {
                Mode::Cut { times: 1.., after } => {
                    read = read.min(after - answered.min(after));
                    is_last = answered + read == after;
                }
                Mode::Refuse(status, code) => {
                    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    );
                    let _ = to.write_all(answer.as_bytes()).await;
                    return;
                }
                _ => {}
            }
            if to.write_all(&piece[..read]).await.is_err() {
                return;
            }
            answered += read;
            if is_last {
                self.mode.send_modify(|mode| {
                    if let Mode::Cut { times, .. } = mode {
                        *times -= 1;
                    }
                });
                return;
            }
        }
    }
}

fn request_line(piece: &[u8]) -> Option<String> {
    let end = piece.windows(2).position(|pair| pair == b"\r\n")?;
    let line = str::from_utf8(&piece[..end]).ok()?.strip_suffix(" HTTP/1.1")?;
    let (method, _) = line.split_once(' ')?;
    ["GET", "HEAD", "PUT", "POST", "DELETE"].contains(&method).then(|| line.to_owned())
}
