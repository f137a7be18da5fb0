//! Environments are built whole, once, within their limits, or not at all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use environment::{CompileBytecode, Error, Interpreter, Log, WithoutBytecode};
use test_support::wheels::{Index, Wheel};

use crate::fixture::{Fixture, build, lock, request, told, watched};

#[tokio::test]
async fn an_environment_holds_what_its_lock_says_and_describes_itself() {
    let fixture = Fixture::with_pypi();
    let environments = fixture.open().await;
    let lock = lock(&environments, &["rainflow==3.2.0", "six==1.17.0"]).await;
    let (log, lines) = watched();
    let built = environments.build(&lock, &WithoutBytecode, &log).await.unwrap();
    assert!(built.site.join("rainflow.py").is_file() && built.site.join("six.py").is_file());
    assert_eq!(built.description.lock, lock);
    assert!(built.description.bytes > 30_000 && built.description.files > 5);
    assert!(built.site.starts_with(fixture.root().join(lock.digest.hex())));
    let lines = lines.lock().unwrap();
    assert!(lines.iter().any(|line| line.contains("+ six==1.17.0")), "{lines:?}");
    let kept = std::fs::read_to_string(&built.build_log).unwrap();
    assert_eq!(kept.lines().collect::<Vec<_>>(), *lines);
    let found = environments.find(&lock.digest).unwrap().unwrap();
    assert_eq!(found.site, built.site);
}

