//! Packs that are made to harm.

use std::time::{Duration, Instant};

use git::{Bound, Error};

use crate::world::{
    BLOB, COMMIT, NAMED, NEAR, Pack, TREE, World, commit_of, hex, line, name, told,
};

/// A pack with a commit of one file, and the commit's name.
fn plain(content: &[u8]) -> (Pack, String) {
    let mut pack = Pack::new();
    let blob = pack.add(BLOB, content);
    let tree = pack.add(TREE, &[&b"100644 a\0"[..], &blob].concat());
    let commit = pack.add(COMMIT, &commit_of(tree));
    (pack, hex(commit))
}

fn too_large(bound: Bound, limit: u64) -> Error {
    Error::TooLarge { bound, limit }
}

/// A size as changes write it.
fn size(mut size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while size >= 0x80 {
        bytes.push(size as u8 | 0x80);
        size >>= 7;
    }
    bytes.push(size as u8);
    bytes
}

/// How far back a base stands, as entries write it.
fn back(mut distance: u64) -> Vec<u8> {
    let mut bytes = vec![(distance & 0x7f) as u8];
    while distance >> 7 > 0 {
        distance = (distance >> 7) - 1;
        bytes.insert(0, 0x80 | (distance & 0x7f) as u8);
    }
    bytes
}

#[tokio::test]
async fn a_pack_made_by_hand_is_read_like_one_of_gits() {
    let (mut pack, commit) = plain(b"abcdef");
    // Once more, and changes to it by its place and by its name, the second
    // before its base.
    let blob = name(BLOB, b"abcdef");
    let at = pack.entry(BLOB, 6, &[], b"abcdef");
    let change = [size(6), size(3), vec![0x91, 1, 3]].concat();
    let distance = pack.whole().len() as u64 - 20 - at;
    pack.entry(NEAR, change.len() as u64, &back(distance), &change);
    pack.entry(NAMED, change.len() as u64, &blob, &change);
    let fetched = World::with_pack(&pack.whole()).fetch(&commit, "").await.unwrap();
    assert_eq!(fetched.files, [("a".to_owned(), b"abcdef".to_vec())]);
}

#[tokio::test]
async fn a_pack_without_end_is_cut_off() {
    let mut pack = Pack::new();
    pack.count = u32::from(u16::MAX);
    let head = [line(b"packfile\n"), line(&[b"\x01", &pack.whole()[..12]].concat())].concat();
    // An empty file, again and again.
    let mut one = Pack::new();
    one.add(BLOB, b"");
    let whole = one.whole();
    let empty = &whole[12..whole.len() - 20];
    let more = line(&[&b"\x01"[..], &empty.repeat(1000)].concat());
    let rules = serde_json::json!([
        crate::world::greeting("/f.git"),
        { "path": "/f.git/git-upload-pack", "body": crate::world::base64(&head),
          "more": crate::world::base64(&more) },
    ]);
    let mut world = World::with_rules(&rules);
    world.limits.sent_bytes = 200_000;
    assert_eq!(world.refused(&"1".repeat(40)).await, too_large(Bound::Sent, 200_000));
}

#[tokio::test]
async fn a_bomb_of_zlib_is_refused_by_what_it_says_and_by_what_it_makes() {
    let bomb = vec![0; 30 << 20];
    let mut says = Pack::new();
    says.add(BLOB, &bomb);
    let mut world = World::with_pack(&says.whole());
    world.limits.unpacked_bytes = 1 << 20;
    assert_eq!(world.refused(&"1".repeat(40)).await, too_large(Bound::Unpacked, 1 << 20));
    // Many that are each within it.
    let mut many = Pack::new();
    for _ in 0..4 {
        many.add(BLOB, &bomb[..400_000]);
    }
    let mut world = World::with_pack(&many.whole());
    world.limits.unpacked_bytes = 1 << 20;
    assert_eq!(world.refused(&"1".repeat(40)).await, too_large(Bound::Unpacked, 1 << 20));
    // One that says that it is small.
    let mut lies = Pack::new();
    lies.entry(BLOB, 10, &[], &bomb);
    let error = World::with_pack(&lies.whole()).refused(&"1".repeat(40)).await;
    assert_eq!(error, Error::Broken("an object is longer than it says".to_owned()));
    let mut lies = Pack::new();
    lies.entry(BLOB, 10, &[], b"abc");
    let error = World::with_pack(&lies.whole()).refused(&"1".repeat(40)).await;
    assert_eq!(error, Error::Broken("an object is shorter than it says".to_owned()));
}

