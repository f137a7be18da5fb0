//! More than one attempt: retries, lost workers, a crash.

use domain::task::{ErrorKind, State};
use engine::store::tasks::Finished;
use serde_json::json;

use crate::world::{World, echo, failed, inline, result};

/// Longer than a lease.
const LOST: u64 = 16;

#[tokio::test]
async fn another_attempt_waits_for_its_backoff() {
    let world = World::new().await;
    let retry = json!({ "max_attempts": 2, "backoff": 5 });
    world.deploy(&world.admin, &echo().set("runtime.retry", retry)).await;
    let task = world.queue("{}").await;

    let work = world.next().await.unwrap();
    let finished = world.finish(work, failed(ErrorKind::Internal)).await;
    assert_eq!(finished, Finished::Stored(State::Queued));
    world.pass(4);
    assert!(world.next().await.is_none());
    world.pass(1);
    let work = world.next().await.unwrap();
    assert_eq!((work.task.id, work.task.attempt), (task, 2));
    let finished = world.finish(work, failed(ErrorKind::Internal)).await;
    assert_eq!(finished, Finished::Stored(State::Failed));
}

#[tokio::test]
async fn a_lost_workers_task_is_taken_over_and_what_it_still_tells_is_fenced() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let lost = world.next().await.unwrap();
    world.claimed(task).await;
    world.engine.log(&lost.lease, b"from the first\n");
    assert_eq!(world.engine.reap().await.unwrap(), 0);
    world.pass(LOST);
    assert_eq!(world.engine.reap().await.unwrap(), 1);

    let second = world.next().await.unwrap();
    assert_eq!((second.task.id, second.task.attempt), (task, 2));
    world.engine.log(&second.lease, b"from the second\n");
    world.engine.log(&lost.lease, b"too late\n");
    assert_eq!(world.finish(lost, result(r#"{"from":1}"#)).await, Finished::Fenced);
    // The late report leaves the running attempt alone, its log included.
    let running = world.engine.queue(&world.admin).await.unwrap().depths.companies[0].running;
    assert_eq!(running, 1);
    let finished = world.finish(second, result(r#"{"from":2}"#)).await;
    assert_eq!(finished, Finished::Stored(State::Completed));

    let ended = world.ended(task).await;
    assert_eq!((inline(&ended), ended.attempt), (r#"{"from":2}"#, 2));
    assert_eq!(world.engine.logs(&world.admin, task).await.unwrap(), "from the second\n");
}

#[tokio::test]
async fn renewed_leases_are_not_lost() {
    let world = World::with_echo().await;
    world.queue("{}").await;
    let work = world.next().await.unwrap();
    world.claimed(work.task.id).await;
    for _ in 0..3 {
        world.pass(10);
        assert_eq!(world.engine.renew(vec![work.lease]).await.unwrap(), []);
        assert_eq!(world.engine.reap().await.unwrap(), 0);
    }
    assert_eq!(world.finish(work, result("{}")).await, Finished::Stored(State::Completed));
}

#[tokio::test]
async fn a_crash_loses_no_task_and_completes_none_twice() {
    let world = World::with_echo().await;
    let mut tasks = Vec::new();
    for n in 0..4 {
        tasks.push(world.queue(&format!(r#"{{"n":{n}}}"#)).await);
    }
    let done = world.next().await.unwrap();
    world.finish(done, result("{}")).await;
    let lost = world.next().await.unwrap();
    let (id, lease) = (lost.task.id, lost.lease);
    world.claimed(id).await;

    let world = world.after_a_crash();
    let recovered = world.engine.recover(world.worker).await.unwrap();
    assert_eq!((recovered.queued, recovered.taken_over, recovered.failed), (3, 1, 0));
    let mut ran = Vec::new();
    while let Some(work) = world.next().await {
        let attempt = if work.task.id == id { 2 } else { 1 };
        assert_eq!(work.task.attempt, attempt);
        assert_ne!(work.lease.token, lease.token);
        ran.push(work.task.id);
        assert_eq!(world.finish(work, result("{}")).await, Finished::Stored(State::Completed));
    }
    ran.sort();
    tasks.remove(0);
    assert_eq!(ran, tasks);
}
