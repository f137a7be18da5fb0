//! What is in the bucket beside our objects, and what was left unfinished.

use std::fs;
use std::path::Path;

use blobs::s3::Settings;
use blobs::{Area, Blobs, Incomplete, Key};
use domain::Timestamp;
use uuid::Uuid;

use super::{file, own_server};
use crate::world::{on, open};
use crate::{company, content};

fn write(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "of somebody else").unwrap();
}

#[tokio::test]
async fn another_application_in_the_bucket_is_neither_listed_nor_deleted() {
    let server = own_server();
    let bucket = server.bucket("objects").unwrap();
    let blobs = open(Settings { prefix: "mecapy".to_owned(), ..on(&server) });
    let other = open(Settings { prefix: "mecapy-staging".to_owned(), ..on(&server) });
    let key = file(1).to_string();
    let theirs = [bucket.join("readme"), bucket.join(&key), bucket.join("mecapy2").join(&key)];
    theirs.iter().for_each(|path| write(path));
    other.put(file(1), content(10)).await.unwrap();
    assert_eq!(blobs.companies().await.unwrap(), []);
    assert_eq!(blobs.list(company(1), Area::File, None, 10).await.unwrap(), []);

    blobs.put(file(1), content(20)).await.unwrap();
    blobs.delete_company(company(1)).await.unwrap();
    blobs.abort_incomplete(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(blobs.companies().await.unwrap(), []);
    assert_eq!(other.get(file(1), 10).await.unwrap(), content(10));
    assert!(theirs.iter().all(|path| path.exists()));
}

#[tokio::test]
async fn names_that_are_no_key_are_passed_over() {
    let server = own_server();
    let blobs = open(Settings { prefix: "p".to_owned(), ..on(&server) });
    let ours = server.bucket("objects").unwrap().join("p");
    blobs.put(file(1), content(10)).await.unwrap();
    let area = ours.join(company(1).to_string()).join("file");
    let wrong_shelf = area.join("zz").join(file(2).name.to_string());
    for path in [area.join("readme"), area.join("00/readme"), wrong_shelf, ours.join("x/file/00/a")]
    {
        write(&path);
    }
    assert_eq!(blobs.companies().await.unwrap(), [company(1)]);
    let listed = blobs.list(company(1), Area::File, None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.key).collect::<Vec<_>>(), [file(1)]);
}

#[tokio::test]
async fn more_than_a_page_is_listed_and_deleted_whole() {
    let server = own_server();
    let bucket = server.bucket("objects").unwrap();
    let blobs = open(on(&server));
    let mut keys: Vec<Key> = (0..2500).map(file).collect();
    keys.sort_by_key(ToString::to_string);
    for key in &keys {
        write(&bucket.join(key.to_string()));
    }
    let listed = blobs.list(company(1), Area::File, None, usize::MAX).await.unwrap();
    assert!(listed.iter().map(|listed| listed.key).eq(keys.iter().copied()));
    let some = blobs.list(company(1), Area::File, Some(keys[99]), 1200).await.unwrap();
    assert!(some.iter().map(|listed| listed.key).eq(keys[100..1300].iter().copied()));

    for n in 0..1100 {
        write(&bucket.join(Key::id(company(n), Area::Log, Uuid::nil()).to_string()));
    }
    assert!(blobs.companies().await.unwrap().into_iter().eq((0..1100).map(company)));
    blobs.delete_company(company(1)).await.unwrap();
    assert_eq!(blobs.list(company(1), Area::File, None, 1).await.unwrap(), []);
    assert_eq!(blobs.companies().await.unwrap().len(), 1099);
}

#[tokio::test]
async fn what_was_begun_long_ago_and_not_finished_is_removed() {
    let server = own_server();
    let bucket = server.bucket("objects").unwrap();
    let blobs = open(on(&server));
    blobs.put(file(1), content(10)).await.unwrap();
    let incoming = format!("incoming/{}/file/{}", company(1), Uuid::nil());
    for name in ["writing/one", "checking/two", &incoming] {
        write(&bucket.join(name));
    }
    // This server does not list its uploads in parts.
    let young = blobs.abort_incomplete(Timestamp(0)).await.unwrap();
    assert_eq!(young, Incomplete { uploads: None, objects: 0 });
    let swept = blobs.abort_incomplete(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(swept, Incomplete { uploads: None, objects: 3 });
    // A company takes along what was uploaded for it and never adopted.
    write(&bucket.join(&incoming));
    blobs.delete_company(company(1)).await.unwrap();
    assert!(!bucket.join(&incoming).exists());
    blobs.put(file(1), content(10)).await.unwrap();
    assert_eq!(blobs.get(file(1), 10).await.unwrap(), content(10));
}
