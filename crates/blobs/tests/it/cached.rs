//! Copies of objects as files: fetched once, bounded, and right.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blobs::s3::Settings;
use blobs::{Area, Blobs as _, Cached, Directory, Error, Handle, Key, S3};
use tempfile::TempDir;
use test_support::s3 as server;
use uuid::Uuid;

use crate::proxy::{Mode, Proxy};
use crate::world::{on, open};
use crate::{company, content, digest};

/// A store behind a proxy, and a folder for its copies.
struct World {
    server: server::S3,
    proxy: Proxy,
    blobs: S3,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let server = server::S3::start().unwrap();
        server.bucket("objects").unwrap();
        let proxy = Proxy::before(server.address()).await;
        let blobs = open(Settings { endpoint: Some(proxy.endpoint()), ..on(&server) });
        Self { server, proxy, blobs, folder: TempDir::new().unwrap() }
    }

    fn cached(&self, max_bytes: u64) -> Cached {
        let blobs: Handle = Arc::new(self.blobs.clone());
        Cached::open(blobs, self.folder.path(), max_bytes).unwrap()
    }

    /// Stores content of so many bytes.
    async fn put(&self, length: usize) -> Key {
        let bytes = content(length);
        let key = Key::content(company(1), Area::File, digest(&bytes));
        self.blobs.put(key, bytes).await.unwrap();
        self.proxy.requests();
        key
    }

    fn files(&self) -> Vec<PathBuf> {
        walk(self.folder.path())
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test]
async fn callers_at_once_share_one_fetch() {
    let world = World::new().await;
    let key = world.put(2_000_000).await;
    let cached = world.cached(10_000_000);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let cached = cached.clone();
        callers.spawn(async move { cached.local_file(key).await.unwrap() });
    }
    let files = callers.join_all().await;
    assert_eq!(world.proxy.requests(), [format!("GET /objects/{key}")]);
    let path = files[0].path();
    assert!(files.iter().all(|file| file.path() == path));
    assert_eq!(fs::read(path).unwrap(), content(2_000_000));
    // The file itself can be bound into a sandbox of another user.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path), 0o444);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(world.files(), [path]);
}

#[tokio::test]
async fn the_least_recently_used_goes_and_what_is_held_stays() {
    let world = World::new().await;
    let (a, b, c) = (world.put(400).await, world.put(401).await, world.put(402).await);
    let cached = world.cached(1000);
    for key in [a, b, a, c] {
        cached.local_file(key).await.unwrap();
    }
    let paths = |keys: &[Key]| {
        let mut paths: Vec<_> =
            keys.iter().map(|key| world.folder.path().join(key.to_string())).collect();
        paths.sort();
        paths
    };
    let files = || {
        let mut files = world.files();
        files.sort();
        files
    };
    assert_eq!(files(), paths(&[a, c]), "b was used before a");

    let (held_a, held_c) =
        (cached.local_file(a).await.unwrap(), cached.local_file(c).await.unwrap());
    let full = cached.local_file(b).await.unwrap_err();
    assert_eq!(
        full.to_string(),
        "no room for a copy of 401 bytes beside those in use: 1000 bytes are allowed; raise the \
         limit, or run less at once"
    );
    assert_eq!(files(), paths(&[a, c]));
    assert_eq!(fs::read(held_a.path()).unwrap(), content(400));
    drop(held_c);
    let held_b = cached.local_file(b).await.unwrap();
    assert_eq!(fs::read(held_b.path()).unwrap(), content(401));
    assert_eq!(files(), paths(&[a, b]));
}

