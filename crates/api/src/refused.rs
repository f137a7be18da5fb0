//! Connections beyond those that the server takes at once: told so, and closed.

use std::sync::Arc;
use std::time::Duration;

use domain::Text;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::problem::{Code, Problem, bare};

/// When another try makes sense.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a refused caller may take to take the answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Callers that are told why at once; beyond them connections are only closed.
const TOLD_AT_ONCE: usize = 64;

/// What refuses connections.
pub(crate) struct Refusals(Arc<Semaphore>);

impl Refusals {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(TOLD_AT_ONCE)))
    }

    /// Tells a caller that the server is full, without holding up the next.
    pub(crate) fn refuse(&self, stream: TcpStream, tasks: &TaskTracker) {
        metrics::counter!("mecapy_connections_refused_total").increment(1);
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else { return };
        tasks.spawn(async move {
            // Who does not listen has no answer to lose.
            let _ = tokio::time::timeout(PATIENCE, tell(stream)).await;
            drop(place);
        });
    }
}

async fn tell(mut stream: TcpStream) -> std::io::Result<()> {
    let problem = Problem::new(
        Code::Unavailable,
        Text::new(
            "The server has as many connections open as it takes. Try again in a moment.",
            "Le serveur a autant de connexions ouvertes qu'il en accepte. Réessayez dans un instant.",
        ),
    );
    stream.write_all(&bare::answer(&problem.retry_after(AGAIN))).await?;
    stream.shutdown().await?;
    // A connection that is closed over unread bytes is reset, and the answer
    // with it.
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
