//! Folders that are made to harm.

use std::time::{Duration, Instant};

use git::{Bound, Error, Special};

use crate::world::{BLOB, COMMIT, Pack, TREE, World, commit_of, hex, told};

fn entry(mode: &str, name: &[u8], id: [u8; 20]) -> Vec<u8> {
    [mode.as_bytes(), b" ", name, b"\0", &id].concat()
}

/// A pack whose commit has this tree, of entries that all are the same file.
fn with_names(names: &[&[u8]]) -> (Vec<u8>, String) {
    let mut pack = Pack::new();
    let blob = pack.add(BLOB, b"x");
    let entries: Vec<_> = names.iter().map(|name| entry("100644", name, blob)).collect();
    let tree = pack.add(TREE, &entries.concat());
    let commit = pack.add(COMMIT, &commit_of(tree));
    (pack.whole(), hex(commit))
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_each_by_itself() {
    let long = vec![b'x'; 300];
    let names: [&[u8]; 8] =
        [b"..", b".", b"/etc", b"a/../../b", b".git", b".GiT", b"caf\xe9", &long];
    let (pack, commit) = with_names(&names);
    let error = World::with_pack(&pack).refused(&commit).await;
    let Error::Entries(refused) = &error else { panic!("{error}") };
    assert_eq!(refused.len(), names.len());
    assert!(refused.iter().all(|(_, what)| *what == Special::Name), "{refused:?}");
    assert!(told(&error).contains("git_entry_refused ..: expected a plain file, found a name"));
}

#[tokio::test]
async fn a_second_entry_of_the_same_name_is_refused() {
    let (pack, commit) = with_names(&[b"a", b"b", b"a"]);
    let error = World::with_pack(&pack).refused(&commit).await;
    assert_eq!(error, Error::Entries(vec![("a".to_owned(), Special::Twice)]));
}

#[tokio::test]
async fn names_that_differ_in_case_only_are_both_fetched() {
    let (pack, commit) = with_names(&[b"A", b"a"]);
    assert_eq!(World::with_pack(&pack).fetch(&commit, "").await.unwrap().files.len(), 2);
}

#[tokio::test]
async fn a_folder_holds_as_many_entries_as_may_and_not_one_more() {
    let names: [&[u8]; 3] = [b"a", b"b", b"c"];
    let (pack, commit) = with_names(&names);
    let mut world = World::with_pack(&pack);
    world.limits.entries = 3;
    assert_eq!(world.fetch(&commit, "").await.unwrap().files.len(), 3);
    world.limits.entries = 2;
    let over = Error::TooLarge { bound: Bound::Entries, limit: 2 };
    assert_eq!(world.refused(&commit).await, over);
}

#[tokio::test]
async fn a_bomb_of_folders_within_folders_is_cut_off() {
    let mut pack = Pack::new();
    let blob = pack.add(BLOB, b"x");
    let mut tree = pack.add(TREE, &entry("100644", b"x", blob));
    // Ten of the same, ten times over: ten billion files in a kilobyte.
    for _ in 0..10 {
        let ten: Vec<_> = (b'a'..=b'j').map(|name| entry("40000", &[name], tree)).collect();
        tree = pack.add(TREE, &ten.concat());
    }
    let commit = hex(pack.add(COMMIT, &commit_of(tree)));
    let begun = Instant::now();
    let error = World::with_pack(&pack.whole()).refused(&commit).await;
    assert_eq!(error, Error::TooLarge { bound: Bound::Entries, limit: 10_000 });
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn folders_are_nested_to_a_depth() {
    let mut pack = Pack::new();
    let blob = pack.add(BLOB, b"x");
    let mut tree = pack.add(TREE, &entry("100644", b"x", blob));
    for _ in 0..1000 {
        tree = pack.add(TREE, &entry("40000", b"d", tree));
    }
    let commit = hex(pack.add(COMMIT, &commit_of(tree)));
    let error = World::with_pack(&pack.whole()).refused(&commit).await;
    assert_eq!(error, Error::TooLarge { bound: Bound::Depth, limit: 64 });
    assert!(told(&error).contains("folders are nested more than 64 deep"));
}

#[tokio::test]
async fn the_same_file_many_times_counts_each_time() {
    let mut pack = Pack::new();
    let blob = pack.add(BLOB, &[7; 100_000]);
    let names: Vec<String> = (0..20).map(|n| format!("{n:02}")).collect();
    let entries: Vec<_> = names.iter().map(|name| entry("100644", name.as_bytes(), blob)).collect();
    let tree = pack.add(TREE, &entries.concat());
    let commit = hex(pack.add(COMMIT, &commit_of(tree)));
    let mut world = World::with_pack(&pack.whole());
    world.limits.files_bytes = 1_000_000;
    let error = world.refused(&commit).await;
    assert_eq!(error, Error::TooLarge { bound: Bound::Files, limit: 1_000_000 });
}

#[tokio::test]
async fn trees_that_are_none_are_told_as_broken() {
    let mut pack = Pack::new();
    let blob = pack.add(BLOB, b"x");
    let odd = pack.add(TREE, &entry("777", b"x", blob));
    let cut = pack.add(TREE, b"100644 x\0abc");
    let file_as_folder = pack.add(TREE, &entry("40000", b"x", blob));
    let folder_as_file = pack.add(TREE, &entry("100644", b"x", odd));
    let commits = [odd, cut, file_as_folder, folder_as_file, blob]
        .map(|tree| hex(pack.add(COMMIT, &commit_of(tree))));
    let world = World::with_pack(&pack.whole());
    for commit in commits {
        let error = world.refused(&commit).await;
        assert!(matches!(error, Error::Broken(_)), "{error}");
    }
    let error = world.refused(&hex(blob)).await;
    assert!(error.to_string().contains("is no commit"), "{error}");
}
