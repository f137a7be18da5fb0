//! Serving: connections with their time-outs, and a stop that lets requests
//! end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::Api;
use crate::address::Peer;
use crate::explained::Explained;
use crate::refused::Refusals;
use crate::taken::Taken;

/// The most headers of a request.
pub(crate) const HEADERS: usize = 100;
/// The most bytes of a request's head, and of what is read ahead.
pub(crate) const HEAD_BYTES: usize = 64 << 10;
/// How long to wait where the machine has no file descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);

impl Api {
    /// Serves until `shutdown` ends: then no connection is taken any more,
    /// waiting requests and streams are answered at once, and others have
    /// [`crate::Settings::drain`] to end.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let most = self.app.settings.connections.min(Semaphore::MAX_PERMITS);
        let (places, refusals) = (Arc::new(Semaphore::new(most)), Refusals::new());
        let mut full = false;
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut shutdown => break,
            };
            match accepted {
                Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                    Ok(place) => {
                        full = false;
                        let served = self.connection(stream, Peer(peer.ip()));
                        let served = cut.clone().run_until_cancelled_owned(served);
                        connections.spawn(async move {
                            let _ = served.await;
                            drop(place);
                        });
                    }
                    Err(_) => {
                        if !std::mem::replace(&mut full, true) {
                            tracing::warn!(most, "all connections are taken; more are refused");
                        }
                        refusals.refuse(stream, &connections);
                    }
                },
                // The caller gave up before it was its turn.
                Err(error) if is_callers(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection could be accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
        drop(listener);
        self.app.stopping.cancel();
        connections.close();
        self.app.jobs.close();
        let drained = async {
            connections.wait().await;
            self.app.jobs.wait().await;
        };
        if tokio::time::timeout(self.app.settings.drain, drained).await.is_err() {
            let open = connections.len();
            tracing::warn!(open, "connections were cut off at the end of the drain");
            cut.cancel();
            connections.wait().await;
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        peer: Peer,
    ) -> impl Future<Output = ()> + Send + 'static {
        // Answers are small and written whole: waiting for more costs 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let asked = Arc::new(AtomicBool::new(false));
        let asks = Arc::clone(&asked);
        let router = self.router.clone().map_request(move |mut request: Request<Incoming>| {
            asks.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer);
            request
        });
        let service = TowerToHyperService::new(router);
        let head_timeout = self.app.settings.head_timeout;
        let stream = Explained::new(Taken::new(stream, self.app.settings.body_pause), asked);
        let stopping = self.app.stopping.clone();
        async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(head_timeout)
                .max_headers(HEADERS)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopping.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke off");
            }
        }
    }
}

fn is_callers(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
