//! What holds on every server that the environment can name, each in its own
//! way.

use std::sync::Arc;

use blobs::{Area, Blobs as _, Key};
use domain::Timestamp;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;

use super::Pausing;
use crate::world::{of_test, open};
use crate::{company, content, digest};

const PART: usize = 8 << 20;

#[tokio::test]
async fn the_check_passes() {
    open(of_test()).check().await.unwrap();
}

#[tokio::test]
async fn large_content_comes_back() {
    let blobs = open(of_test());
    let bytes = content(2 * PART + 3);
    let mut source = &bytes[..];
    blobs.put_content(company(1), Area::File, &mut source, u64::MAX).await.unwrap();
    let key = Key::content(company(1), Area::File, digest(&bytes));
    assert_eq!(blobs.get(key, u64::MAX).await.unwrap(), bytes);
    blobs.delete_company(company(1)).await.unwrap();
    assert_eq!(blobs.companies().await.unwrap(), []);
}

#[test]
fn an_upload_that_nobody_ended_is_aborted_where_the_server_lists_it() {
    let settings = of_test();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime().block_on(async {
        let blobs = open(settings.clone());
        let bytes = content(2 * PART);
        let reached = Arc::new(Notify::new());
        let mut source = (&bytes[..]).chain(Pausing(Arc::clone(&reached)));
        // The abort that the drop asks for is not done: the runtime ends.
        tokio::select! {
            put = blobs.put_content(company(1), Area::File, &mut source, u64::MAX) => panic!("{put:?}"),
            () = reached.notified() => {}
        }
    });
    runtime().block_on(async {
        let blobs = open(settings);
        let swept = blobs.abort_incomplete(Timestamp(i64::MAX)).await.unwrap();
        assert!(matches!(swept.uploads, None | Some(1)), "{swept:?}");
        let again = blobs.abort_incomplete(Timestamp(i64::MAX)).await.unwrap();
        assert!(matches!(again.uploads, None | Some(0)), "{again:?}");
    });
}
