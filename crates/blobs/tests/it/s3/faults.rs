//! What goes wrong says what to do, and never a secret.

use std::time::{Duration, Instant};

use blobs::s3::Settings;
use blobs::{Blobs, Error, S3};
use test_support::s3 as server;

use super::{file, own_server, through};
use crate::content;
use crate::proxy::{Mode, Proxy};
use crate::world::{on, open};

/// The error of every call, its text without the secret key.
async fn errors(blobs: &S3, secret: &str) -> Vec<String> {
    let errors = [
        blobs.check().await.unwrap_err(),
        blobs.put(file(1), content(10)).await.unwrap_err(),
        blobs.get(file(1), 10).await.unwrap_err(),
        blobs.companies().await.unwrap_err(),
        blobs.delete_company(crate::company(1)).await.unwrap_err(),
    ];
    for error in &errors {
        assert!(!format!("{error} {error:?} {blobs:?}").contains(secret), "{error:?}");
    }
    errors.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_bucket_that_can_be_used_passes_the_check_and_is_left_as_it_was() {
    let server = own_server();
    let blobs = open(Settings { prefix: "a/b".to_owned(), ..on(&server) });
    blobs.check().await.unwrap();
    let checking = server.bucket("objects").unwrap().join("a/b/checking");
    assert_eq!(std::fs::read_dir(checking).unwrap().count(), 0);
    assert_eq!(blobs.companies().await.unwrap(), []);
}

#[tokio::test]
async fn wrong_keys_are_told() {
    let server = own_server();
    let right = on(&server);
    for wrong in [
        Settings { secret_key: "another-secret-key".to_owned(), ..right.clone() },
        Settings { access_key: "NOBODY".to_owned(), ..right.clone() },
    ] {
        let secret = wrong.secret_key.clone();
        for error in errors(&open(wrong), &secret).await {
            assert!(error.contains("does not accept the keys"), "{error}");
            assert!(error.contains("correct the access key and the secret key"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told() {
    let server = own_server();
    let blobs = open(Settings { bucket: "elsewhere".to_owned(), ..on(&server) });
    let error = blobs.check().await.unwrap_err().to_string();
    let expected = format!(
        "there is no bucket elsewhere at {}; create it, or correct its name",
        server.endpoint()
    );
    assert_eq!(error, expected);
}

#[tokio::test]
async fn keys_without_rights_are_told_what_they_lack() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    proxy.set(Mode::Refuse("403 Forbidden", "AccessDenied"));
    let blobs = open(through(&proxy, &server));
    for error in errors(&blobs, server::SECRET_KEY).await {
        assert!(error.contains("forbids to"), "{error}");
        assert!(
            error.contains("give the keys the right to read, write, list and delete in the bucket"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn other_refusals_say_what_to_correct() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    let blobs = open(through(&proxy, &server));
    for (status, code, said) in [
        ("400 Bad Request", "AuthorizationHeaderMalformed", "correct the region"),
        ("301 Moved Permanently", "PermanentRedirect", "is not in the region us-east-1"),
        ("403 Forbidden", "RequestTimeTooSkewed", "set this machine's clock"),
        ("404 Not Found", "NoSuchBucket", "create it, or correct its name"),
        ("507 Insufficient Storage", "StorageFull", "no space left"),
        ("503 Slow Down", "SlowDown", "503 Service Unavailable SlowDown no"),
    ] {
        proxy.set(Mode::Refuse(status, code));
        let error = blobs.put(file(1), content(10)).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_told() {
    let mut server = own_server();
    let blobs = open(Settings { patience: Duration::from_millis(100), ..on(&server) });
    server.stop().unwrap();
    for error in errors(&blobs, server::SECRET_KEY).await {
        assert!(error.contains(&server.endpoint()), "{error}");
        assert!(error.contains("Connection refused"), "{error}");
        assert!(error.contains("start it, or correct the endpoint"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    let blobs = open(through(&proxy, &server));
    proxy.set(Mode::Hold);
    let started = Instant::now();
    for error in errors(&blobs, server::SECRET_KEY).await {
        assert!(error.contains("sent and took nothing for 300ms while it was to"), "{error}");
        assert!(error.contains("allow it more time"), "{error}");
    }
    // Five calls, each tried once or twice.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_answer_that_falls_silent_in_its_middle_is_given_up() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    let blobs = open(through(&proxy, &server));
    open(on(&server)).put(file(1), content(30_000_000)).await.unwrap();
    let mut reader = blobs.open(file(1)).await.unwrap();
    proxy.set(Mode::Hold);
    let failed = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.unwrap_err();
    assert!(failed.to_string().contains("sent and took nothing for 300ms"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_anew_is_waited_for() {
    let mut server = own_server();
    let blobs = open(on(&server));
    blobs.put(file(1), content(100)).await.unwrap();
    server.stop().unwrap();
    let (put, got) = {
        let put = blobs.put(file(2), content(200));
        let got = blobs.get(file(1), 1000);
        let again = async {
            // Both are refused a connection first.
            tokio::task::yield_now().await;
            tokio::task::block_in_place(|| server.start_again().unwrap());
        };
        let (put, got, ()) = tokio::join!(put, got, again);
        (put, got)
    };
    put.unwrap();
    assert_eq!(got.unwrap(), content(100));
    assert_eq!(blobs.get(file(2), 1000).await.unwrap(), content(200));
}

#[test]
fn a_ca_file_that_cannot_be_used_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Settings { ca_file: Some(path), ..Settings::of("b", "AK", "SK") }
    };
    let missing = Settings {
        ca_file: Some(folder.path().join("missing.pem")),
        ..Settings::of("b", "AK", "SK")
    };
    for (settings, said) in [
        (at("empty.pem", ""), "there is none; they begin with"),
        (
            at("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "bad.pem",
        ),
        (missing, "missing.pem"),
    ] {
        let refused = S3::open(settings, std::sync::Arc::new(domain::clock::System)).unwrap_err();
        assert!(matches!(refused, Error::Settings(_)), "{refused:?}");
        assert!(refused.to_string().contains(said), "{refused}");
    }
}
