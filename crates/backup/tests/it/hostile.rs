//! Archives that somebody changed, or made.

use std::fs;
use std::io::Read as _;

use backup::{Error, Manifest, restore, verify};
use rusqlite::Connection;
use tar::{EntryType, Header};

use crate::world::{World, files, places};

/// A member: path, kind, content.
type Member = (Vec<u8>, EntryType, Vec<u8>);

fn members(archive: &[u8]) -> Vec<Member> {
    let mut tar = tar::Archive::new(zstd::Decoder::new(archive).unwrap());
    tar.entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path_bytes().into_owned(), entry.header().entry_type(), content)
        })
        .collect()
}

fn pack(members: &[Member]) -> Vec<u8> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    for (path, kind, content) in members {
        // By hand: the library refuses to write what is to be refused.
        let mut header = Header::new_ustar();
        let ustar = header.as_ustar_mut().unwrap();
        let cut = match path.len() {
            0..=100 => 0,
            _ => path.iter().take(100).rposition(|&byte| byte == b'/').unwrap() + 1,
        };
        if cut > 0 {
            ustar.prefix[..cut - 1].copy_from_slice(&path[..cut - 1]);
        }
        ustar.name[..path.len() - cut].copy_from_slice(&path[cut..]);
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        if *kind == EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        tar.append(&header, &content[..]).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// What a true archive becomes by a change, restored: it must be refused, and
/// leave nothing.
fn refused(change: impl FnOnce(&mut Vec<Member>)) -> Error {
    let (archive, _) = World::new().backup(None);
    let mut members = members(&archive);
    change(&mut members);
    refused_bytes(&pack(&members))
}

fn refused_bytes(archive: &[u8]) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let there = places(&folder.path().join("data"));
    let error = restore(archive, None, &there, &mut |_, _| {}).unwrap_err();
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));
    let again = verify(archive, None, folder.path(), &mut |_, _| {}).unwrap_err();
    assert_eq!(error.to_string(), again.to_string());
    error
}

fn foreign(error: &Error, text: &str) {
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn the_hand_made_archives_of_these_tests_are_like_true_ones() {
    let (archive, manifest) = World::new().backup(None);
    let folder = tempfile::tempdir().unwrap();
    let again = pack(&members(&archive));
    let restored = restore(&again[..], None, &places(folder.path()), &mut |_, _| {});
    assert_eq!(restored.unwrap(), manifest);
}

#[test]
fn no_path_leads_out_of_the_folder() {
    for path in ["../../outside", "/etc/outside", "blobs/../outside", "mecapy.toml"] {
        let error = refused(|members| members[2].0 = path.into());
        foreign(&error, "a path that no backup has");
    }
}

#[test]
fn links_and_devices_and_extensions_are_refused() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Char,
        EntryType::Fifo,
        EntryType::GNULongName,
        EntryType::GNUSparse,
        EntryType::XHeader,
    ] {
        let error = refused(|members| {
            members[2].1 = kind;
            members[2].2.clear();
        });
        foreign(&error, "no regular file");
    }
}

#[test]
fn what_is_missing_doubled_or_added_is_refused() {
    let lost = refused(|members| drop(members.remove(2)));
    assert!(matches!(lost, Error::Damaged { .. }), "{lost}");
    foreign(&refused(|members| drop(members.pop())), "missing");
    let twice = refused(|members| {
        let double = members[2].clone();
        members.insert(2, double);
    });
    foreign(&twice, "out of order");
    foreign(&refused(|members| drop(members.remove(1))), "out of order");
    assert!(matches!(refused(|members| drop(members.remove(0))), Error::NotABackup));
}

#[test]
fn changed_content_is_refused_whatever_the_manifest_says() {
    let database = refused(|members| members[1].2[100] ^= 1);
    assert!(matches!(database, Error::Damaged { .. }), "{database}");
    // The largest object is named by its own digest.
    let object = refused(|members| {
        let large = members.iter_mut().max_by_key(|member| member.2.len()).unwrap();
        large.2[5] ^= 1;
    });
    assert!(matches!(object, Error::Damaged { .. }), "{object}");
    let manifest = refused(|members| members.last_mut().unwrap().2[0] = b'[');
    assert!(matches!(manifest, Error::Damaged { .. }), "{manifest}");
}

#[test]
fn more_than_was_announced_is_not_unpacked() {
    let error = refused(|members| members[2].2.extend(vec![0; 10_000_000]));
    foreign(&error, "larger than announced");
    let error = refused(|members| members[0].2 = vec![b' '; 100_000]);
    foreign(&error, "larger than that of any backup");
    let (archive, _) = World::new().backup(None);
    let mut huge = members(&archive);
    let head = String::from_utf8(huge[0].2.clone()).unwrap();
    huge[0].2 = head.replace("\"objects_bytes\": 7", "\"objects_bytes\": 99999999997").into_bytes();
    let folder = tempfile::tempdir().unwrap();
    let huge = restore(&pack(&huge)[..], None, &places(folder.path()), &mut |_, _| {});
    let huge = huge.unwrap_err();
    assert!(matches!(huge, Error::NoRoom { .. }), "{huge}");
}

#[test]
fn a_later_format_is_refused_with_the_program_that_wrote_it() {
    let error = refused(|members| members[0].2 = br#"{"format": 2, "program": "9.1"}"#.to_vec());
    assert!(error.to_string().contains("mecapy 9.1"), "{error}");
}

#[test]
fn what_is_cut_off_or_no_backup_at_all_is_refused() {
    let (archive, _) = World::new().backup(None);
    for cut in [archive.len() - 1, archive.len() / 2, 30] {
        let error = refused_bytes(&archive[..cut]);
        assert!(matches!(error, Error::Input(_) | Error::Foreign { .. }), "{cut}: {error}");
    }
    for bytes in [&b""[..], b"PK\x03\x04 a ZIP", b"some text that is long enough to be one"] {
        assert!(matches!(refused_bytes(bytes), Error::NotABackup));
    }
    let trailing = [&archive[..], &zstd::encode_all(&vec![0; 2 << 20][..], 1).unwrap()].concat();
    foreign(&refused_bytes(&trailing), "followed by something else");
}

#[test]
fn a_database_with_a_trigger_or_another_schema_is_refused() {
    for (sql, text) in [
        ("CREATE TRIGGER x AFTER INSERT ON users BEGIN DELETE FROM users; END", "unknown trigger"),
        ("CREATE VIEW x AS SELECT 1", "unknown view"),
        ("DROP TABLE workers", "missing table `workers`"),
        ("INSERT INTO migrations VALUES ('9999_newer', zeroblob(32), 0)", "newer program"),
    ] {
        let world = World::new();
        let connection = Connection::open(&world.places.database).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let mut archive = Vec::new();
        let options = crate::world::options(None);
        let error = backup::write(&world.places, &options, &mut archive, &mut |_, _| {});
        let error = error.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn a_manifest_that_hides_a_lost_object_is_refused() {
    let error = refused(|members| {
        // A true archive of a folder without the object that a row refers to,
        // whose manifest says that nothing is missing.
        let world = World::new();
        fs::remove_file(world.places.blobs.join(world.file.to_string())).unwrap();
        let (archive, mut manifest) = world.backup(None);
        *members = self::members(&archive);
        manifest.missing.clear();
        members.last_mut().unwrap().2 = json(&manifest);
    });
    foreign(&error, "missing");
}

fn json(manifest: &Manifest) -> Vec<u8> {
    serde_json::to_vec(manifest).unwrap()
}
