//! What a folder of objects must do beyond the port.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use blobs::{Area, Blobs, Directory, Error, Key};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::{company, content, digest};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// Files that are being written, or were when their process died.
fn scratch_files(root: &Path) -> usize {
    let folders = fs::read_dir(root.join("writing")).unwrap();
    folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn folders_are_closed_to_others_and_objects_are_read_only() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("a/b");
    let blobs = Directory::open(&root).unwrap();
    let key = Key::id(company(1), Area::File, Uuid::nil());
    blobs.put(key, content(10)).await.unwrap();
    let path = blobs.local_path(key).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content(10));
    // The file itself can be bound into a sandbox of another user.
    assert_eq!(mode(&path), 0o444);
    for above in path.ancestors().skip(1).take_while(|above| above.starts_with(&root)) {
        assert_eq!(mode(above), 0o700, "{}", above.display());
    }
    assert_eq!(mode(&root.join("writing")), 0o700);
}

#[tokio::test]
async fn damaged_content_is_never_given_out_as_whole() {
    let folder = TempDir::new().unwrap();
    let blobs = Directory::open(folder.path()).unwrap();
    let bytes = content(1_500_000);
    let key = Key::content(company(1), Area::Result, digest(&bytes));
    blobs.put(key, bytes.clone()).await.unwrap();
    let path = blobs.local_path(key).unwrap();
    let mut damaged = bytes.to_vec();
    damaged[1_000_000] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, &damaged).unwrap();

    let error = blobs.get(key, u64::MAX).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { found, .. } if found == digest(&damaged)), "{error}");
    let mut reader = blobs.open(key).await.unwrap();
    for _ in 0..2 {
        let error = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
    blobs.put(key, bytes.clone()).await.unwrap();
    assert_eq!(blobs.get(key, u64::MAX).await.unwrap(), bytes, "writing it anew mends it");
}

#[tokio::test]
async fn what_is_refused_leaves_no_file_behind() {
    let folder = TempDir::new().unwrap();
    let blobs = Directory::open(folder.path()).unwrap();
    let bytes = content(2_000_000);
    let refused = blobs.put_content(company(1), Area::File, &mut &bytes[..], 1_999_999).await;
    assert!(refused.is_err());
    assert_eq!(scratch_files(folder.path()), 0);
    assert_eq!(blobs.companies().await.unwrap(), []);
}

#[tokio::test]
async fn the_scratch_of_the_dead_is_swept_and_of_the_living_is_not() {
    let folder = TempDir::new().unwrap();
    let living = Directory::open(folder.path()).unwrap();
    let writing = folder.path().join("writing");
    fs::create_dir(writing.join("of-the-dead")).unwrap();
    fs::write(writing.join("of-the-dead/half"), "hal").unwrap();
    let second = Directory::open(folder.path()).unwrap();
    assert_eq!(fs::read_dir(&writing).unwrap().count(), 2, "one for each that lives");
    for (number, blobs) in [&living, &second].into_iter().enumerate() {
        let key = Key::id(company(1), Area::Log, Uuid::from_u128(number as u128));
        blobs.put(key, content(10)).await.unwrap();
    }
    drop((living, second));
    assert_eq!(fs::read_dir(&writing).unwrap().count(), 0);
}

#[tokio::test]
async fn a_symbolic_link_in_the_place_of_an_object_is_not_followed() {
    let folder = TempDir::new().unwrap();
    let blobs = Directory::open(folder.path().join("objects")).unwrap();
    let key = Key::id(company(1), Area::Log, Uuid::nil());
    blobs.put(key, content(10)).await.unwrap();
    let outside = folder.path().join("outside");
    fs::write(&outside, "secret").unwrap();
    let path = blobs.local_path(key).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&outside, &path).unwrap();
    assert!(matches!(blobs.get(key, 100).await.unwrap_err(), Error::Backend { .. }));
    blobs.put(key, Bytes::from_static(b"ours")).await.unwrap();
    assert_eq!(blobs.get(key, 100).await.unwrap(), "ours");
    assert_eq!(fs::read(&outside).unwrap(), b"secret");
}
