//! The process in which a stranger's bytes are read.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{World, base64};

/// The process that fetches into this world: its objects lie in the world's
/// folder. Other tests have theirs at the same time.
fn child(world: &World) -> PathBuf {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let lies_in_world = |file: std::fs::DirEntry| {
        std::fs::read_link(file.path()).is_ok_and(|file| file.starts_with(world.folder.path()))
    };
    let fetches = entries(Path::new("/proc")).map(|entry| entry.path()).filter(|process| {
        let words = std::fs::read(process.join("cmdline")).unwrap_or_default();
        words.ends_with(b"git-fetch\0") && entries(&process.join("fd")).any(lies_in_world)
    });
    let fetches: Vec<_> = fetches.collect();
    let [child] = &fetches[..] else { panic!("{fetches:?}") };
    child.clone()
}

fn of(process: &Path, file: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(process.join(file)).unwrap()).into_owned()
}

#[tokio::test]
async fn it_has_no_environment_no_rights_and_little_of_everything_and_ends_with_who_asked() {
    let silent = json!([{ "path": "/f.git/info/refs", "more": base64(b"1"), "pause_s": 0.5 }]);
    let mut world = World::with_rules(&silent);
    world.limits.wall = Duration::from_secs(60);
    let fetcher = world.fetcher();
    let mut request = world.request("f.git", "", "");
    request.login = crate::world::login("s3cret");
    let mut fetching = Box::pin(fetcher.fetch(request, git::Files::new()));
    // It has asked, so it is all that it will be.
    let asked = async {
        while world.server.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        fetched = &mut fetching => panic!("{fetched:?}"),
        () = asked => {}
    }
    let child = &child(&world);
    assert_eq!(of(child, "environ"), "");
    assert!(!of(child, "cmdline").contains("s3cret"));
    let status = of(child, "status");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    assert!(!status.contains("Uid:\t0\t"), "{status}");
    let limits = of(child, "limits");
    // Neither can be raised again.
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let mut words = line[name.len()..].split_whitespace();
        [(); 2].map(|()| words.next().unwrap().parse::<u64>().unwrap_or(u64::MAX))
    };
    assert_eq!(limit("Max core file size"), [0; 2]);
    assert_eq!(limit("Max address space"), [1 << 30; 2]);
    assert_eq!(limit("Max cpu time"), [50; 2]);
    assert_eq!(limit("Max file size"), [world.limits.unpacked_bytes; 2]);
    assert_eq!(limit("Max open files"), [64; 2]);
    let child = child.clone();
    drop(fetching);
    let begun = Instant::now();
    while child.join("environ").exists() && !of_zombie(&child) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it goes on");
        tokio::task::yield_now().await;
    }
}

/// Whether it has ended, and only its number is left.
fn of_zombie(process: &Path) -> bool {
    let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
    !status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}
