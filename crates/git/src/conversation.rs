//! What is said to a Git server, in version 2 of the protocol: see
//! `gitprotocol-v2` and `gitprotocol-http` of Git's documentation.

use std::io::BufRead;

use crate::http::{Answer, Remote};
use crate::object::Id;
use crate::packet::Packets;
use crate::{Error, Limits};

/// How much may be said of capabilities and references.
const WORDS_BYTES: u64 = 4 << 20;

/// Finds the object that `reference` names, the default branch where absent.
pub(crate) fn find(remote: &mut Remote, reference: Option<&str>) -> Result<Id, Error> {
    let named = match reference {
        Some(name) => wanted(name)?,
        None => Wanted::References(vec!["HEAD".to_owned()]),
    };
    greet(remote)?;
    match named {
        Wanted::Object(id) => Ok(id),
        Wanted::References(names) => look_up(remote, reference.unwrap_or("HEAD"), &names),
    }
}

/// The pack that holds the object with everything below it and no history.
pub(crate) fn fetch(
    remote: &Remote,
    object: Id,
    limits: &Limits,
) -> Result<impl BufRead + use<>, Error> {
    let want = format!("want {object}\n");
    let body = command("fetch", &["no-progress\n", "ofs-delta\n", "deepen 1\n", &want, "done\n"]);
    let mut packets = Packets::new(remote.command(&body, limits.sent_bytes)?);
    loop {
        match packets.next() {
            Ok(None) => return Err(Error::NotGit("it sends no pack".to_owned())),
            Ok(Some(crate::packet::Packet::Data(line))) if line.trim_ascii_end() == b"packfile" => {
                return Ok(packets.pack());
            }
            Ok(Some(_)) => {}
            Err(Error::Said(words)) if words.contains("not our ref") => {
                return Err(Error::NoReference(object.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes sure that the server speaks version 2, with SHA-1.
fn greet(remote: &mut Remote) -> Result<(), Error> {
    let mut packets = Packets::new(remote.greet(WORDS_BYTES)?);
    let mut first = packets.line()?.map(<[u8]>::to_vec);
    if first.as_deref().is_some_and(|line| line.starts_with(b"# service=")) {
        // The flush behind it, and what it announced.
        packets.line()?;
        first = packets.line()?.map(<[u8]>::to_vec);
    }
    if first.as_deref() != Some(b"version 2") {
        return Err(Error::NotGit("it doesn't speak version 2 of the protocol".to_owned()));
    }
    while let Some(line) = packets.line()? {
        if let Some(format) = line.strip_prefix(b"object-format=")
            && format != b"sha1"
        {
            return Err(Error::Sha256);
        }
    }
    Ok(())
}

/// What the name of a branch, tag or commit can stand for.
enum Wanted {
    Object(Id),
    References(Vec<String>),
}

fn wanted(name: &str) -> Result<Wanted, Error> {
    if let Some(id) = Id::of_digits(name.as_bytes()) {
        return Ok(Wanted::Object(id));
    }
    if !is_reference(name) {
        return Err(Error::Reference(name.chars().take(200).collect()));
    }
    Ok(Wanted::References(match name {
        "HEAD" => vec![name.to_owned()],
        name if name.starts_with("refs/") => vec![name.to_owned()],
        name => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
    }))
}

fn look_up(remote: &Remote, name: &str, full: &[String]) -> Result<Id, Error> {
    let prefixes: Vec<_> = full.iter().map(|name| format!("ref-prefix {name}\n")).collect();
    let mut arguments = vec!["peel\n"];
    arguments.extend(prefixes.iter().map(String::as_str));
    let body = command("ls-refs", &arguments);
    let mut packets: Packets<Answer> = Packets::new(remote.command(&body, WORDS_BYTES)?);
    let mut found: Vec<Id> = Vec::new();
    while let Some(line) = packets.line()? {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(object), Some(named)) = (words.next(), words.next()) else { continue };
        if full.iter().any(|name| name.as_bytes() == named) {
            // What an annotated tag is of.
            let peeled = words.find_map(|word| word.strip_prefix(b"peeled:"));
            let id = Id::of_digits(peeled.unwrap_or(object));
            found.push(id.ok_or_else(|| Error::NotGit("it names odd objects".to_owned()))?);
        }
    }
    match found[..] {
        [one] => Ok(one),
        [one, other] if one == other => Ok(one),
        [] => Err(Error::NoReference(name.to_owned())),
        _ => Err(Error::Ambiguous(name.to_owned())),
    }
}

/// A command with its arguments, in packet lines.
fn command(name: &str, arguments: &[&str]) -> Vec<u8> {
    let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let mut body = line(&format!("command={name}\n"));
    body += &line("object-format=sha1\n");
    body += "0001";
    for argument in arguments {
        body += &line(argument);
    }
    body += "0000";
    body.into_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_written_in_packet_lines() {
        let body = command("ls-refs", &["peel\n"]);
        let text = "0014command=ls-refs\n0017object-format=sha1\n00010009peel\n0000";
        assert_eq!(String::from_utf8(body).unwrap(), text);
    }

    #[test]
    fn only_names_that_a_reference_can_have_are_asked_for() {
        for name in ["main", "v1.2.3", "feature/bolts", "refs/heads/main", "été"] {
            assert!(is_reference(name), "{name}");
        }
        for name in ["", "a b", "a\nb", "a..b", "-x", "a~1", "a^", "a:b", "@", "@{1}", "/a", "a/"] {
            assert!(!is_reference(name), "{name}");
        }
    }
}
