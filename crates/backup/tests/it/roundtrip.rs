//! Written, verified, restored.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use backup::{Error, Passphrase, restore, verify};
use rusqlite::Connection;

use crate::world::{World, everything, options, places};

const WORDS: &str = "correct horse battery staple";

#[test]
fn a_backup_restores_every_row_and_every_object() {
    let world = World::new();
    let (archive, manifest) = world.backup(None);
    assert_eq!(manifest.head.objects, 2);
    assert_eq!(manifest.rows["files"], 1);
    assert!(manifest.missing.is_empty());
    // 700 kB of the same letter, and a database that is mostly empty.
    assert!(archive.len() < 50_000, "{}", archive.len());
    let folder = tempfile::tempdir().unwrap();
    let there = places(&folder.path().join("deep/data"));
    let mut last = (0, 0);
    let restored = restore(&archive[..], None, &there, &mut |done, total| last = (done, total));
    assert_eq!(restored.unwrap(), manifest);
    assert_eq!(last.0, last.1);
    assert_eq!(everything(&there), everything(&world.places));
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(there.database.clone()), 0o600);
    assert_eq!(mode(there.blobs.join(world.file.to_string())), 0o444);
    // Nothing stays of the work, on either side.
    let left: Vec<_> = fs::read_dir(there.database.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(fs::read_dir(world.places.blobs.join("writing")).unwrap().count(), 0);
}

#[test]
fn a_backup_with_a_passphrase_is_opened_with_it_alone() {
    let world = World::new();
    let (archive, manifest) = world.backup(Some(WORDS));
    assert!(archive.starts_with(b"age-encryption.org/v1\n"));
    let scratch = tempfile::tempdir().unwrap();
    let check = |words: Option<&str>| {
        let words = words.map(|words| Passphrase::new(words).unwrap());
        verify(&archive[..], words.as_ref(), scratch.path(), &mut |_, _| {})
    };
    assert_eq!(check(Some(WORDS)).unwrap(), manifest);
    assert!(matches!(check(None), Err(Error::Sealed)));
    assert!(matches!(check(Some("another passphrase")), Err(Error::WrongPassphrase)));
    let (plain, _) = world.backup(None);
    let words = Passphrase::new(WORDS).unwrap();
    let refused = verify(&plain[..], Some(&words), scratch.path(), &mut |_, _| {});
    assert!(matches!(refused, Err(Error::NotSealed)));
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn what_is_written_or_deleted_meanwhile_does_not_tear_it() {
    let world = World::new();
    let before = everything(&world.places);
    let object = world.places.blobs.join(world.file.to_string());
    let mut archive = Vec::new();
    let mut once = false;
    // The first progress is told once the instant has been taken.
    backup::write(&world.places, &options(None), &mut archive, &mut |_, _| {
        if !std::mem::replace(&mut once, true) {
            fs::remove_file(&object).unwrap();
            let connection = Connection::open(&world.places.database).unwrap();
            connection.execute("DELETE FROM files", []).unwrap();
            connection.execute("UPDATE users SET name = 'new'", []).unwrap();
        }
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let there = places(folder.path());
    restore(&archive[..], None, &there, &mut |_, _| {}).unwrap();
    assert_eq!(everything(&there), before);
}

#[test]
fn an_object_that_was_lost_before_is_named() {
    let world = World::new();
    fs::remove_file(world.places.blobs.join(world.file.to_string())).unwrap();
    let (archive, manifest) = world.backup(None);
    assert_eq!(manifest.missing, [format!("blobs/{}", world.file)]);
    let scratch = tempfile::tempdir().unwrap();
    let verified = verify(&archive[..], None, scratch.path(), &mut |_, _| {}).unwrap();
    assert_eq!(verified.missing, manifest.missing);
}

#[test]
fn without_a_database_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = Vec::new();
    let refused =
        backup::write(&places(folder.path()), &options(None), &mut archive, &mut |_, _| {});
    let text = refused.unwrap_err().text();
    assert!(text.en.contains("--data") && text.fr.contains("--data"), "{text:?}");
    assert!(archive.is_empty());
}

#[test]
fn what_a_restoration_left_that_was_cut_off_is_swept() {
    let world = World::new();
    let (archive, _) = world.backup(None);
    let folder = tempfile::tempdir().unwrap();
    let there = places(folder.path());
    fs::create_dir_all(folder.path().join("restoring-abc/blobs")).unwrap();
    restore(&archive[..], None, &there, &mut |_, _| {}).unwrap();
    assert!(!folder.path().join("restoring-abc").exists());
}
