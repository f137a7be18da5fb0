//! Renews the leases of what runs, while anything does.

use std::time::Duration;

use crate::Worker;

/// A claim is committed long before this, or its run is over.
const SETTLED: Duration = Duration::from_secs(2);

/// Runs until the worker has drained.
pub(crate) async fn renew(worker: Worker) {
    let inner = &worker.0;
    let every = inner.engine.renewal_interval();
    loop {
        // Made before the look, so that nothing in between is missed.
        let (began, ended) = (inner.began.notified(), inner.ended.notified());
        let idle = worker.lock().is_empty();
        if idle {
            if inner.draining.is_cancelled() {
                return;
            }
            tokio::select! {
                () = began => {}
                () = inner.draining.cancelled() => {}
            }
            continue;
        }
        let drained = async {
            inner.draining.cancelled().await;
            ended.await;
        };
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            // While it drains, the last run's end must not be slept through.
            () = drained => continue,
        }
        // A claim that is still being written is no lost one.
        let leases: Vec<_> = worker
            .lock()
            .values()
            .filter(|control| control.since.elapsed() > SETTLED)
            .map(|control| control.lease)
            .collect();
        if leases.is_empty() {
            continue;
        }
        match inner.engine.renew(leases).await {
            Ok(lost) => {
                for lease in lost {
                    if let Some(control) = worker.lock().get(&lease) {
                        tracing::warn!(task.id = %lease.task, "its lease was lost; the run is ended");
                        control.abandon();
                    }
                }
            }
            Err(error) => tracing::error!("leases can't be renewed: {error}"),
        }
    }
}
