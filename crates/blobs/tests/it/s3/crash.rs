//! `kill -9` in the middle of writing to a bucket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use blobs::s3::Settings;
use blobs::{Area, Blobs as _, Incomplete};
use domain::Timestamp;

use super::own_server;
use crate::world::{on, open};
use crate::{company, content, digest};

/// Tells the copy of this program where to write, without end.
const ENDPOINT: &str = "BLOBS_CRASH_ENDPOINT";
/// More than one part.
const BYTES: usize = 9 << 20;

#[tokio::test]
async fn a_kill_leaves_no_half_object_and_what_it_leaves_is_swept() {
    let server = own_server();
    let blobs = open(on(&server));
    let (mut stored, mut left) = (0, 0);
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "s3::crash::contents_are_written_one_after_the_other"])
            .env(ENDPOINT, server.endpoint())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        said.by_ref().find(|line| line.starts_with("stored ")).unwrap();
        // Each time further into the next one.
        let half = |count: usize| server.half_written().unwrap().len() >= count;
        while !half(1 + round % 3) {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        stored += 1 + said.filter(|line| line.starts_with("stored ")).count();
        left += server.half_written().unwrap().len();
    }
    assert!(left > 0, "no kill hit a write: the test shows nothing");

    let listed = blobs.list(company(1), Area::File, None, usize::MAX).await.unwrap();
    // Every round writes the same contents.
    assert!(!listed.is_empty() && listed.len() <= stored + 6);
    for listed in &listed {
        assert_eq!(listed.bytes, BYTES as u64);
        blobs.get(listed.key, u64::MAX).await.unwrap();
    }
    let Incomplete { uploads, .. } = blobs.abort_incomplete(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(uploads, None, "this server does not list them");
    let writing = server.bucket("objects").unwrap().join("writing");
    assert_eq!(std::fs::read_dir(writing).unwrap().count(), 0);
}

/// On its own it writes one; as the copy above it writes until it is killed.
#[tokio::test]
async fn contents_are_written_one_after_the_other() {
    let endpoint = std::env::var_os(ENDPOINT).map(|endpoint| endpoint.into_string().unwrap());
    let own = endpoint.is_none().then(own_server);
    let count = if own.is_some() { 1 } else { u8::MAX };
    let endpoint = endpoint.or_else(|| Some(own.as_ref()?.endpoint()));
    let keys = (test_support::s3::ACCESS_KEY, test_support::s3::SECRET_KEY);
    let blobs = open(Settings { endpoint, ..Settings::of("objects", keys.0, keys.1) });
    for number in 0..count {
        let mut bytes = content(BYTES).to_vec();
        bytes[0] = number;
        let mut source = &bytes[..];
        let stored =
            blobs.put_content(company(1), Area::File, &mut source, u64::MAX).await.unwrap();
        assert_eq!(stored.digest, digest(&bytes));
        writeln!(std::io::stdout(), "stored {number}").unwrap();
    }
}