#[tokio::test]
async fn a_bomb_of_changes_is_refused_before_it_is_made() {
    let (mut pack, commit) = plain(b"abcdef");
    let blob = name(BLOB, b"abcdef");
    let huge = [size(6), size(1 << 50), vec![0x90, 6]].concat();
    pack.entry(NAMED, huge.len() as u64, &blob, &huge);
    let world = World::with_pack(&pack.whole());
    assert_eq!(world.refused(&commit).await, too_large(Bound::Object, 128 << 20));

    // A few bytes that copy a megabyte a hundred times, a hundred times over.
    let (mut pack, commit) = plain(&vec![7; 1 << 20]);
    let blob = name(BLOB, &vec![7; 1 << 20]);
    let copies = [0xf0, 0xff, 0xff, 0x0f].repeat(100);
    let times = [size(1 << 20), size(100 * 0xf_ffff), copies].concat();
    for _ in 0..100 {
        pack.entry(NAMED, times.len() as u64, &blob, &times);
    }
    let begun = Instant::now();
    let mut world = World::with_pack(&pack.whole());
    world.limits.unpacked_bytes = 250 << 20;
    assert_eq!(world.refused(&commit).await, too_large(Bound::Unpacked, 250 << 20));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());

    // Changes that are a bomb themselves.
    let mut pack = Pack::new();
    pack.entry(NAMED, 200 << 20, &blob, b"x");
    let world = World::with_pack(&pack.whole());
    assert_eq!(world.refused(&commit).await, too_large(Bound::Object, 128 << 20));
}

#[tokio::test]
async fn a_chain_of_changes_is_bounded() {
    let chain = |links: u64| {
        let (mut pack, commit) = plain(b"abcdef");
        let mut base = name(BLOB, b"abcdef");
        for link in 0..links {
            let content = format!("{link:06}");
            let change = [size(6), size(6), vec![6], content.clone().into_bytes()].concat();
            pack.entry(NAMED, change.len() as u64, &base, &change);
            base = name(BLOB, content.as_bytes());
        }
        (pack.whole(), commit)
    };
    let (pack, commit) = chain(100);
    let mut world = World::with_pack(&pack);
    world.limits.chain = 100;
    assert!(world.fetch(&commit, "").await.is_ok());
    world.limits.chain = 99;
    let error = world.refused(&commit).await;
    assert_eq!(error, too_large(Bound::Chain, 99));
    assert!(told(&error).contains("git_too_large /git_url: an object is made by more than 99"));
}

#[tokio::test]
async fn more_objects_than_a_commit_may_have_are_refused_by_the_packs_head() {
    let mut pack = Pack::new();
    pack.count = u32::MAX;
    let error = World::with_pack(&pack.whole()).refused(&"1".repeat(40)).await;
    assert_eq!(error, too_large(Bound::Objects, 200_000));
}

#[tokio::test]
async fn content_under_another_name_is_not_found() {
    let (pack, commit) = plain(b"good");
    let whole = pack.whole();
    // The commit that was asked for is another one.
    let error = World::with_pack(&whole).refused(&"1".repeat(40)).await;
    assert!(told(&error).contains("git_broken /git_url") && told(&error).contains("is missing"));
    // A tree that names a file which the pack holds with other content.
    let mut pack = Pack::new();
    pack.add(BLOB, b"evil");
    let good = name(BLOB, b"good");
    let tree = pack.add(TREE, &[&b"100644 a\0"[..], &good].concat());
    let commit_id = hex(pack.add(COMMIT, &commit_of(tree)));
    let error = World::with_pack(&pack.whole()).refused(&commit_id).await;
    assert_eq!(error, Error::Broken(format!("object {} is missing", hex(good))));
    // A pack whose checksum is another's.
    let mut changed = whole;
    *changed.last_mut().unwrap() ^= 1;
    let error = World::with_pack(&changed).refused(&commit).await;
    assert!(error.to_string().contains("its checksum is not that of its content"), "{error}");
}

#[tokio::test]
async fn broken_packs_are_told_as_such() {
    let (pack, commit) = plain(b"abcdef");
    let whole = pack.whole();
    let mut version = whole.clone();
    version[7] = 9;
    let mut bits = whole.clone();
    bits[16] ^= 0xff;
    let circle = {
        let mut pack = Pack::new();
        let change = [size(6), size(6), vec![0x90, 6]].concat();
        pack.entry(NAMED, change.len() as u64, &[9; 20], &change);
        pack.whole()
    };
    let before = {
        let mut pack = Pack::new();
        let change = [size(6), size(6), vec![0x90, 6]].concat();
        pack.entry(NEAR, change.len() as u64, &back(1000), &change);
        pack.whole()
    };
    let unknown = {
        let mut pack = Pack::new();
        pack.entry(5, 1, &[], b"x");
        pack.whole()
    };
    for (pack, says) in [
        (&version[..], "it is no pack of version 2"),
        (b"", "broke off"),
        (&whole[..whole.len() / 2], "broke off"),
        (&bits, "can't be inflated"),
        (&circle, "is made from one that is missing"),
        (&before, "is made from none"),
        (&unknown, "of an unknown kind"),
    ] {
        let error = World::with_pack(pack).refused(&commit).await;
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
}
