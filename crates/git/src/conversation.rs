//! What is said to a Git server, in version 2 of the protocol: see
//! `gitprotocol-v2` and `gitprotocol-http` of Git's documentation.

use std::io::{BufRead, BufReader, Read};

use gix_hash::ObjectId;
use gix_packetline::blocking_io::{StreamingPeekableIter, encode};
use gix_packetline::{Channel, PacketLineRef};

use crate::Error;
use crate::http::Remote;

/// How much may be said before the pack begins; names of references included.
const WORDS_BYTES: u64 = 16 << 20;
/// The digits of a commit.
const DIGITS: usize = 40;

type Lines<R> = StreamingPeekableIter<R>;

/// Finds the object that `reference` names, the default branch where absent.
pub(crate) fn find(remote: &mut Remote, reference: Option<&str>) -> Result<ObjectId, Error> {
    greet(remote)?;
    match reference {
        Some(name) if is_commit(name) => Ok(id(remote, name.as_bytes())?),
        Some(name) if !is_reference(name) => Err(Error::Reference(name.to_owned())),
        name => look_up(remote, name),
    }
}

/// The pack that holds the object with everything below it and no history.
pub(crate) fn fetch(
    remote: &Remote,
    object: ObjectId,
    read: impl FnOnce(&mut dyn BufRead) -> Result<(), Error>,
) -> Result<(), Error> {
    let want = format!("want {object}\n");
    let body = command("fetch", &["no-progress\n", "ofs-delta\n", "deepen 1\n", &want, "done\n"]);
    let mut lines = lines(BufReader::new(remote.command(&body)?));
    loop {
        match next(remote, &mut lines)? {
            None => return Err(remote.not_git("no pack")),
            Some(line) if line.trim_ascii_end() == b"packfile" => break,
            Some(_) => {}
        }
    }
    let mut said = Vec::new();
    let told = |is_error: bool, text: &[u8]| {
        if is_error {
            said.extend_from_slice(text);
        }
        std::ops::ControlFlow::Continue(())
    };
    let done = read(&mut lines.as_read_with_sidebands(told));
    if said.is_empty() { done } else { Err(remote.not_git(&String::from_utf8_lossy(&said))) }
}

/// Makes sure that the server speaks version 2 with SHA-1.
fn greet(remote: &mut Remote) -> Result<(), Error> {
    let answer = remote.greet()?;
    let mut lines = lines(answer.take(WORDS_BYTES));
    let mut first = next(remote, &mut lines)?;
    if first.as_deref().is_some_and(|line| line.starts_with(b"# service=")) {
        lines.reset();
        first = next(remote, &mut lines)?;
    }
    match first {
        Some(line) if line.trim_ascii_end() == b"version 2" => {}
        Some(_) => return Err(remote.not_git("it doesn't speak version 2 of the protocol")),
        None => return Err(remote.not_git("an empty answer")),
    }
    while let Some(line) = next(remote, &mut lines)? {
        if let Some(format) = line.trim_ascii_end().strip_prefix(b"object-format=")
            && format != b"sha1"
        {
            return Err(remote.not_git("its objects are not named by SHA-1"));
        }
    }
    Ok(())
}

fn look_up(remote: &Remote, name: Option<&str>) -> Result<ObjectId, Error> {
    let full = match name {
        None => vec!["HEAD".to_owned()],
        Some(name) if name.starts_with("refs/") => vec![name.to_owned()],
        Some(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
    };
    let prefixes: Vec<_> = full.iter().map(|name| format!("ref-prefix {name}\n")).collect();
    let mut arguments = vec!["peel\n"];
    arguments.extend(prefixes.iter().map(String::as_str));
    let body = command("ls-refs", &arguments);
    let mut lines = lines(remote.command(&body)?.take(WORDS_BYTES));
    let mut found: Vec<ObjectId> = Vec::new();
    while let Some(line) = next(remote, &mut lines)? {
        let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
        let (Some(object), Some(named)) = (words.next(), words.next()) else { continue };
        if full.iter().any(|name| name.as_bytes() == named) {
            // What an annotated tag is of.
            let peeled = words.find_map(|word| word.strip_prefix(b"peeled:"));
            found.push(id(remote, peeled.unwrap_or(object))?);
        }
    }
    match found[..] {
        [one] => Ok(one),
        [one, other] if one == other => Ok(one),
        [] => Err(Error::NoReference(name.unwrap_or("HEAD").to_owned())),
        _ => Err(Error::Ambiguous(name.unwrap_or("HEAD").to_owned())),
    }
}

fn command(name: &str, arguments: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut write = || {
        encode::data_to_write(format!("command={name}\n").as_bytes(), &mut body)?;
        encode::data_to_write(b"object-format=sha1\n", &mut body)?;
        encode::delim_to_write(&mut body)?;
        for argument in arguments {
            encode::data_to_write(argument.as_bytes(), &mut body)?;
        }
        encode::flush_to_write(&mut body)
    };
    write().expect("a line of a few bytes fits into a packet, and memory takes it");
    body
}

fn lines<R: Read>(answer: R) -> Lines<R> {
    let mut lines = StreamingPeekableIter::new(answer, &[PacketLineRef::Flush], false);
    lines.fail_on_err_lines(true);
    lines
}

/// The next line; none at the end of the answer.
fn next<R: Read>(remote: &Remote, lines: &mut Lines<R>) -> Result<Option<Vec<u8>>, Error> {
    loop {
        let line = match lines.read_line() {
            None => return Ok(None),
            Some(Ok(Ok(line))) => line,
            Some(Ok(Err(error))) => return Err(remote.not_git(&error.to_string())),
            Some(Err(error)) => return Err(remote.not_git(&error.to_string())),
        };
        if let PacketLineRef::Data(bytes) = line {
            return Ok(Some(bytes.to_vec()));
        }
    }
}

fn id(remote: &Remote, hex: &[u8]) -> Result<ObjectId, Error> {
    ObjectId::from_hex(hex).map_err(|_| remote.not_git("an object with an odd name"))
}

fn is_commit(name: &str) -> bool {
    name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a branch or tag can have this name (`git check-ref-format`).
fn is_reference(name: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    !name.is_empty()
        && name.len() <= 255
        && !name.contains(odd)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains("//")
        && !name.starts_with(['/', '-', '.'])
        && !name.ends_with(['/', '.'])
        && name != "@"
}