#[tokio::test]
async fn an_empty_environment_needs_no_uv_run() {
    let fixture = Fixture::with_pypi();
    let environments = fixture.open().await;
    let lock = lock(&environments, &[]).await;
    let built = build(&environments, &lock).await.unwrap();
    assert_eq!(std::fs::read_dir(&built.site).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_builds_of_one_environment_are_done_once() {
    let index = Index::start(&[Wheel::new("thing", "1.0").file("thing.py", "1")]).unwrap();
    let fixture = Fixture::with_index(&index);
    // Two handles on one folder stand for two processes: they share nothing
    // but the files.
    let handles = [fixture.open().await, fixture.open().await];
    let lock = Arc::new(lock(&handles[0], &["thing"]).await);
    let downloads_to_lock = index.downloads();
    let compiler = Arc::new(Counting::default());
    let mut builds = tokio::task::JoinSet::new();
    for number in 0..10 {
        let environments = handles[number % 2].clone();
        let (lock, compiler) = (lock.clone(), compiler.clone());
        builds.spawn(async move { environments.build(&lock, &*compiler, &Log::silent()).await });
    }
    let built = builds.join_all().await;
    assert!(built.iter().all(Result::is_ok), "{built:?}");
    assert_eq!(compiler.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert!(index.downloads() <= downloads_to_lock + 1);
    assert_eq!(fixture.left_behind().len(), 1);
}

#[derive(Default)]
struct Counting(std::sync::atomic::AtomicUsize);

#[async_trait]
impl CompileBytecode for Counting {
    async fn compile(&self, _: &Interpreter, _: &Path) -> Result<u64, String> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(0)
    }
}

#[tokio::test]
async fn a_build_that_is_dropped_in_its_middle_leaves_nothing_and_the_next_one_works() {
    let index = Index::start(&[Wheel::new("thing", "1.0").file("thing.py", "1")]).unwrap();
    let fixture = Fixture::with_index(&index);
    let lock = lock(&fixture.open().await, &["thing"]).await;
    let other = Fixture::with_index(&index);
    let environments = other.open().await;
    index.hold_downloads();
    {
        let building = build(&environments, &lock);
        let held = tokio::task::spawn_blocking({
            let index = Arc::new(index);
            move || {
                index.wait_for_a_held_download();
                index
            }
        });
        tokio::pin!(building);
        let index = tokio::select! {
            built = &mut building => panic!("it ended while its download was held: {built:?}"),
            index = held => index.unwrap(),
        };
        assert!(other.left_behind().iter().all(|name| name.starts_with("building-")));
        // A second process starts: it leaves what is being built alone. And
        // should this one be killed, uv itself still holds the lock.
        drop(other.open().await);
        assert_eq!(other.left_behind().len(), 1);
        assert!(holds_the_lock(other.folder.path()));
        assert!(environments.find(&lock.digest).unwrap().is_none());
        index.release_downloads();
        drop(index);
    }
    assert!(other.left_behind().is_empty(), "{:?}", other.left_behind());

    let again = Index::start(&[Wheel::new("thing", "1.0").file("thing.py", "1")]).unwrap();
    let mut third = Fixture::with_index(&again);
    third.settings.root = other.settings.root.clone();
    build(&third.open().await, &lock).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_at_the_start_and_never_used() {
    let fixture = Fixture::with_wheels();
    Wheel::new("thing", "1.0").file("thing.py", "1").write_into(&fixture.wheels()).unwrap();
    let environments = fixture.open().await;
    let lock = lock(&environments, &["thing"]).await;
    let half = fixture.root().join(format!("building-{}", lock.digest.hex()));
    std::fs::create_dir_all(half.join("site/wrong")).unwrap();
    assert!(environments.find(&lock.digest).unwrap().is_none());
    drop(fixture.open().await);
    assert!(!half.exists());

    // A folder under the final name without the mark of a whole one is what a
    // power cut could leave at worst.
    let unmarked = fixture.root().join(lock.digest.hex());
    std::fs::create_dir_all(unmarked.join("site/wrong")).unwrap();
    std::fs::create_dir_all(half.join("site/wrong")).unwrap();
    assert!(environments.find(&lock.digest).unwrap().is_none());
    let built = build(&environments, &lock).await.unwrap();
    assert!(built.site.join("thing.py").exists() && !built.site.join("wrong").exists());
}

#[tokio::test]
async fn an_environment_beyond_the_size_limit_is_stopped_and_says_both_sizes() {
    let mut fixture = Fixture::with_wheels();
    let part = || vec![0; 700 << 10];
    Wheel::new("big", "1.0")
        .file("a.bin", part())
        .file("b.bin", part())
        .file("c.bin", part())
        .write_into(&fixture.wheels())
        .unwrap();
    let lock = lock(&fixture.open().await, &["big"]).await;
    fixture.settings.limits.environment_bytes = 1 << 20;
    let environments = fixture.open().await;
    let error = build(&environments, &lock).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit_bytes: 1_048_576, .. }), "{error:?}");
    let (code, en, fr) = told(&error).remove(0);
    assert_eq!(code, "environment_too_large");
    assert!(
        en.starts_with("the environment is too large: over 1.")
            && en.contains(" MiB of at most 1.0 MiB; require fewer"),
        "{en}"
    );
    assert!(fr.contains(" Mio sur 1,0 Mio permis ; demandez des paquets"), "{fr}");
    assert!(fixture.left_behind().is_empty());
    let log = environments.build_log(&lock.digest).unwrap();
    assert!(std::fs::read_to_string(log).unwrap().contains("the build failed: the environment"));
}

#[tokio::test]
async fn a_wheel_that_inflates_without_end_is_stopped_and_leaves_nothing_in_the_cache() {
    let mut fixture = Fixture::with_wheels();
    Wheel::new("bomb", "1.0")
        .file("bomb.bin", vec![0; 300 << 20])
        .write_into(&fixture.wheels())
        .unwrap();
    fixture.settings.limits.environment_bytes = 8 << 20;
    let environments = fixture.open().await;
    // A folder of wheels tells no metadata, so the lock already unpacks it.
    let error = environments.lock(&request(&["bomb"]), &Log::silent()).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    // Locked on another machine with other limits, the build meets it.
    let mut large = Fixture::with_wheels();
    large.settings.index = fixture.settings.index.clone();
    let lock = lock(&large.open().await, &["bomb"]).await;
    let error = build(&environments, &lock).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    let mut left = 0;
    let mut folders = vec![fixture.settings.cache.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let found = entry.metadata().unwrap();
            if found.is_dir() { folders.push(entry.path()) } else { left += found.len() }
        }
    }
    assert!(left < 1 << 20, "{left} bytes are left in the cache");
}

