//! Hand-made wheels and a package index of them on this machine.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Cursor, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use sha2::Digest as _;
use zip::write::SimpleFileOptions;

/// A wheel to be made, with whatever files a test needs in it.
#[derive(Clone, Debug)]
pub struct Wheel {
    name: String,
    version: String,
    tag: String,
    requires: Vec<String>,
    requires_python: Option<String>,
    files: Vec<(String, Vec<u8>)>,
}

impl Wheel {
    /// An empty wheel for every Python and every machine. The name is written
    /// as in file names, with underscores.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            tag: "py3-none-any".to_owned(),
            requires: Vec::new(),
            requires_python: None,
            files: Vec::new(),
        }
    }

    /// Adds a file, at its path below `site-packages`.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Adds a requirement.
    #[must_use]
    pub fn requires(mut self, requirement: &str) -> Self {
        self.requires.push(requirement.to_owned());
        self
    }

    /// Sets the Python versions that it admits, such as `>=3.13`.
    #[must_use]
    pub fn requires_python(mut self, versions: &str) -> Self {
        self.requires_python = Some(versions.to_owned());
        self
    }

    /// Sets the tag, such as `cp39-cp39-manylinux_2_17_x86_64`.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.tag = tag.to_owned();
        self
    }

    /// The name of its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.tag)
    }

    /// Its bytes.
    ///
    /// # Panics
    /// Never: it is written to memory.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let info = format!("{}-{}.dist-info", self.name, self.version);
        let mut metadata =
            format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        for requirement in &self.requires {
            metadata.push_str(&format!("Requires-Dist: {requirement}\n"));
        }
        if let Some(versions) = &self.requires_python {
            metadata.push_str(&format!("Requires-Python: {versions}\n"));
        }
        let kind = format!(
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {}\n",
            self.tag
        );
        let mut files = self.files.clone();
        files.push((format!("{info}/METADATA"), metadata.into_bytes()));
        files.push((format!("{info}/WHEEL"), kind.into_bytes()));
        let mut record: String = files.iter().map(|(path, _)| format!("{path},,\n")).collect();
        record.push_str(&format!("{info}/RECORD,,\n"));
        files.push((format!("{info}/RECORD"), record.into_bytes()));
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (path, content) in files {
            zip.start_file(path, SimpleFileOptions::default()).expect("a new entry can be started");
            zip.write_all(&content).expect("memory can be written");
        }
        zip.finish().expect("memory can be written").into_inner()
    }

    /// Writes it into `folder`, for `--find-links`.
    ///
    /// # Errors
    /// What the file system answers.
    pub fn write_into(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join(self.file_name());
        std::fs::write(&path, self.bytes())?;
        Ok(path)
    }
}

/// A package index over HTTP on 127.0.0.1, in the layout of PEP 503.
///
/// It serves until it is dropped.
#[derive(Debug)]
pub struct Index {
    port: u16,
    shared: Arc<Shared>,
    server: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    files: Mutex<HashMap<String, Vec<u8>>>,
    authorization: Mutex<Option<String>>,
    downloads: AtomicUsize,
    closed: AtomicBool,
    gate: Gate,
}

/// Holds downloads back until it is opened.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    shut: bool,
    waiting: usize,
}

