//! Idempotency keys.

use std::time::Duration;

use async_trait::async_trait;
use domain::{CompanyId, Digest, Timestamp};

use super::rows::{Db, Failure, bind};
use super::{Database, Of};
use crate::Error;
use crate::idempotency::{Idempotency, KEPT, Key, Reservation};

/// Keys past their age that one reservation sweeps: more than it adds, so
/// that the table shrinks, and few enough to cost nothing.
const SWEPT: u32 = 8;

#[async_trait]
impl<D: Database> Idempotency for D {
    async fn reserve(
        &self,
        company: CompanyId,
        key: Key,
        abandoned_after: Duration,
    ) -> Result<Reservation, Error> {
        self.write("reserve an idempotency key", Of::Company(company), move |db| {
            reserve(db, company, &key, abandoned_after)
        })
        .await
    }

    async fn answer(
        &self,
        company: CompanyId,
        key: Key,
        status: u16,
        body: Vec<u8>,
    ) -> Result<(), Error> {
        self.write("save the answer under an idempotency key", Of::Company(company), move |db| {
            db.execute(
                "UPDATE idempotency_keys SET status = ?, body = ?
                 WHERE company_id = ? AND user_id = ? AND key = ? AND request = ?
                 AND status IS NULL",
                bind![status, body, company, key.user, key.key, key.request],
            )?;
            Ok(())
        })
        .await
    }

    async fn release(&self, company: CompanyId, key: Key) -> Result<(), Error> {
        self.write("release an idempotency key", Of::Company(company), move |db| {
            db.execute(
                "DELETE FROM idempotency_keys
                 WHERE company_id = ? AND user_id = ? AND key = ? AND request = ?
                 AND status IS NULL",
                bind![company, key.user, key.key, key.request],
            )?;
            Ok(())
        })
        .await
    }
}

fn reserve(
    db: &Db<'_>,
    company: CompanyId,
    key: &Key,
    abandoned_after: Duration,
) -> Result<Reservation, Failure> {
    // This very key first: it is gone after a day even behind many others.
    let kept_since = db.now.before(KEPT);
    db.execute(
        "DELETE FROM idempotency_keys
         WHERE company_id = ? AND user_id = ? AND key = ? AND reserved_at <= ?",
        bind![company, key.user, key.key, kept_since],
    )?;
    db.execute(
        "DELETE FROM idempotency_keys WHERE (company_id, user_id, key) IN
         (SELECT company_id, user_id, key FROM idempotency_keys
          WHERE reserved_at <= ? ORDER BY reserved_at LIMIT ?)",
        bind![kept_since, SWEPT],
    )?;
    let found = db.one(
        "SELECT request, reserved_at, status, body FROM idempotency_keys
         WHERE company_id = ? AND user_id = ? AND key = ?",
        bind![company, key.user, key.key],
        |cells| {
            let request: Digest = cells.next()?;
            let reserved_at: Timestamp = cells.next()?;
            let status: Option<u16> = cells.next()?;
            let body: Option<Vec<u8>> = cells.next()?;
            Ok((request, reserved_at, status.zip(body)))
        },
    )?;
    match found {
        Some((request, ..)) if request != key.request => Ok(Reservation::Mismatch),
        Some((_, _, Some((status, body)))) => Ok(Reservation::Answered { status, body }),
        Some((_, reserved_at, None)) if db.now.since(reserved_at) < abandoned_after => {
            Ok(Reservation::InProgress)
        }
        _ => {
            db.execute(
                "INSERT INTO idempotency_keys (company_id, user_id, key, request, reserved_at)
                 VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT (company_id, user_id, key) DO UPDATE SET
                     reserved_at = excluded.reserved_at",
                bind![company, key.user, key.key, key.request, db.now],
            )?;
            Ok(Reservation::New)
        }
    }
}
