//! Takes tasks for free slots, woken by the broker.

use crate::Worker;
use crate::run::TakenSlot;

/// Runs until the worker drains.
pub(crate) async fn dispatch(worker: Worker) {
    let inner = &worker.0;
    // Made before the first look, so that nothing queued since is missed.
    let mut signal = inner.engine.work_signal();
    loop {
        let slot = tokio::select! {
            taken = inner.slots.take() => taken,
            () = inner.draining.cancelled() => return,
        };
        match inner.engine.next(inner.id, slot.want()).await {
            Ok(Some(work)) => {
                engine::Slot::start(Box::new(TakenSlot { worker: worker.clone(), slot }), work);
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!("no task can be claimed: {error}");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
        drop(slot);
        tokio::select! {
            waited = inner.engine.wait_for_work(&mut signal) => {
                if let Err(error) = waited {
                    tracing::error!("the queue can't be watched: {error}");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
            () = inner.draining.cancelled() => return,
        }
    }
}
