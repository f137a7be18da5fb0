//! What every implementation of the port must do.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use blobs::{Area, Error, Handle, Key, Stored};
use bytes::Bytes;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use uuid::Uuid;

use crate::world::{Fixture, directory, s3};
use crate::{company, content, digest};

/// Runs each law against every implementation.
macro_rules! on_every_store {
    ($($law:ident),* $(,)?) => {
        mod directory {
            $(
                #[tokio::test]
                async fn $law() {
                    super::laws::$law(crate::world::directory).await;
                }
            )*
        }

        mod s3 {
            $(
                #[tokio::test]
                async fn $law() {
                    super::laws::$law(crate::world::s3).await;
                }
            )*
        }
    };
}

on_every_store! {
    what_is_put_is_got_back_byte_for_byte,
    a_stream_is_hashed_while_it_is_written,
    content_is_stored_once_under_its_digest,
    more_than_allowed_is_refused_and_leaves_nothing,
    a_sender_that_fails_leaves_nothing,
    an_open_file_is_stored_from_its_first_byte,
    only_regular_files_are_stored,
    content_under_a_foreign_digest_is_refused,
    an_absent_object_is_named,
    a_key_is_written_anew,
    companies_do_not_see_each_other,
    a_company_is_deleted_whole_and_can_come_back,
    a_listing_has_every_object_once_page_by_page,
    many_writers_of_one_content_do_not_disturb_each_other,
}

