//! Answers kept under a caller's `Idempotency-Key`.

use std::time::Duration;

use async_trait::async_trait;
use domain::{CompanyId, Digest, UserId};

use crate::Error;

/// For how long a key stands, from its reservation.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A key that a caller sent, and what it was sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The caller.
    pub user: UserId,
    /// The key.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub request: Digest,
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// Nothing did: the caller goes on, and saves its answer.
    New,
    /// The same request is being answered right now.
    InProgress,
    /// The same request was answered so.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body's bytes.
        body: Vec<u8>,
    },
    /// Another request used the key.
    Mismatch,
}

/// Keys of a company, kept for [`KEPT`].
#[async_trait]
pub trait Idempotency: Send + Sync {
    /// Reserves a key. A reservation that was never answered (a crash) gives
    /// way after `abandoned_after`.
    async fn reserve(
        &self,
        company: CompanyId,
        key: Key,
        abandoned_after: Duration,
    ) -> Result<Reservation, Error>;
    /// Saves the answer under a reserved key.
    async fn answer(
        &self,
        company: CompanyId,
        key: Key,
        status: u16,
        body: Vec<u8>,
    ) -> Result<(), Error>;
    /// Gives a reservation back: the request failed and may be sent again.
    async fn release(&self, company: CompanyId, key: Key) -> Result<(), Error>;
}
