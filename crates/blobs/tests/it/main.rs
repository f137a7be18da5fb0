//! The laws of a store of objects, for every implementation, and what only
//! one of them must do.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod cached;
mod contract;
mod crash;
mod directory;
mod proxy;
mod s3;
mod world;

use bytes::Bytes;
use domain::{CompanyId, Digest};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

fn company(number: u32) -> CompanyId {
    CompanyId(Uuid::from_u128(u128::from(number)))
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Bytes that differ from place to place.
fn content(length: usize) -> Bytes {
    (0..length).map(|i| (i * i / 7 + i / 251) as u8).collect()
}
