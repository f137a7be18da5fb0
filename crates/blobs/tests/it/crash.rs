//! `kill -9` in the middle of writing.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use blobs::{Area, Blobs, Directory, Key};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{company, content, digest};

/// Tells the copy of this program where to write, without end.
const FOLDER: &str = "BLOBS_CRASH_FOLDER";
const BYTES: usize = 1_500_000;

fn key(number: u128) -> Key {
    Key::id(company(1), Area::File, Uuid::from_u128(number))
}

#[test]
fn a_kill_leaves_no_half_object_and_keeps_all_that_were_stored() {
    let mut half_written = 0;
    for round in 0..8 {
        let folder = TempDir::new().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "crash::objects_are_written_one_after_the_other"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says what is stored; it is killed while it writes a later one,
        // each time further in.
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stored = said.by_ref().map(Result::unwrap).filter_map(|line| {
            line.strip_prefix("stored ").map(|number| number.parse::<u128>().unwrap())
        });
        let mut last = stored.by_ref().nth(2).unwrap();
        until_half_written(folder.path(), round * BYTES as u64 / 8);
        child.kill().unwrap();
        child.wait().unwrap();
        last = stored.last().unwrap_or(last);
        half_written += scratch_files(folder.path()).count();

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let blobs = Directory::open(folder.path()).unwrap();
            let listed = blobs.list(company(1), Area::File, None, usize::MAX).await.unwrap();
            assert!(listed.len() as u128 > last, "{} of {last}", listed.len());
            for listed in &listed {
                let bytes = blobs.get(listed.key, u64::MAX).await.unwrap();
                assert_eq!(digest(&bytes), digest(&content(BYTES)));
            }
            for number in 0..=last {
                assert!(blobs.size(key(number)).await.unwrap().is_some(), "{number}");
            }
        });
        let scratch = std::fs::read_dir(folder.path().join("writing")).unwrap();
        assert_eq!(scratch.count(), 0, "what was half written is swept");
    }
    assert!(half_written > 0, "no kill hit a write: the test shows nothing");
}

fn scratch_files(root: &Path) -> impl Iterator<Item = PathBuf> {
    let folders = std::fs::read_dir(root.join("writing")).unwrap();
    folders
        .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
}

/// Returns as soon as a file of at least this size is being written.
fn until_half_written(root: &Path, bytes: u64) {
    let started = Instant::now();
    // A file that took its place since it was listed has no size any more.
    let size = |file: PathBuf| std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    while !scratch_files(root).any(|file| size(file) >= bytes) {
        assert!(started.elapsed() < Duration::from_secs(60), "the child writes nothing");
    }
}

/// On its own it writes a few; as the copy above it writes until it is killed.
#[tokio::test]
async fn objects_are_written_one_after_the_other() {
    let own = TempDir::new().unwrap();
    let (folder, count) = match std::env::var_os(FOLDER) {
        Some(folder) => (folder.into(), u128::MAX),
        None => (own.path().to_owned(), 3),
    };
    let blobs = Directory::open(folder).unwrap();
    let bytes = content(BYTES);
    for number in 0..count {
        let stored = blobs.put_stream(key(number), &mut &bytes[..], BYTES as u64).await.unwrap();
        assert_eq!(stored.digest, digest(&bytes));
        writeln!(std::io::stdout(), "stored {number}").unwrap();
    }
}
