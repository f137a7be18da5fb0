//! What only a SQLite file has.

use std::sync::Arc;

use domain::clock::Manual;
use domain::permission::{Role, Scopes};
use domain::{TokenId, UserId};
use store::accounts::{Drafting, Token};
use store::{Error, sqlite};

use crate::world::{START, World, digest, new};

#[tokio::test]
async fn a_database_is_opened_by_its_url_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}", folder.path().join("mecapy.db").display());
    let open = || store::open(&url, Arc::new(Manual::at(START)), sqlite::Options::default());
    let first = open().await.unwrap();
    assert!(first.company_named("acme").await.unwrap().is_none());
    first.close().await;
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "after a close there is no log beside the database");
    open().await.unwrap().ping().await.unwrap();
    let elsewhere = store::open(
        "postgresql://me:secret@127.0.0.1/db",
        Arc::new(Manual::at(START)),
        sqlite::Options::default(),
    );
    let Err(refused) = elsewhere.await else { panic!("expected a refusal") };
    assert!(refused.to_string().contains("not offered by this build"), "{refused}");
}

#[tokio::test]
async fn a_deleted_company_is_nobodys() {
    let world = World::on_sqlite();
    let company = world.company("acme").await;
    let user =
        world.store.put_member(company, "zoé", Role::Admin, Drafting::Allowed, None).await.unwrap();
    let token = Token {
        id: TokenId::new(),
        company,
        user,
        name: "laptop".to_owned(),
        secret_sha256: digest(1),
        prefix: None,
        scopes: Scopes::ALL,
        created_at: world.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    world.store.create_token(token, None).await.unwrap();
    assert!(world.store.authenticate(digest(1)).await.unwrap().is_some());
    let beside = rusqlite::Connection::open(world.folder.path().join("mecapy.db")).unwrap();
    beside.execute("UPDATE companies SET deleted_at = 1", []).unwrap();
    assert!(world.store.authenticate(digest(1)).await.unwrap().is_none());
    assert!(world.store.company(company).await.unwrap().is_none());
    assert!(world.store.companies(None, 10).await.unwrap().items.is_empty());
    world.company("acme").await;
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
