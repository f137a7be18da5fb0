//! What a store in a bucket must do beyond the port.

mod any_server;
mod crash;
mod faults;
mod leftovers;
mod signed;
mod tls;
mod uploads;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use blobs::s3::Settings;
use blobs::{Area, Blobs, Key};
use test_support::s3 as server;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::proxy::{Mode, Proxy};
use crate::world::{on, open};
use crate::{company, content, digest};

/// A server of the test's own, its bucket made.
fn own_server() -> server::S3 {
    let server = server::S3::start().unwrap();
    server.bucket("objects").unwrap();
    server
}

/// Settings that give up soon, through a proxy.
fn through(proxy: &Proxy, server: &server::S3) -> Settings {
    Settings {
        endpoint: Some(proxy.endpoint()),
        silence: Duration::from_millis(300),
        patience: Duration::from_millis(100),
        ..on(server)
    }
}

fn file(number: u128) -> Key {
    Key::id(company(1), Area::File, Uuid::from_u128(number))
}

/// Never gives a byte; says when it is asked for one.
struct Pausing(Arc<Notify>);

impl AsyncRead for Pausing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.notify_one();
        Poll::Pending
    }
}

#[tokio::test]
async fn a_stream_is_taken_up_where_its_connection_broke() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    let blobs = open(through(&proxy, &server));
    let bytes = content(3_000_000);
    let key = Key::content(company(1), Area::File, digest(&bytes));
    open(on(&server)).put(key, bytes.clone()).await.unwrap();

    proxy.set(Mode::Cut { times: 3, after: 1500 });
    assert_eq!(blobs.get(key, u64::MAX).await.unwrap(), bytes);
    let asked = proxy.requests();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked.iter().all(|line| line.starts_with("GET ")), "{asked:?}");
}

#[tokio::test]
async fn an_object_that_is_written_anew_while_it_is_read_is_not_mixed() {
    let server = own_server();
    let proxy = Proxy::before(server.address()).await;
    let blobs = open(through(&proxy, &server));
    let writer = open(on(&server));
    writer.put(file(1), content(3_000_000)).await.unwrap();
    proxy.set(Mode::Cut { times: 1, after: 1500 });
    let mut reader = blobs.open(file(1)).await.unwrap();
    proxy.has_cut().await;
    let other = content(3_000_001).slice(1..);
    writer.put(file(1), other).await.unwrap();

    let failed = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.unwrap_err();
    assert!(failed.to_string().contains("it was written anew in the meantime"), "{failed}");
}

#[tokio::test]
async fn damaged_content_is_never_given_out_as_whole() {
    let server = own_server();
    let blobs = open(on(&server));
    let bytes = content(100_000);
    let key = Key::content(company(1), Area::File, digest(&bytes));
    blobs.put(key, bytes.clone()).await.unwrap();
    let mut damaged = bytes.to_vec();
    damaged[50_000] ^= 1;
    std::fs::write(server.bucket("objects").unwrap().join(key.to_string()), &damaged).unwrap();
    let error = blobs.get(key, u64::MAX).await.unwrap_err();
    assert!(
        matches!(error, blobs::Error::Corrupt { found, .. } if found == digest(&damaged)),
        "{error}"
    );
}

#[tokio::test]
async fn without_checksums_of_its_own_the_store_keeps_the_contract_as_well() {
    let server = own_server();
    let blobs = open(Settings { checksums: false, ..on(&server) });
    let bytes = content(20_000_000);
    let mut source = &bytes[..];
    blobs.put_content(company(1), Area::File, &mut source, u64::MAX).await.unwrap();
    let key = Key::content(company(1), Area::File, digest(&bytes));
    assert_eq!(blobs.get(key, u64::MAX).await.unwrap(), bytes);
}