#[tokio::test]
async fn an_environment_of_too_many_files_is_refused() {
    let mut fixture = Fixture::with_wheels();
    let many = (0..50).fold(Wheel::new("many", "1.0"), |wheel, number| {
        wheel.file(&format!("many/{number}.txt"), "x")
    });
    many.write_into(&fixture.wheels()).unwrap();
    fixture.settings.limits.environment_files = 40;
    let environments = fixture.open().await;
    let lock = lock(&environments, &["many"]).await;
    let error = build(&environments, &lock).await.unwrap_err();
    assert!(matches!(error, Error::TooManyFiles { limit: 40, measured: 41 }), "{error:?}");
}

#[tokio::test]
async fn a_build_that_takes_too_long_is_stopped() {
    let index = Index::start(&[Wheel::new("thing", "1.0")]).unwrap();
    let lock = lock(&Fixture::with_index(&index).open().await, &["thing"]).await;
    let mut fixture = Fixture::with_index(&index);
    fixture.settings.limits.build_time = Duration::from_millis(400);
    let environments = fixture.open().await;
    index.hold_downloads();
    let error = build(&environments, &lock).await.unwrap_err();
    let (code, en, fr) = told(&error).remove(0);
    assert_eq!(code, "environment_timed_out");
    assert!(en.starts_with("installing the packages took longer than"), "{en}");
    assert!(fr.starts_with("l'installation des paquets a dépassé"), "{fr}");
    assert!(fixture.left_behind().is_empty());
    assert_no_process_uses(fixture.folder.path());
}

/// Whether a process whose arguments name `folder` has the lock of an
/// environment open as its standard input.
fn holds_the_lock(folder: &Path) -> bool {
    let name = folder.display().to_string();
    std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&name)
            && std::fs::read_link(process.path().join("fd/0"))
                .is_ok_and(|file| file.starts_with(folder.join("environments/locks")))
    })
}

/// Fails where a process of this machine still names `folder` in its
/// arguments.
fn assert_no_process_uses(folder: &Path) {
    let folder = folder.display().to_string();
    let using = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .map(|arguments| String::from_utf8_lossy(&arguments).replace('\0', " "))
        .find(|arguments| arguments.contains(&folder));
    assert_eq!(using, None);
}

#[tokio::test]
async fn a_failed_compilation_fails_the_build_with_its_reason() {
    struct Failing;
    #[async_trait]
    impl CompileBytecode for Failing {
        async fn compile(&self, _: &Interpreter, _: &Path) -> Result<u64, String> {
            Err("no sandbox here".to_owned())
        }
    }
    let fixture = Fixture::with_wheels();
    Wheel::new("thing", "1.0").write_into(&fixture.wheels()).unwrap();
    let environments = fixture.open().await;
    let lock = lock(&environments, &["thing"]).await;
    let error = environments.build(&lock, &Failing, &Log::silent()).await.unwrap_err();
    assert_eq!(
        error.text().fr,
        "le bytecode n'a pas pu être compilé dans le bac à sable : no sandbox here"
    );
    assert!(!error.is_the_authors());
    assert!(environments.find(&lock.digest).unwrap().is_none());
}

#[tokio::test]
async fn a_lock_for_an_interpreter_that_is_not_here_is_refused() {
    let fixture = Fixture::with_pypi();
    let environments = fixture.open().await;
    let lock = lock(&environments, &[]).await;
    let json = serde_json::to_string(&lock).unwrap();
    let foreign = json.replace(&lock.python.version, "3.10.99");
    let foreign: environment::Lock = serde_json::from_str(&foreign).unwrap();
    let changed = build(&environments, &foreign).await.unwrap_err();
    let Error::ChangedLock { found, .. } = changed else { panic!("{changed:?}") };
    let foreign = environment::Lock { digest: found, ..foreign };
    let error = build(&environments, &foreign).await.unwrap_err();
    let told = error.text().en;
    assert!(told.starts_with("this environment was locked for Python 3.10.99"), "{told}");
}
