//! Signed URLs, used by plain HTTP as a browser does.

use std::sync::Arc;
use std::time::Duration;

use blobs::s3::Settings;
use blobs::{Area, Blobs, Error, Key, S3, SignedUpload, SignedUrl, Stored};
use bytes::Bytes;
use domain::clock::{Clock as _, Manual, System};
use test_support::s3 as server;
use uuid::Uuid;

use super::{file, own_server};
use crate::world::{on, open};
use crate::{company, content, digest};

const HOUR: Duration = Duration::from_secs(3600);

struct Answer {
    status: u16,
    body: Vec<u8>,
    headers: ureq::http::HeaderMap,
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Answer {
    let (head, mut body) = response.into_parts();
    let body = body.with_config().limit(1 << 30).read_to_vec().unwrap();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

async fn get(url: &str) -> Answer {
    let url = url.to_owned();
    let get = move || answer(agent().get(&url).call().unwrap());
    tokio::task::spawn_blocking(get).await.unwrap()
}

async fn put(upload: &SignedUpload, bytes: Bytes) -> Answer {
    let upload = upload.clone();
    let put = move || {
        let mut request = agent().put(upload.url.as_str());
        for (name, value) in &upload.headers {
            // A client counts the bytes itself.
            if *name != "content-length" {
                request = request.header(*name, value);
            }
        }
        answer(request.send(&bytes[..]).unwrap())
    };
    tokio::task::spawn_blocking(put).await.unwrap()
}

/// The store as it was some time ago.
fn ago(server: &server::S3, time: Duration) -> S3 {
    S3::open(on(server), Arc::new(Manual::at(System.now().before(time)))).unwrap()
}

async fn download(blobs: &S3, key: Key, lifetime: Duration) -> SignedUrl {
    blobs.signed_download(key, lifetime, "été.csv", "text/csv").await.unwrap().unwrap()
}

#[tokio::test]
async fn a_download_needs_nothing_but_its_url() {
    let server = own_server();
    let blobs = open(Settings { prefix: "some/where".to_owned(), ..on(&server) });
    blobs.put(file(1), content(1000)).await.unwrap();
    blobs.put(file(2), content(2000)).await.unwrap();
    let url = download(&blobs, file(1), HOUR).await;
    let got = get(url.as_str()).await;
    assert_eq!((got.status, got.body), (200, content(1000).to_vec()));
    assert_eq!(
        got.headers["content-disposition"],
        "attachment; filename=\"_t_.csv\"; filename*=UTF-8''%C3%A9t%C3%A9.csv"
    );
    assert_eq!(got.headers["content-type"], "text/csv");
    assert_eq!(format!("{url:?}"), "SignedUrl(…)");

    let other = url.as_str().replace(&file(1).to_string(), &file(2).to_string());
    assert_eq!(get(&other).await.status, 403);
    let shown = url.as_str().replace("attachment", "inline");
    assert_eq!(get(&shown).await.status, 403);
    let unsigned = url.as_str().split_once('?').unwrap().0;
    assert_eq!(get(unsigned).await.status, 403);
}

#[tokio::test]
async fn a_url_that_has_expired_is_refused() {
    let server = own_server();
    let past = ago(&server, Duration::from_secs(601));
    past.put(file(1), content(10)).await.unwrap();
    let expired = download(&past, file(1), Duration::from_secs(600)).await;
    let refused = get(expired.as_str()).await;
    assert_eq!(refused.status, 403);
    let said = String::from_utf8(refused.body).unwrap();
    assert!(said.contains("Request has expired"), "{said}");
    let lasting = download(&past, file(1), Duration::from_secs(700)).await;
    assert_eq!(get(lasting.as_str()).await.status, 200);

    let leave =
        past.signed_upload(company(1), Area::File, 10, None, Duration::from_secs(600)).await;
    assert_eq!(put(&leave.unwrap().unwrap(), content(10)).await.status, 403);
}

#[tokio::test]
async fn what_is_uploaded_by_a_url_becomes_content() {
    let server = own_server();
    let blobs = open(on(&server));
    let bytes = content(9_000_000);
    let (length, sum) = (bytes.len() as u64, digest(&bytes));
    for announced in [None, Some(sum)] {
        let leave = blobs.signed_upload(company(1), Area::Inputs, length, announced, HOUR);
        let leave = leave.await.unwrap().unwrap();
        assert_eq!(put(&leave, bytes.clone()).await.status, 200);
        assert_eq!(blobs.companies().await.unwrap(), [], "it is no object yet");

        let adopted = blobs.adopt(company(1), Area::Inputs, leave.upload, length, announced).await;
        assert_eq!(adopted.unwrap(), Stored { digest: sum, bytes: length });
        let key = Key::content(company(1), Area::Inputs, sum);
        assert_eq!(blobs.get(key, length).await.unwrap(), bytes);

        // An answer that was lost: with the digest it is known what it became.
        let again = blobs.adopt(company(1), Area::Inputs, leave.upload, length, announced).await;
        match announced {
            Some(_) => assert_eq!(again.unwrap(), Stored { digest: sum, bytes: length }),
            None => assert!(matches!(again.unwrap_err(), Error::NotFound { .. })),
        }
        blobs.delete_company(company(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_url_admits_the_announced_bytes_alone() {
    let server = own_server();
    let blobs = open(on(&server));
    let bytes = content(1000);
    let leave = blobs.signed_upload(company(1), Area::Inputs, 1000, Some(digest(&bytes)), HOUR);
    let leave = leave.await.unwrap().unwrap();
    assert_eq!(put(&leave, content(1001)).await.status, 403, "another size");
    let other = Bytes::from(vec![7; 1000]);
    assert_eq!(put(&leave, other.clone()).await.status, 400, "another content");
    let mut own_sum = leave.clone();
    own_sum.headers.retain(|(name, _)| *name != "x-amz-checksum-sha256");
    assert_eq!(put(&own_sum, other).await.status, 403, "without its digest");
    let elsewhere = SignedUpload { upload: Uuid::now_v7(), ..leave.clone() };
    let moved =
        leave.url.as_str().replace(&leave.upload.to_string(), &elsewhere.upload.to_string());
    assert_eq!(get(&moved).await.status, 403, "another key");

    let too_large = blobs.signed_upload(company(1), Area::Inputs, 6 << 30, None, HOUR).await;
    assert!(matches!(too_large.unwrap_err(), Error::TooLarge { .. }));
}

#[tokio::test]
async fn what_is_not_as_announced_is_not_adopted() {
    let server = own_server();
    // A server that looks at nothing: what it keeps is written around it.
    let bucket = server.bucket("objects").unwrap();
    let blobs = open(on(&server));
    let upload = Uuid::now_v7();
    let path = bucket.join(format!("incoming/{}/file/{upload}", company(1)));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();

    let missing = blobs.adopt(company(1), Area::File, upload, 5, None).await.unwrap_err();
    assert!(
        matches!(missing, Error::NotFound { key } if key == Key::id(company(1), Area::File, upload))
    );

    std::fs::write(&path, "longer").unwrap();
    let refused = blobs.adopt(company(1), Area::File, upload, 5, None).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "5 bytes were announced, 6 came; nothing was kept, upload it again"
    );
    assert!(!path.exists());

    std::fs::write(&path, "wrong").unwrap();
    let announced = Some(digest(b"right"));
    let refused = blobs.adopt(company(1), Area::File, upload, 5, announced).await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt { found, .. } if found == digest(b"wrong")));
    assert!(!path.exists());
    blobs.settle().await;
    assert_eq!(blobs.companies().await.unwrap(), []);
    assert_eq!(std::fs::read_dir(bucket.join("writing")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_signs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs::Directory::open(folder.path()).unwrap();
    assert_eq!(blobs.signed_download(file(1), HOUR, "a", "b/c").await.unwrap(), None);
    assert_eq!(blobs.signed_upload(company(1), Area::File, 1, None, HOUR).await.unwrap(), None);
    let refused = blobs.adopt(company(1), Area::File, Uuid::nil(), 1, None).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound { .. }));
}
