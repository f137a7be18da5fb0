//! What is longest unused makes room; what is in use stays.

use std::collections::HashSet;
use std::time::Duration;

use environment::{Environments, Lock};
use test_support::wheels::Wheel;

use crate::fixture::{Fixture, NOON, build, lock};

/// Three environments of a megabyte each, opened an hour apart.
async fn three(fixture: &Fixture) -> (Environments, Vec<Lock>) {
    for name in ["one", "two", "three"] {
        let content = vec![b'x'; 1 << 20];
        Wheel::new(name, "1.0")
            .file(&format!("{name}.bin"), content)
            .write_into(&fixture.wheels())
            .unwrap();
    }
    let environments = fixture.open().await;
    let mut locks = Vec::new();
    for name in ["one", "two", "three"] {
        let lock = lock(&environments, &[name]).await;
        build(&environments, &lock).await.unwrap();
        fixture.clock.advance(Duration::from_secs(3600));
        locks.push(lock);
    }
    (environments, locks)
}

fn fixture() -> Fixture {
    let mut fixture = Fixture::with_wheels();
    fixture.clock = domain::clock::Manual::at(NOON);
    fixture
}

#[tokio::test]
async fn the_longest_unused_are_removed_until_the_rest_fits() {
    let fixture = fixture();
    let (environments, locks) = three(&fixture).await;
    // The first one is used again, which makes the second the oldest.
    environments.find(&locks[0].digest).unwrap().unwrap();
    let collected = environments.collect_garbage(5 << 19, &HashSet::new()).await.unwrap();
    assert_eq!(collected.removed, [locks[1].digest]);
    assert!(collected.removed_bytes > 1 << 20 && collected.kept_bytes <= 5 << 19);
    assert!(environments.find(&locks[1].digest).unwrap().is_none());
    assert!(environments.find(&locks[0].digest).unwrap().is_some());
    assert_eq!(fixture.left_behind().len(), 2);
    build(&environments, &locks[1]).await.unwrap();
}

#[tokio::test]
async fn what_is_kept_or_open_anywhere_stays_even_beyond_the_limit() {
    let fixture = fixture();
    let (environments, locks) = three(&fixture).await;
    // Another handle on the folder stands for another process.
    let open = fixture.open().await.find(&locks[1].digest).unwrap().unwrap();
    let keep = HashSet::from([locks[0].digest]);
    let collected = environments.collect_garbage(0, &keep).await.unwrap();
    assert_eq!(collected.removed, [locks[2].digest]);
    assert!(collected.kept_bytes > 2 << 20);
    assert!(open.site.join("two.bin").exists());
    drop(open);
    let collected = environments.collect_garbage(0, &keep).await.unwrap();
    assert_eq!(collected.removed, [locks[1].digest]);
}

#[tokio::test]
async fn the_cache_is_emptied_beyond_its_limit_and_environments_stay_whole() {
    let fixture = fixture();
    let (environments, locks) = three(&fixture).await;
    assert_eq!(environments.trim_cache(1 << 20).await.unwrap(), 0, "all of it is shared");
    environments.collect_garbage(5 << 19, &HashSet::new()).await.unwrap();
    assert!(environments.trim_cache(1 << 19).await.unwrap() >= 1 << 20);
    let kept = environments.find(&locks[2].digest).unwrap().unwrap();
    assert_eq!(std::fs::read(kept.site.join("three.bin")).unwrap().len(), 1 << 20);
}
