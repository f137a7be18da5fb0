//! The process that reads what a stranger's server sends.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::http::Remote;
use crate::pack::Objects;
use crate::{Error, Limits, Reach, Request, Snapshot, conversation, tree};

/// The first argument that makes a program this process.
pub const ARGUMENT: &str = "git-fetch";

/// Memory that it may map, in bytes: the largest object several times, and the
/// files of the folder.
const MEMORY_BYTES: u64 = 3 << 30;
const FILES: u64 = 64;
/// CPU time beyond the time that the network may take.
const CPU_S: u64 = 60;

/// What it is told, as one JSON value.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) request: Request,
    pub(crate) limits: Limits,
    pub(crate) reach: Reach,
    /// Certificates in PEM that are trusted instead of the usual ones.
    pub(crate) authorities: Option<String>,
    /// Where the pack is kept meanwhile.
    pub(crate) folder: PathBuf,
}

/// What it answers: one line, followed by the files' bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Fetched {
        commit: String,
        /// Path and length of each file.
        files: Vec<(String, u64)>,
    },
    Failed(Error),
}

/// Reads an order from standard input, fetches, answers on standard output.
#[must_use]
pub fn child_main() -> ExitCode {
    let done = bound().and_then(|()| {
        let mut order = Vec::new();
        io::stdin().read_to_end(&mut order)?;
        let order: Order = serde_json::from_slice(&order)?;
        answer(fetch(&order))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn bound() -> io::Result<()> {
    for (resource, most) in [
        (Resource::As, MEMORY_BYTES),
        (Resource::Cpu, CPU_S),
        (Resource::Nofile, FILES),
        (Resource::Core, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

fn fetch(order: &Order) -> Result<Snapshot, Error> {
    let Order { request, limits, reach, authorities, folder } = order;
    let authorities = authorities.as_ref().map(String::as_bytes);
    let mut remote =
        Remote::new(&request.url, request.login.clone(), reach.clone(), authorities, limits.wall)?;
    let object = conversation::find(&mut remote, request.reference.as_deref())?;
    let mut received = None;
    conversation::fetch(&remote, object, |pack| {
        received = Some(Objects::receive(pack, folder, limits.pack_bytes)?);
        Ok(())
    })?;
    let mut objects = received.ok_or_else(|| remote.not_git("no pack"))?;
    tree::snapshot(&mut objects, object, request.path.as_deref(), limits)
}

fn answer(fetched: Result<Snapshot, Error>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let (answer, files) = match fetched {
        Ok(Snapshot { commit, files }) => {
            let told = files.iter().map(|file| (file.path.clone(), file.content.len() as u64));
            (Answer::Fetched { commit, files: told.collect() }, files)
        }
        Err(error) => (Answer::Failed(error), Vec::new()),
    };
    serde_json::to_writer(&mut out, &answer)?;
    out.write_all(b"\n")?;
    for file in files {
        out.write_all(&file.content)?;
    }
    out.flush()
}
