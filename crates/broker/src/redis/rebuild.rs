//! Who rebuilds the order when the server has lost it: one process of all.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::process::{Errand, Inner};
use crate::Error;

/// For how long a process leads that says nothing.
const LEASE: Duration = Duration::from_secs(3);
/// How often it says something, and how often the others look.
const RENEWAL: Duration = Duration::from_millis(500);

/// The order's content was lost, and this process alone is to rebuild it:
/// [`note_running`](crate::Broker::note_running) for what runs and
/// [`enqueue`](crate::Broker::enqueue) for what waits, while everybody's other
/// calls go on; then [`finish`](Self::finish). Another process is told to where
/// this is dropped unfinished, or its process dies.
pub struct Rebuild {
    inner: Arc<Inner>,
    token: Uuid,
    _leads: DropGuard,
}

impl Rebuild {
    /// Resolves when there is something to rebuild and this process leads.
    pub(super) async fn lead(inner: &Arc<Inner>) -> Self {
        let mut forgotten = inner.forgotten.subscribe();
        loop {
            // The sender lives as long as the broker.
            let _ = forgotten.wait_for(|forgotten| *forgotten).await;
            let token = Uuid::new_v4();
            match leads(inner, token, false).await {
                Ok(true) => return Self::new(inner, token),
                Ok(false) => {}
                Err(error) => tracing::warn!("the order can't be rebuilt: {error}"),
            }
            // Another one leads, and may die.
            let _ = timeout(RENEWAL, forgotten.wait_for(|forgotten| !forgotten)).await;
        }
    }

    fn new(inner: &Arc<Inner>, token: Uuid) -> Self {
        let held = CancellationToken::new();
        let (renewed, leading) = (Arc::clone(inner), held.clone());
        TaskTracker::new().spawn(async move {
            loop {
                if timeout(RENEWAL, leading.cancelled()).await.is_ok() {
                    break;
                }
                if let Ok(false) = leads(&renewed, token, true).await {
                    return;
                }
            }
            renewed.leave(Errand::new("resign", &[token.as_bytes()]));
        });
        Self { inner: Arc::clone(inner), token, _leads: held.drop_guard() }
    }

    /// Says that everything is there again. `false` where that is not so: the
    /// order was lost once more, or another process went on with it because
    /// this one said nothing for too long.
    pub async fn finish(self) -> Result<bool, Error> {
        let answer = self.inner.call("rebuilt", &[self.token.as_bytes()]).await?;
        Ok(answer.value == ::redis::Value::Int(1))
    }
}

impl fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebuild").field("token", &self.token).finish_non_exhaustive()
    }
}

async fn leads(inner: &Inner, token: Uuid, led_before: bool) -> Result<bool, Error> {
    let lease_ms = LEASE.as_millis().to_string();
    let args = [&token.as_bytes()[..], lease_ms.as_bytes(), super::digit(led_before)];
    Ok(inner.call("lead", &args).await?.value == ::redis::Value::Int(1))
}
