//! What must hold for everything that a Git server sends, for the fuzzer and
//! for the replay of its corpus in this crate's tests.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::object::{Id, Kind, Naming, entries};
use crate::pack::Objects;
use crate::packet::Packets;
use crate::scratch::Scratch;
use crate::{Error, Limits, delta, tree};

const OBJECT_BYTES: u64 = 4 << 10;

/// The first byte says what the others are.
///
/// # Panics
/// Where reading breaks one of its promises.
pub fn git(bytes: &[u8]) {
    let Some((what, bytes)) = bytes.split_first() else { return };
    match what % 4 {
        0 => packets(bytes),
        1 => change(bytes),
        2 => assert!(entries(bytes).count() <= bytes.len()),
        _ => pack(bytes),
    }
}

fn packets(bytes: &[u8]) {
    let mut lines = Packets::new(bytes);
    while let Ok(Some(line)) = lines.line() {
        assert!(line.len() < bytes.len());
    }
    let mut read = Vec::new();
    if let Err(error) = Packets::new(bytes).pack().read_to_end(&mut read) {
        is_told(&error.into());
    }
    assert!(read.len() < bytes.len().max(1));
}

/// A base, as long as its first byte says, and a change to it.
fn change(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (base, change) = rest.split_at(rest.len().min(usize::from(*length)));
    match delta::apply(base, change, OBJECT_BYTES) {
        Ok(made) => assert!(made.len() as u64 <= OBJECT_BYTES),
        Err(error) => is_told(&error),
    }
}

/// A pack as it would be sent: entries of the kind and length that two bytes
/// say, deflated and summed here, as no fuzzer would find a checksum.
fn pack(mut bytes: &[u8]) {
    let (mut body, mut count, mut first) = (Vec::new(), 0_u32, None);
    while let [head, length, rest @ ..] = bytes {
        let kind = head & 7;
        let own = usize::from(*length).min(rest.len());
        let before = match kind {
            6 => 1,
            7 => 20,
            _ => 0,
        };
        let (own, rest) = rest.split_at(own);
        let (base, content) = own.split_at(own.len().min(before));
        // A size of two bytes, which may be a lie.
        let said = content.len() + usize::from(head >> 7);
        body.push(0x80 | kind << 4 | (said & 15) as u8);
        body.push((said >> 4) as u8);
        body.extend_from_slice(base);
        let mut zlib = ZlibEncoder::new(&mut body, Compression::none());
        zlib.write_all(content).and_then(|()| zlib.finish().map(drop)).expect("memory takes it");
        if first.is_none() && kind == 1 {
            first = named(content);
        }
        (bytes, count) = (rest, count + 1);
    }
    let mut whole = [b"PACK\0\0\0\x02", &count.to_be_bytes()[..], &body].concat();
    let mut sum = Naming::plain();
    sum.add(&whole);
    whole.extend(sum.end().expect("no fuzzer collides").0);
    let limits = Limits {
        unpacked_bytes: 64 << 10,
        object_bytes: OBJECT_BYTES,
        objects: 64,
        chain: 8,
        files_bytes: 8 << 10,
        entries: 32,
        depth: 4,
        ..Limits::default()
    };
    let scratch = Scratch::within(&std::env::temp_dir(), limits.unpacked_bytes);
    let scratch = scratch.expect("there is a folder for temporary files");
    let listed = Objects::receive(&whole[..], scratch, &limits).and_then(|mut objects| {
        let commit = first.unwrap_or(Id([0; 20]));
        tree::list(&mut objects, commit, "", &limits)
    });
    match listed {
        Err(error) => is_told(&error),
        Ok(listing) => {
            let bytes: u64 = listing.files.iter().map(|(_, place)| place.bytes).sum();
            assert!(bytes <= limits.files_bytes && listing.files.len() as u64 <= limits.entries);
            for (path, _) in listing.files {
                assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path}");
            }
        }
    }
}

fn named(commit: &[u8]) -> Option<Id> {
    let mut naming = Naming::begin(Kind::Commit, commit.len() as u64);
    naming.add(commit);
    naming.end().ok()
}

/// Nothing is this machine's fault, and each is told in both languages.
fn is_told(error: &Error) {
    assert!(!matches!(error, Error::Here(_)), "{error}");
    for fault in error.faults() {
        assert!(!fault.message.en.is_empty() && fault.message.en != fault.message.fr, "{fault:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    #[test]
    fn answers_that_the_fuzzer_found_stay_mended() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/git");
        let mut seen = 0;
        for file in corpus.read_dir().unwrap() {
            let path = file.unwrap().path();
            let began = Instant::now();
            super::git(&std::fs::read(&path).unwrap());
            assert!(began.elapsed() < Duration::from_secs(5), "{} is slow", path.display());
            seen += 1;
        }
        assert!(seen > 5, "only {seen} files in {}", corpus.display());
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_server_sends_is_read_or_refused(bytes: Vec<u8>) {
            super::git(&bytes);
        }
    }
}