impl Index {
    /// Starts an index of these wheels.
    ///
    /// # Errors
    /// What the network answers.
    pub fn start(wheels: &[Wheel]) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let server = {
            let shared = shared.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if shared.closed.load(Ordering::SeqCst) {
                        break;
                    }
                    let shared = shared.clone();
                    // A connection ends with its client; nobody waits for it.
                    std::thread::spawn(move || drop(serve(stream, &shared)));
                }
            })
        };
        let index = Self { port, shared, server: Some(server) };
        for wheel in wheels {
            index.add(wheel);
        }
        Ok(index)
    }

    /// Adds a wheel, or replaces the one of the same file name.
    pub fn add(&self, wheel: &Wheel) {
        self.add_file(&wheel.file_name(), wheel.bytes());
    }

    /// Adds any file: a source distribution, or a wheel with other content.
    pub fn add_file(&self, name: &str, content: Vec<u8>) {
        self.files().insert(name.to_owned(), content);
    }

    fn files(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.shared.files.lock().expect("no holder panics")
    }

    /// Answers 401 to whoever does not send these from now on.
    pub fn require(&self, username: &str, password: &str) {
        let pair = base64(format!("{username}:{password}").as_bytes());
        let mut authorization = self.shared.authorization.lock().expect("no holder panics");
        *authorization = Some(format!("basic {pair}").to_ascii_lowercase());
    }

    /// Its address, to be used as the index.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/simple", self.port)
    }

    /// How many files were downloaded in full.
    #[must_use]
    pub fn downloads(&self) -> usize {
        self.shared.downloads.load(Ordering::SeqCst)
    }

    /// Holds downloads back in their middle from now on.
    pub fn hold_downloads(&self) {
        self.shared.gate.state.lock().expect("no holder panics").shut = true;
    }

    /// Lets them go on.
    pub fn release_downloads(&self) {
        self.shared.gate.open();
    }

    /// Waits until at least one download is held back.
    pub fn wait_for_a_held_download(&self) {
        let gate = &self.shared.gate;
        let state = gate.state.lock().expect("no holder panics");
        drop(gate.changed.wait_while(state, |state| state.waiting == 0).expect("no holder panics"));
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.gate.open();
        // The server waits for a connection, so it is given one.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(server) = self.server.take() {
            drop(server.join());
        }
    }
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().expect("no holder panics");
        state.waiting += 1;
        self.changed.notify_all();
        let mut state =
            self.changed.wait_while(state, |state| state.shut).expect("no holder panics");
        state.waiting -= 1;
    }

    fn open(&self) {
        self.state.lock().expect("no holder panics").shut = false;
        self.changed.notify_all();
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut answers = stream;
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let head_only = line.starts_with("HEAD ");
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut authorization = None;
        loop {
            let mut header = String::new();
            if requests.read_line(&mut header)? == 0 || header.trim().is_empty() {
                break;
            }
            let header = header.trim().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("authorization: ") {
                authorization = Some(value.to_owned());
            }
        }
        let wanted = shared.authorization.lock().expect("no holder panics").clone();
        if wanted.is_some() && authorization != wanted {
            respond(&mut answers, "401 Unauthorized", "text/plain", b"", head_only)?;
        } else if let Some(file) = path.strip_prefix("/files/") {
            let content = shared.files.lock().expect("no holder panics").get(file).cloned();
            match content {
                Some(content) if !head_only => download(&mut answers, &content, shared)?,
                Some(content) => {
                    respond(&mut answers, "200 OK", "application/zip", &content, true)?;
                }
                None => respond(&mut answers, "404 Not Found", "text/plain", b"", head_only)?,
            }
        } else {
            let page = page(path.trim_end_matches('/'), shared);
            let status = if page.is_some() { "200 OK" } else { "404 Not Found" };
            let page = page.unwrap_or_default();
            respond(&mut answers, status, "text/html", page.as_bytes(), head_only)?;
        }
    }
}

/// The page of one package, if the index has a file of it.
fn page(path: &str, shared: &Shared) -> Option<String> {
    let wanted = path.strip_prefix("/simple/")?;
    let files = shared.files.lock().expect("no holder panics");
    let links: String = files
        .iter()
        .filter(|(file, _)| {
            let name = file.split('-').next().unwrap_or_default();
            name.to_ascii_lowercase().replace(['_', '.'], "-") == wanted
        })
        .map(|(file, content)| {
            let hash = hex::encode(sha2::Sha256::digest(content));
            format!("<a href=\"/files/{file}#sha256={hash}\">{file}</a>\n")
        })
        .collect();
    (!links.is_empty()).then(|| format!("<!DOCTYPE html><html><body>{links}</body></html>"))
}

fn respond(
    to: &mut TcpStream,
    status: &str,
    kind: &str,
    content: &[u8],
    head_only: bool,
) -> io::Result<()> {
    head(to, status, kind, content.len())?;
    if !head_only {
        to.write_all(content)?;
    }
    Ok(())
}

fn head(to: &mut TcpStream, status: &str, kind: &str, length: usize) -> io::Result<()> {
    let challenge =
        if status.starts_with("401") { "WWW-Authenticate: Basic realm=\"test\"\r\n" } else { "" };
    write!(
        to,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{challenge}\r\n"
    )
}

fn download(to: &mut TcpStream, content: &[u8], shared: &Shared) -> io::Result<()> {
    head(to, "200 OK", "application/zip", content.len())?;
    let (first, second) = content.split_at(content.len() / 2);
    to.write_all(first)?;
    to.flush()?;
    shared.gate.pass();
    to.write_all(second)?;
    shared.downloads.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..4 {
            if position <= chunk.len() {
                let letter = (group >> (18 - 6 * position)) & 63;
                text.push(char::from(LETTERS[letter as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}
