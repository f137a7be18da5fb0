//! Private indexes, credentials, changed wheels, and working offline.

use environment::settings::Credentials;
use environment::{Error, IndexRemedy, Log};
use test_support::wheels::{Index, Wheel};

use crate::fixture::{Fixture, build, lock, request, told, watched};

fn credentials(password: &str) -> Option<Credentials> {
    Some(Credentials { username: "mecapy".into(), password: password.into() })
}

#[tokio::test]
async fn a_private_index_is_asked_with_credentials_that_no_log_shows() {
    let index = Index::start(&[Wheel::new("private_thing", "1.0")]).unwrap();
    index.require("mecapy", "correct-horse");
    let mut fixture = Fixture::with_index(&index);
    fixture.settings.index.credentials = credentials("correct-horse");
    let environments = fixture.open().await;
    let (log, lines) = watched();
    let lock = environments.lock(&request(&["private-thing"]), &log).await.unwrap();
    let built = environments.build(&lock, &environment::WithoutBytecode, &log).await.unwrap();
    assert!(lines.lock().unwrap().iter().all(|line| !line.contains("correct-horse")));
    let kept = std::fs::read_to_string(built.build_log).unwrap();
    assert!(kept.contains("private-thing==1.0") && !kept.contains("correct-horse"), "{kept}");
    let description = std::fs::read_to_string(built.site.join("../environment.json")).unwrap();
    assert!(!description.contains("correct-horse") && !description.contains("http"));
}

#[tokio::test]
async fn wrong_credentials_are_the_operators_error_and_not_a_missing_package() {
    let index = Index::start(&[Wheel::new("private_thing", "1.0")]).unwrap();
    index.require("mecapy", "correct-horse");
    let mut fixture = Fixture::with_index(&index);
    fixture.settings.index.credentials = credentials("wrong-pony");
    let refused = fixture.open().await.lock(&request(&["private-thing"]), &Log::silent()).await;
    let error = refused.unwrap_err();
    let Error::Index { remedy: IndexRemedy::Credentials, .. } = &error else { panic!("{error:?}") };
    assert!(!error.is_the_authors());
    let (code, en, fr) = told(&error).remove(0);
    assert_eq!(code, "environment_index");
    assert!(en.contains("check the user name and password"), "{en}");
    assert!(fr.contains("vérifiez l'identifiant et le mot de passe"), "{fr}");
    assert!(!en.contains("wrong-pony") && !format!("{error:?}").contains("wrong-pony"));
}

#[tokio::test]
async fn an_index_that_does_not_answer_is_told_with_the_remedy() {
    let mut fixture = Fixture::with_pypi();
    // Port 1 of this machine: nobody listens there.
    fixture.settings.index.url = Some("http://bob:t0psecret@127.0.0.1:1/simple".to_owned());
    let error = fixture.open().await.lock(&request(&["six"]), &Log::silent()).await.unwrap_err();
    let Error::Index { remedy: IndexRemedy::Network, .. } = &error else { panic!("{error:?}") };
    let (_, en, fr) = told(&error).remove(0);
    assert!(en.starts_with("the package index could not be asked: "), "{en}");
    assert!(en.ends_with("check the network, the proxy and the index's address, then try again"));
    assert!(fr.starts_with("l'index de paquets n'a pas pu être interrogé : "), "{fr}");
    assert!(!en.contains("t0psecret"), "{en}");
}

#[tokio::test]
async fn a_wheel_that_was_changed_after_the_lock_is_not_installed() {
    let index = Index::start(&[Wheel::new("thing", "1.0")]).unwrap();
    let fixture = Fixture::with_index(&index);
    let lock = lock(&fixture.open().await, &["thing"]).await;
    index.add(&Wheel::new("thing", "1.0").file("evil.pth", "import os"));
    // Another machine, whose cache does not have the right one.
    let other = Fixture::with_index(&index);
    let error = build(&other.open().await, &lock).await.unwrap_err();
    assert!(matches!(error, Error::HashMismatch { .. }), "{error:?}");
    let (_, en, fr) = told(&error).remove(0);
    assert!(en.contains("is not the one that was locked") && en.contains("thing"), "{en}");
    assert!(fr.contains("n'est pas celui qui a été verrouillé"), "{fr}");
    assert!(other.left_behind().is_empty());
}

#[tokio::test]
async fn what_the_cache_holds_can_be_built_offline_and_nothing_else() {
    let index = Index::start(&[Wheel::new("thing", "1.0").file("thing.py", "1")]).unwrap();
    let mut fixture = Fixture::with_index(&index);
    let environments = fixture.open().await;
    let online = lock(&environments, &["thing"]).await;
    build(&environments, &online).await.unwrap();
    drop(environments);

    drop(index);
    fixture.settings.index.offline = true;
    fixture.settings.root = fixture.folder.path().join("elsewhere");
    let environments = fixture.open().await;
    let offline = lock(&environments, &["thing"]).await;
    assert_eq!(offline.digest, online.digest);
    let built = build(&environments, &offline).await.unwrap();
    assert!(built.site.join("thing.py").exists());

    let error = environments.lock(&request(&["unseen-thing"]), &Log::silent()).await.unwrap_err();
    let Error::Index { remedy: IndexRemedy::Offline, .. } = &error else { panic!("{error:?}") };
    let (_, en, fr) = told(&error).remove(0);
    assert!(en.contains("unseen-thing") && en.contains("works offline"), "{en}");
    assert!(fr.contains("la plateforme est hors ligne"), "{fr}");
}
