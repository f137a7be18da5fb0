//! The same request sent twice is answered twice and done once.

use std::time::Duration;

use domain::permission::Principal;
use store::idempotency::{Key, Reservation};

use crate::{Engine, Error};

/// After this a reservation without an answer is taken for abandoned: its
/// process died.
const ABANDONED_AFTER: Duration = Duration::from_secs(120);

/// What an idempotency key means for a request.
pub type Begun = Reservation;

impl Engine {
    /// Reserves a key before the request is done.
    pub async fn begin(&self, who: &Principal, key: Key) -> Result<Begun, Error> {
        Ok(self.store.reserve(who.company, key, ABANDONED_AFTER).await?)
    }

    /// Saves the answer of a request that was done.
    pub async fn answered(
        &self,
        who: &Principal,
        key: Key,
        status: u16,
        body: Vec<u8>,
    ) -> Result<(), Error> {
        Ok(self.store.answer(who.company, key, status, body).await?)
    }

    /// Gives a key back: the request was not done and may be sent again.
    pub async fn released(&self, who: &Principal, key: Key) -> Result<(), Error> {
        Ok(self.store.release(who.company, key).await?)
    }
}
