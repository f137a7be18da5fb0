//! Uploads in parts: bounded, and whole or not there.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use blobs::s3::Settings;
use blobs::{Area, Blobs, Error, Key, S3, Stored};
use test_support::s3 as server;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::sync::Notify;

use super::{Pausing, file, own_server, through};
use crate::proxy::{Mode, Proxy};
use crate::world::{on, open};
use crate::{company, content, digest};

const PART: usize = 8 << 20;

/// There is neither an object nor one that is being made.
async fn assert_is_empty(server: &server::S3, blobs: &S3) {
    blobs.settle().await;
    let bucket = server.bucket("objects").unwrap();
    assert_eq!(walk(&bucket), [""; 0].map(std::path::PathBuf::from));
    assert_eq!(server.half_written().unwrap(), [""; 0]);
    assert_eq!(blobs.companies().await.unwrap(), []);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test]
async fn content_of_one_part_costs_one_request() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    let blobs = open(Settings { endpoint: Some(proxy.endpoint()), ..on(&server) });
    for length in [0, 1, PART] {
        let bytes = content(length);
        let key = Key::content(company(1), Area::File, digest(&bytes));
        let mut source = &bytes[..];
        blobs.put_content(company(1), Area::File, &mut source, u64::MAX).await.unwrap();
        let asked = proxy.requests();
        assert_eq!(asked, [format!("PUT /objects/{key}")]);
        assert_eq!(blobs.get(key, u64::MAX).await.unwrap(), bytes);
        proxy.requests();
    }
}

#[tokio::test]
async fn what_is_larger_is_sent_in_parts_and_comes_back() {
    let server = own_server();
    let blobs = open(on(&server));
    for length in [PART + 1, 2 * PART] {
        let bytes = content(length);
        let stored = Stored { digest: digest(&bytes), bytes: length as u64 };
        let key = Key::content(company(1), Area::File, stored.digest);

        let mut source = &bytes[..];
        let put = blobs.put_content(company(1), Area::File, &mut source, length as u64).await;
        assert_eq!(put.unwrap(), stored);
        assert_eq!(blobs.get(key, u64::MAX).await.unwrap(), bytes);

        assert_eq!(blobs.put_stream(key, &mut &bytes[..], u64::MAX).await.unwrap(), stored);
        assert_eq!(blobs.put(file(1), bytes.clone()).await.unwrap(), stored);
        assert_eq!(blobs.get(file(1), u64::MAX).await.unwrap(), bytes);

        let mut open = tempfile::tempfile().unwrap();
        open.write_all(&bytes).unwrap();
        let put = blobs.put_file(company(1), Area::Artifact, open, length as u64).await;
        assert_eq!(put.unwrap(), stored);
        let key = Key::content(company(1), Area::Artifact, stored.digest);
        assert_eq!(blobs.get(key, u64::MAX).await.unwrap(), bytes);
    }
    assert_eq!(server.half_written().unwrap(), [""; 0]);
    let bucket = server.bucket("objects").unwrap();
    assert!(walk(&bucket.join("writing")).is_empty());
}

#[tokio::test]
async fn what_fails_in_the_middle_leaves_neither_object_nor_upload() {
    let server = own_server();
    let blobs = open(on(&server));
    let bytes = content(3 * PART);
    let foreign = Key::content(company(1), Area::File, digest(b"other"));

    let limit = bytes.len() as u64 - 1;
    let refused = blobs.put_content(company(1), Area::File, &mut &bytes[..], limit).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    let refused = blobs.put_stream(file(1), &mut &bytes[..], limit).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    let refused = blobs.put_stream(foreign, &mut &bytes[..], u64::MAX).await;
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    let mut breaking = (&bytes[..]).chain(Breaking);
    let refused = blobs.put_stream(file(1), &mut breaking, u64::MAX).await;
    assert!(matches!(refused, Err(Error::Source { .. })), "{refused:?}");

    assert_is_empty(&server, &blobs).await;
}

/// Fails when it is read.
struct Breaking;

impl AsyncRead for Breaking {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("the line was cut")))
    }
}

#[tokio::test]
async fn an_upload_whose_caller_goes_away_is_aborted() {
    let server = own_server();
    let blobs = open(on(&server));
    let bytes = content(2 * PART + 5);
    let reached = Arc::new(Notify::new());
    let mut source = (&bytes[..]).chain(Pausing(Arc::clone(&reached)));
    tokio::select! {
        put = blobs.put_content(company(1), Area::File, &mut source, u64::MAX) => panic!("{put:?}"),
        () = reached.notified() => {}
    }
    assert_is_empty(&server, &blobs).await;
}

/// Zeros without end, counted.
struct Counted(Arc<AtomicU64>);

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let zeros = buffer.initialize_unfilled().len();
        buffer.advance(zeros);
        self.0.fetch_add(zeros as u64, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_server_that_takes_nothing_stops_the_reading_of_the_source() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    let blobs = open(Settings { silence: Duration::from_secs(2), ..through(&proxy, &server) });
    let counts: Vec<Arc<AtomicU64>> = (0..3).map(|_| Arc::default()).collect();
    let mut uploads = tokio::task::JoinSet::new();
    for (number, count) in counts.iter().enumerate() {
        let (blobs, mut source) = (blobs.clone(), Counted(Arc::clone(count)));
        // The upload is begun before answers stop.
        uploads.spawn(
            async move { blobs.put_stream(file(number as u128), &mut source, 1 << 40).await },
        );
    }
    while counts.iter().any(|count| count.load(Ordering::SeqCst) < 2 * PART as u64) {
        tokio::task::yield_now().await;
    }
    proxy.set(Mode::Hold);
    let before: u64 = counts.iter().map(|count| count.load(Ordering::SeqCst)).sum();
    while let Some(upload) = uploads.join_next().await {
        let failed = upload.unwrap().unwrap_err();
        assert!(matches!(failed, Error::Silent { .. }), "{failed}");
    }
    let after: u64 = counts.iter().map(|count| count.load(Ordering::SeqCst)).sum();
    // Eight parts on their way of all three together, and one that each fills.
    let most = (8 + 2 * 3) * PART as u64;
    assert!(after - before <= most, "{} bytes were read ahead", after - before);
}

#[tokio::test]
async fn a_file_that_is_written_to_while_it_is_read_is_not_stored() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    let blobs = open(Settings { endpoint: Some(proxy.endpoint()), ..on(&server) });
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content(3 * PART)).unwrap();
    let again = file.try_clone().unwrap();
    // The second reading begins when the first answer is waited for.
    proxy.set(Mode::Hold);
    let put = blobs.put_file(company(1), Area::Artifact, file, u64::MAX);
    let change = async {
        while proxy.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        std::os::unix::fs::FileExt::write_at(&again, b"changed", 2 * PART as u64 + 9).unwrap();
        proxy.set(Mode::Pass);
    };
    let (put, ()) = tokio::join!(put, change);
    let refused = put.unwrap_err().to_string();
    assert!(refused.contains("was written to while it was read"), "{refused}");
    assert_is_empty(&server, &blobs).await;
}
