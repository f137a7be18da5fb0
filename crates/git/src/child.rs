//! The process that reads what a stranger's server sends.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Gid, Resource, Rlimit, Signal, Uid};
use serde::{Deserialize, Serialize};

use crate::http::Remote;
use crate::pack::Objects;
use crate::scratch::Scratch;
use crate::tree::{self, Listing};
use crate::{Error, Limits, Reach, Request, conversation};

/// The first argument that makes a program this process.
pub const ARGUMENT: &str = "git-fetch";

/// Memory that it may map, in bytes: an object, what it is made from, what is
/// done to it, and the program itself.
const MEMORY_BYTES: u64 = 1 << 30;
/// Files that it may hold open.
const FILES: u64 = 64;
/// CPU time, in seconds.
const CPU_S: u64 = 50;
/// Who it is where it was root: nobody.
const NOBODY: u32 = 65_534;

/// What it is told, as one JSON value.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) request: Request,
    pub(crate) limits: Limits,
    pub(crate) reach: Reach,
    /// Certificates in PEM that are trusted instead of the usual ones.
    pub(crate) authorities: Option<String>,
    /// Where objects lie meanwhile.
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
    match obey() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn obey() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut order = Vec::new();
    io::stdin().read_to_end(&mut order)?;
    let order: Order = serde_json::from_slice(&order)?;
    // Before the limits: the folder may be closed to nobody.
    let scratch = Scratch::within(&order.folder, order.limits.unpacked_bytes);
    bound(&order.limits)?;
    match scratch.and_then(|scratch| fetch(&order, scratch)) {
        Ok((listing, objects)) => tell(&listing, objects),
        Err(error) => say(&mut io::stdout().lock(), &Answer::Failed(error)),
    }
}

/// Gives up whatever reading a repository doesn't need.
fn bound(limits: &Limits) -> io::Result<()> {
    for (resource, most) in [
        (Resource::As, MEMORY_BYTES),
        (Resource::Cpu, CPU_S),
        (Resource::Fsize, limits.unpacked_bytes),
        (Resource::Nofile, FILES),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::setrlimit(resource, limit)?;
    }
    rustix::thread::set_no_new_privs(true)?;
    if rustix::process::geteuid().is_root() {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(group, group, group)?;
        rustix::thread::set_thread_res_uid(user, user, user)?;
        // A change of user forgets it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    Ok(())
}

fn fetch(order: &Order, scratch: Scratch) -> Result<(Listing, Objects), Error> {
    let Order { request, limits, reach, authorities, .. } = order;
    let path = request.path.as_deref().unwrap_or_default();
    tree::names(path)?;
    let login = request.login.clone();
    let mut remote =
        Remote::new(&request.url, login, reach.clone(), authorities.as_deref(), limits.wall)?;
    let object = conversation::find(&mut remote, request.reference.as_deref())?;
    let pack = conversation::fetch(&remote, object, limits)?;
    let mut objects = Objects::receive(pack, scratch, limits)?;
    let listing = tree::list(&mut objects, object, path, limits)?;
    Ok((listing, objects))
}

fn tell(listing: &Listing, mut objects: Objects) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let told = listing.files.iter().map(|(path, place)| (path.clone(), place.bytes));
    let commit = listing.commit.to_string();
    say(&mut out, &Answer::Fetched { commit, files: told.collect() })?;
    for (_, place) in &listing.files {
        out.write_all(&objects.read(*place).map_err(io::Error::other)?)?;
    }
    out.flush()
}

fn say(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    serde_json::to_writer(&mut *out, answer)?;
    out.write_all(b"\n")?;
    out.flush()
}
