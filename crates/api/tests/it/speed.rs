//! What the HTTP face adds to a request, without the socket.

use std::time::{Duration, Instant};

use crate::app::{App, FREE, result};

/// The most that routing, authentication and writing the answer may add.
const MOST: Duration = Duration::from_micros(150);

#[tokio::test]
async fn routing_authentication_and_writing_cost_little() {
    let app = App::new().await;
    app.deploy(&app.admin, "bolt", FREE).await.expect(201);
    let run = app.post(&app.admin, "/functions/bolt/execute", "{}").await.expect(202);
    let path = run.header("location").to_owned();
    app.work(|_| result(r#"{"stress": 100.0, "status": "ok"}"#)).await;
    let mut spent = Vec::new();
    for _ in 0..2000 {
        let start = Instant::now();
        // The task ended a moment ago, so that the engine has it at hand.
        let answer = app.get(&app.admin, &path).await;
        spent.push(start.elapsed());
        answer.expect(200);
    }
    spent.sort_unstable();
    let median = spent[spent.len() / 2];
    assert!(median < MOST, "{median:?}");
}
