//! What only a SQLite file has.

use std::sync::Arc;

use domain::UserId;
use domain::clock::Manual;
use store::{Error, sqlite};

use crate::world::{START, World, new};

#[tokio::test]
async fn a_database_is_opened_by_its_url_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}", folder.path().join("mecapy.db").display());
    let location = store::url::parse(&url).unwrap();
    let options = store::Options::default();
    let open = || store::open(&location, Arc::new(Manual::at(START)), options);
    let first = open().await.unwrap();
    assert!(first.company_named("acme").await.unwrap().is_none());
    first.close().await;
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "after a close there is no log beside the database");
    open().await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("mecapy.db");
    let refused =
        sqlite::open(&path, Arc::new(Manual::at(START)), sqlite::Options::default()).map(drop);
    assert!(matches!(refused, Err(Error::Backend { action: "open the database", .. })));
}

#[tokio::test]
async fn a_write_that_fails_fails_alone_and_says_why() {
    let world = World::on_sqlite();
    let tenant = world.tenant("acme").await;
    let good = world.task(&tenant);
    let mut bad = world.task(&tenant);
    bad.user = UserId::new();
    let (stored, failed) = tokio::join!(
        world.store.submit(new(good.clone(), None)),
        world.store.submit(new(bad, None))
    );
    stored.unwrap();
    let message = failed.unwrap_err().to_string();
    assert!(message.contains("accept a task") && message.contains("FOREIGN KEY"), "{message}");
    assert_eq!(world.read(&tenant, good.id).await, good);
}
