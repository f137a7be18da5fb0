//! Requirements become wheels with hashes.

use std::time::Duration;

use domain::manifest::BaseImage;
use environment::{Error, Lock, Log, Request};
use test_support::wheels::{Index, Wheel};

use crate::fixture::{Fixture, lock, on, request, told};

fn names(lock: &Lock) -> Vec<&str> {
    lock.packages.iter().map(|package| package.name.as_str()).collect()
}

#[tokio::test]
async fn every_package_is_locked_to_one_wheel_by_its_hash() {
    let fixture = Fixture::with_pypi();
    let environments = fixture.open().await;
    let locked = lock(&environments, &["rainflow==3.2.0"]).await;
    assert_eq!(
        locked.text(),
        "rainflow==3.2.0 --hash=sha256:\
         cb6c254aa1a16a9e658ff3f39c6e5a77650d6c4e8304146169b36516d1f01660\n"
    );
    assert_eq!(locked.python, environments.interpreters().default().unwrap().python);
    assert!(!locked.base_only);
}

#[tokio::test]
async fn no_requirements_are_an_empty_lock_without_asking_anybody() {
    let mut fixture = Fixture::with_pypi();
    fixture.settings.index.url = Some("http://127.0.0.1:1/simple".to_owned());
    let locked = lock(&fixture.open().await, &[]).await;
    assert!(locked.packages.is_empty() && locked.base_only);
}

#[tokio::test]
async fn a_base_image_holds_its_packages_and_a_requirement_that_it_meets_changes_nothing() {
    let fixture = Fixture::with_pypi();
    let environments = fixture.open().await;
    let scientific = |requirements: &[&str]| Request {
        base_image: BaseImage::Scientific,
        ..request(requirements)
    };
    let silent = Log::silent();
    let base = environments.lock(&scientific(&[]), &silent).await.unwrap();
    assert!(base.base_only);
    for wanted in ["numpy", "scipy", "pandas", "matplotlib", "sympy", "pint"] {
        assert!(names(&base).contains(&wanted), "{wanted}");
    }

    let met = environments.lock(&scientific(&["numpy>=1.21", "SciPy"]), &silent).await.unwrap();
    assert_eq!(met.digest, base.digest, "the same environment is shared");

    let more = environments.lock(&scientific(&["rainflow"]), &silent).await.unwrap();
    assert!(!more.base_only);
    assert!(base.packages.iter().all(|package| more.packages.contains(package)));

    // Where the author insists on another version, the rest gives way.
    let other = environments.lock(&scientific(&["numpy<2.3"]), &silent).await.unwrap();
    assert!(!other.base_only && names(&other).contains(&"scipy"));
    assert_ne!(other.digest, base.digest);

    let again = fixture.open().await.lock(&scientific(&[]), &silent).await.unwrap();
    assert_eq!(again, base, "a restart keeps the base image");
}

#[tokio::test]
async fn each_python_version_has_a_lock_of_its_own() {
    let fixture = Fixture::with_pypi();
    let environments = fixture.open().await;
    let mut digests = std::collections::HashSet::new();
    let interpreters = environments.interpreters();
    let versions: std::collections::BTreeSet<_> =
        interpreters.found().iter().map(|interpreter| interpreter.minor).collect();
    for version in &versions {
        let request = on(&version.to_string(), &["six==1.17.0"]);
        digests.insert(environments.lock(&request, &Log::silent()).await.unwrap().digest);
    }
    assert_eq!(digests.len(), versions.len());
}

#[tokio::test]
async fn the_same_request_is_answered_from_memory_until_it_is_old() {
    let index = Index::start(&[Wheel::new("thing", "1.0")]).unwrap();
    let fixture = Fixture::with_index(&index);
    let environments = fixture.open().await;
    let first = lock(&environments, &["thing"]).await;
    index.add(&Wheel::new("thing", "1.1"));
    fixture.clock.advance(Duration::from_secs(599));
    assert_eq!(lock(&environments, &["thing"]).await, first);
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(lock(&environments, &["thing"]).await.packages[0].version, "1.1");
}

#[tokio::test]
async fn a_lock_that_takes_too_long_is_stopped() {
    // The metadata stand at the end of a wheel, here behind what the index
    // holds back.
    let noise: Vec<u8> =
        (0..1_u32 << 16).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let index = Index::start(&[Wheel::new("thing", "1.0").file("noise", noise)]).unwrap();
    let mut fixture = Fixture::with_index(&index);
    fixture.settings.limits.lock_time = Duration::from_millis(300);
    index.hold_downloads();
    let environments = fixture.open().await;
    let late = environments.lock(&request(&["thing"]), &Log::silent()).await.unwrap_err();
    assert!(matches!(late, Error::TimedOut { .. }), "{late:?}");
    let (code, en, fr) = told(&late).remove(0);
    assert_eq!(code, "environment_timed_out");
    assert!(en.starts_with("finding package versions that fit together took longer"), "{en}");
    assert!(fr.starts_with("la recherche de versions compatibles a dépassé"), "{fr}");
}

#[tokio::test]
async fn requirements_that_speak_to_uv_never_reach_it() {
    let fixture = Fixture::with_pypi();
    let environments = fixture.open().await;
    let hostile = request(&["six", "--extra-index-url http://127.0.0.1:1", "x @ file:///etc"]);
    let Err(Error::Requirements { problems }) = environments.lock(&hostile, &Log::silent()).await
    else {
        panic!("it was accepted")
    };
    let positions: Vec<_> = problems.iter().map(|problem| problem.requirement).collect();
    assert_eq!(positions, [Some(1), Some(2)]);
}
