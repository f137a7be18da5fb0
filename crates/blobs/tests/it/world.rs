//! A store of its own for each test.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use blobs::s3::Settings;
use blobs::{Directory, Handle, S3};
use domain::clock::System;
use tempfile::TempDir;
use test_support::s3 as server;
use uuid::Uuid;

/// What keeps a store's objects, and the store.
pub(crate) type Fixture = (Box<dyn Any>, Handle);

/// The server of most tests; it ends with their process.
static SERVER: LazyLock<server::S3> = LazyLock::new(|| {
    let server = server::S3::start().unwrap();
    server.bucket(BUCKET).unwrap();
    server
});

const BUCKET: &str = "objects";

pub(crate) fn directory() -> Fixture {
    let folder = TempDir::new().unwrap();
    let blobs = Directory::open(folder.path().join("objects")).unwrap();
    (Box::new(folder), Arc::new(blobs))
}

pub(crate) fn s3() -> Fixture {
    (Box::new(()), Arc::new(open(of_test())))
}

pub(crate) fn open(settings: Settings) -> S3 {
    S3::open(settings, Arc::new(System)).unwrap()
}

/// Settings of a bucket on the tests' server, or on another that the
/// environment names, with a prefix of the caller's own.
pub(crate) fn of_test() -> Settings {
    let prefix = format!("tests/{}", Uuid::now_v7());
    let Some(endpoint) = set("ENDPOINT") else {
        return Settings { prefix, ..on(&SERVER) };
    };
    let given = |name| {
        set(name)
            .unwrap_or_else(|| panic!("with MECAPY_TEST_S3_ENDPOINT set MECAPY_TEST_S3_{name}"))
    };
    Settings {
        endpoint: Some(endpoint),
        region: set("REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        prefix,
        ..Settings::of(&given("BUCKET"), &given("ACCESS_KEY"), &given("SECRET_KEY"))
    }
}

/// Settings of the bucket of a server that a test started.
pub(crate) fn on(server: &server::S3) -> Settings {
    Settings {
        endpoint: Some(server.endpoint()),
        ..Settings::of(BUCKET, server::ACCESS_KEY, server::SECRET_KEY)
    }
}

fn set(name: &str) -> Option<String> {
    std::env::var_os(format!("MECAPY_TEST_S3_{name}")).map(|value| value.into_string().unwrap())
}