/// Gives some bytes, a few at a time, then fails.
struct Failing(Vec<u8>);

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(io::Error::other("the line was cut")));
        }
        let some = self.0.len().min(1000).min(buffer.remaining());
        buffer.put_slice(&self.0.drain(..some).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

async fn read(blobs: &Handle, key: Key) -> Bytes {
    let got = blobs.get(key, u64::MAX).await.unwrap();
    let mut reader = blobs.open(key).await.unwrap();
    let mut streamed = Vec::new();
    reader.read_to_end(&mut streamed).await.unwrap();
    assert_eq!(reader.bytes(), got.len() as u64);
    assert_eq!(streamed, got);
    assert_eq!(blobs.size(key).await.unwrap(), Some(got.len() as u64));
    got
}

async fn all_keys(blobs: &Handle, area: Area, page: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    loop {
        let listed = blobs.list(company(1), area, keys.last().copied(), page).await.unwrap();
        if listed.is_empty() {
            return keys;
        }
        keys.extend(listed.into_iter().map(|listed| listed.key));
    }
}

mod laws {
    use super::*;

    type New = fn() -> Fixture;

    pub(super) async fn what_is_put_is_got_back_byte_for_byte(new: New) {
        let (_kept, blobs) = new();
        for (number, length) in [0, 1, 4096, 524_288, 3_000_000].into_iter().enumerate() {
            let bytes = content(length);
            for key in [
                Key::id(company(1), Area::Log, Uuid::from_u128(number as u128)),
                Key::content(company(1), Area::Result, digest(&bytes)),
                Key::digest(company(1), Area::Archive, digest(b"something else")),
            ] {
                let stored = blobs.put(key, bytes.clone()).await.unwrap();
                assert_eq!(stored, Stored { digest: digest(&bytes), bytes: length as u64 });
                assert_eq!(read(&blobs, key).await, bytes);
            }
        }
    }

    pub(super) async fn a_stream_is_hashed_while_it_is_written(new: New) {
        let (_kept, blobs) = new();
        for length in [0, 1, 524_287, 524_288, 524_289, 2_000_000] {
            let bytes = content(length);
            let key = Key::id(company(1), Area::Upload, Uuid::from_u128(length as u128));
            let stored = blobs.put_stream(key, &mut &bytes[..], length as u64).await.unwrap();
            assert_eq!(stored, Stored { digest: digest(&bytes), bytes: length as u64 });
            assert_eq!(read(&blobs, key).await, bytes);
        }
    }

    pub(super) async fn content_is_stored_once_under_its_digest(new: New) {
        let (_kept, blobs) = new();
        let bytes = content(700_000);
        for _ in 0..2 {
            let stored =
                blobs.put_content(company(1), Area::File, &mut &bytes[..], 700_000).await.unwrap();
            assert_eq!(stored, Stored { digest: digest(&bytes), bytes: 700_000 });
        }
        let key = Key::content(company(1), Area::File, digest(&bytes));
        assert_eq!(all_keys(&blobs, Area::File, 10).await, [key]);
        assert_eq!(read(&blobs, key).await, bytes);
    }

    pub(super) async fn more_than_allowed_is_refused_and_leaves_nothing(new: New) {
        let (_kept, blobs) = new();
        for length in [11, 2_000_000] {
            let bytes = content(length);
            let limit = length as u64 - 1;
            let key = Key::id(company(1), Area::File, Uuid::nil());
            let refused = blobs.put_stream(key, &mut &bytes[..], limit).await.unwrap_err();
            assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
            let refused = blobs
                .put_content(company(1), Area::File, &mut &bytes[..], limit)
                .await
                .unwrap_err();
            assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
        }
        assert_eq!(all_keys(&blobs, Area::File, 10).await, []);
        let key = Key::id(company(1), Area::Log, Uuid::nil());
        blobs.put(key, content(11)).await.unwrap();
        let refused = blobs.get(key, 10).await.unwrap_err();
        assert!(matches!(refused, Error::TooLarge { limit: 10, measured: 11 }), "{refused}");
    }

    pub(super) async fn a_sender_that_fails_leaves_nothing(new: New) {
        let (_kept, blobs) = new();
        for length in [0, 500, 1_500_000] {
            let mut source = Failing(content(length).to_vec());
            let failed =
                blobs.put_content(company(1), Area::File, &mut source, u64::MAX).await.unwrap_err();
            let Error::Source { received, .. } = failed else { panic!("{failed}") };
            assert_eq!(received, length as u64);
        }
        assert_eq!(all_keys(&blobs, Area::File, 10).await, []);
    }

    pub(super) async fn an_open_file_is_stored_from_its_first_byte(new: New) {
        let (_kept, blobs) = new();
        let bytes = content(1_200_000);
        let mut file = tempfile::tempfile().unwrap();
        // Writing leaves its position at the end.
        file.write_all(&bytes).unwrap();
        let again = file.try_clone().unwrap();
        let stored = blobs.put_file(company(1), Area::Artifact, file, 1_200_000).await.unwrap();
        assert_eq!(stored, Stored { digest: digest(&bytes), bytes: 1_200_000 });
        let key = Key::content(company(1), Area::Artifact, digest(&bytes));
        assert_eq!(read(&blobs, key).await, bytes);
        let refused = blobs.put_file(company(1), Area::Artifact, again, 10).await.unwrap_err();
        assert!(matches!(refused, Error::TooLarge { limit: 10, .. }), "{refused}");
    }

    pub(super) async fn only_regular_files_are_stored(new: New) {
        let (_kept, blobs) = new();
        // A pipe, which would never end.
        let (reader, _writer) = io::pipe().unwrap();
        let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
        let zero = std::fs::File::open("/dev/zero").unwrap();
        let folder = std::fs::File::open("/").unwrap();
        for file in [pipe, zero, folder] {
            let refused =
                blobs.put_file(company(1), Area::Artifact, file, u64::MAX).await.unwrap_err();
            assert!(matches!(refused, Error::NotAFile), "{refused}");
        }
    }

    pub(super) async fn content_under_a_foreign_digest_is_refused(new: New) {
        let (_kept, blobs) = new();
        let key = Key::content(company(1), Area::Result, digest(b"right"));
        let refused = blobs.put(key, Bytes::from_static(b"wrong")).await.unwrap_err();
        assert!(matches!(refused, Error::Corrupt { found, .. } if found == digest(b"wrong")));
        assert_eq!(blobs.size(key).await.unwrap(), None);
    }

    pub(super) async fn an_absent_object_is_named(new: New) {
        let (_kept, blobs) = new();
        let key = Key::id(company(1), Area::Log, Uuid::nil());
        let missing = blobs.get(key, 10).await.unwrap_err();
        assert!(missing.to_string().contains(&key.to_string()), "{missing}");
        assert!(matches!(blobs.open(key).await.unwrap_err(), Error::NotFound { .. }));
        assert_eq!(blobs.size(key).await.unwrap(), None);
        assert!(!blobs.delete(key).await.unwrap());
        assert_eq!(blobs.companies().await.unwrap(), []);
        assert_eq!(all_keys(&blobs, Area::Log, 10).await, []);
        blobs.delete_company(company(1)).await.unwrap();
    }

    pub(super) async fn a_key_is_written_anew(new: New) {
        let (_kept, blobs) = new();
        let key = Key::id(company(1), Area::Log, Uuid::nil());
        blobs.put(key, content(900)).await.unwrap();
        // Whoever reads the former one reads it to its end.
        let mut former = blobs.open(key).await.unwrap();
        blobs.put(key, Bytes::from_static(b"new")).await.unwrap();
        let mut read_former = Vec::new();
        former.read_to_end(&mut read_former).await.unwrap();
        assert_eq!(read_former, content(900));
        assert_eq!(read(&blobs, key).await, "new");
        assert!(blobs.delete(key).await.unwrap());
        assert!(!blobs.delete(key).await.unwrap());
    }

    pub(super) async fn companies_do_not_see_each_other(new: New) {
        let (_kept, blobs) = new();
        let ours = Key::content(company(1), Area::File, digest(b"same"));
        let theirs = Key { company: company(2), ..ours };
        blobs.put(ours, Bytes::from_static(b"same")).await.unwrap();
        assert!(matches!(blobs.get(theirs, 10).await.unwrap_err(), Error::NotFound { .. }));
        assert!(!blobs.delete(theirs).await.unwrap());
        assert_eq!(blobs.list(company(2), Area::File, None, 10).await.unwrap(), []);
        blobs.delete_company(company(2)).await.unwrap();
        assert_eq!(read(&blobs, ours).await, "same");
    }

    pub(super) async fn a_company_is_deleted_whole_and_can_come_back(new: New) {
        let (_kept, blobs) = new();
        let key = |company, n| Key::id(company, Area::Log, Uuid::from_u128(n));
        for n in 0..20 {
            blobs.put(key(company(1), n), content(10)).await.unwrap();
            blobs.put(key(company(2), n), content(10)).await.unwrap();
        }
        assert_eq!(blobs.companies().await.unwrap(), [company(1), company(2)]);
        for _ in 0..2 {
            blobs.delete_company(company(1)).await.unwrap();
            assert_eq!(blobs.companies().await.unwrap(), [company(2)]);
            blobs.put(key(company(1), 1), content(10)).await.unwrap();
            assert_eq!(all_keys(&blobs, Area::Log, 10).await, [key(company(1), 1)]);
        }
    }

    pub(super) async fn a_listing_has_every_object_once_page_by_page(new: New) {
        let (_kept, blobs) = new();
        let mut put = Vec::new();
        for n in 0u32..60 {
            let bytes = Bytes::from(n.to_string());
            let key = match n % 3 {
                0 => Key::content(company(1), Area::File, digest(&bytes)),
                1 => Key::digest(company(1), Area::File, digest(&bytes)),
                _ => Key::id(company(1), Area::File, Uuid::from_u128(u128::from(n))),
            };
            blobs.put(key, bytes).await.unwrap();
            put.push(key);
        }
        put.sort_by_key(ToString::to_string);
        for page in [1, 7, 60, 1000] {
            assert_eq!(all_keys(&blobs, Area::File, page).await, put);
        }
        let listed = blobs.list(company(1), Area::File, None, 1).await.unwrap();
        assert!((1..=2).contains(&listed[0].bytes));
        assert!(listed[0].written_at.0 > 1_600_000_000_000_000, "{}", listed[0].written_at);
    }

    pub(super) async fn many_writers_of_one_content_do_not_disturb_each_other(new: New) {
        let (_kept, blobs) = new();
        let bytes = content(100_000);
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (blobs, bytes) = (Arc::clone(&blobs), bytes.clone());
            writers.spawn(async move {
                let mut source = &bytes[..];
                let stored =
                    blobs.put_content(company(1), Area::File, &mut source, 100_000).await.unwrap();
                let key = Key::content(company(1), Area::File, stored.digest);
                assert_eq!(blobs.get(key, 100_000).await.unwrap(), bytes);
            });
        }
        while let Some(written) = writers.join_next().await {
            written.unwrap();
        }
        assert_eq!(all_keys(&blobs, Area::File, 10).await.len(), 1);
    }
}

fn come_back(new: fn() -> Fixture, pieces: Vec<Vec<u8>>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (_kept, blobs) = new();
        let whole = Bytes::from(pieces.concat());
        let mut source: Box<dyn AsyncRead + Send + Unpin> = Box::new(tokio::io::empty());
        for piece in pieces {
            source = Box::new(source.chain(io::Cursor::new(piece)));
        }
        let stored =
            blobs.put_content(company(1), Area::File, &mut source, u64::MAX).await.unwrap();
        prop_assert_eq!(stored.digest, digest(&whole));
        let key = Key::content(company(1), Area::File, stored.digest);
        prop_assert_eq!(read(&blobs, key).await, whole);
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_in_any_pieces_come_back(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..20)) {
        come_back(directory, pieces.clone())?;
        come_back(s3, pieces)?;
    }
}