#[tokio::test]
async fn after_a_restart_the_files_are_used_again_once_they_are_proved() {
    let world = World::new().await;
    let (whole, short, other) = (world.put(500).await, world.put(600).await, world.put(700).await);
    let named = Key::digest(company(1), Area::Archive, digest(b"an archive"));
    world.blobs.put(named, content(800)).await.unwrap();
    let cached = world.cached(10_000);
    for key in [whole, short, other, named] {
        cached.local_file(key).await.unwrap();
    }
    let folder = world.folder.path();
    let in_use = Cached::open(Arc::new(world.blobs.clone()), folder, 1).unwrap_err();
    assert!(in_use.to_string().contains("another process keeps its copies there"), "{in_use}");
    drop(cached);

    let damage = |key: Key, bytes: &[u8]| {
        let path = folder.join(key.to_string());
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    damage(short, b"half");
    let mut flipped = content(700).to_vec();
    flipped[3] ^= 1;
    damage(other, &flipped);
    fs::write(folder.join("writing/half"), "left by the dead").unwrap();
    world.proxy.requests();

    let cached = world.cached(10_000);
    for (key, length) in [(whole, 500), (short, 600), (other, 700), (named, 800)] {
        let file = cached.local_file(key).await.unwrap();
        assert_eq!(fs::read(file.path()).unwrap(), content(length));
    }
    let asked = [
        format!("GET /objects/{short}"),
        format!("GET /objects/{other}"),
        format!("HEAD /objects/{named}"),
    ];
    assert_eq!(world.proxy.requests(), asked);
    assert_eq!(world.files().len(), 4);
    drop(cached);
    world.cached(1500);
    assert_eq!(world.files().len(), 2, "a lower limit holds from the start");
}

#[tokio::test]
async fn what_is_damaged_or_missing_or_broken_off_is_not_kept() {
    let world = World::new().await;
    let (damaged, broken) = (world.put(300_000).await, world.put(400_000).await);
    let bucket = world.server.bucket("objects").unwrap();
    fs::write(bucket.join(damaged.to_string()), vec![1; 300_000]).unwrap();
    let missing = Key { company: company(2), ..damaged };
    let cached = world.cached(1_000_000);
    let error = cached.local_file(damaged).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    let error = cached.local_file(missing).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { key } if key == missing), "{error}");

    // A caller who goes away in the middle takes the half file along.
    world.proxy.set(Mode::Hold);
    world.proxy.requests();
    tokio::select! {
        file = cached.local_file(broken) => panic!("{file:?}"),
        () = async {
            while world.proxy.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    world.proxy.set(Mode::Pass);
    assert_eq!(world.files(), [""; 0].map(PathBuf::from));
    // All of the room is there again.
    let large = world.put(1_000_000).await;
    cached.local_file(large).await.unwrap();
    let file = cached.local_file(broken).await.unwrap();
    assert_eq!(fs::read(file.path()).unwrap(), content(400_000));
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_rest_goes_on() {
    let world = World::new().await;
    let (large, small) = (world.put(3_000_000).await, world.put(1000).await);
    let mount = Mounted::tmpfs(world.folder.path(), c"size=2m");
    let cached = world.cached(1 << 30);
    let full = cached.local_file(large).await.unwrap_err();
    assert!(matches!(full, Error::DiskFull { .. }), "{full}");
    assert!(full.to_string().contains(&large.to_string()), "{full}");
    let file = cached.local_file(small).await.unwrap();
    assert_eq!(fs::read(file.path()).unwrap(), content(1000));
    assert_eq!(world.files().len(), 1);
    drop((file, cached, mount));
}

/// A file system of its own, gone when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(path: &Path, options: &std::ffi::CStr) -> Self {
        use rustix::mount::{MountFlags, mount};
        mount("none", path, "tmpfs", MountFlags::empty(), Some(options)).unwrap();
        Self(path.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

#[tokio::test]
async fn what_can_change_is_not_kept() {
    let world = World::new().await;
    let key = Key::id(company(1), Area::Log, Uuid::nil());
    world.blobs.put(key, content(10)).await.unwrap();
    let refused = world.cached(1000).local_file(key).await.unwrap_err();
    assert!(matches!(refused, Error::Changeable { .. }), "{refused}");
    assert!(refused.to_string().contains("read it from the store"), "{refused}");
}

#[tokio::test]
async fn an_object_that_is_a_file_already_is_given_as_it_is() {
    let folder = TempDir::new().unwrap();
    let blobs = Directory::open(folder.path().join("objects")).unwrap();
    let key = Key::content(company(1), Area::File, digest(&content(10)));
    blobs.put(key, content(10)).await.unwrap();
    let path = blobs.local_path(key).unwrap();
    let cached = Cached::open(Arc::new(blobs), folder.path().join("copies"), 1).unwrap();
    assert_eq!(cached.local_file(key).await.unwrap().path(), path);
}
