//! Tasks whose caller waits: written once where they end soon, and never lost
//! once somebody has been told of them.

use domain::task::{ErrorKind, State};
use engine::store::tasks::Finished;
use engine::{End, Error};

use crate::world::{PATIENCE, World, failed, inline, result};

const WHOLE_LIFE: [&str; 3] = ["task.queued", "task.running", "task.completed"];

#[tokio::test]
async fn a_task_that_ends_at_once_is_written_with_its_end() {
    let world = World::with_echo().await;
    let hands = world.attach(1);
    let task = world.submit_and_wait("{}").await.task;
    assert!(world.stored(task).await.is_none());

    let work = hands.started().pop().unwrap();
    assert_eq!(
        world.finish(work, result(r#"{"n":  1.5}"#)).await,
        Finished::Stored(State::Completed)
    );
    let stored = world.stored(task).await.unwrap();
    assert_eq!((stored.state, stored.attempt), (State::Completed, 1));
    assert_eq!((stored.worker, inline(&stored)), (Some(world.worker), r#"{"n":  1.5}"#));
    assert_eq!(*world.ended(task).await, stored);
    assert_eq!(world.events(task).await, WHOLE_LIFE);
}

#[tokio::test]
async fn so_is_one_that_waited_for_a_slot() {
    let world = World::with_echo().await;
    let task = world.submit_and_wait("{}").await.task;
    let work = world.next().await.unwrap();
    world.finish(work, failed(ErrorKind::UserError)).await;
    let stored = world.stored(task).await.unwrap();
    assert_eq!(stored.state, State::Failed);
    assert_eq!(stored.error.unwrap().kind, ErrorKind::UserError);
    assert_eq!(world.events(task).await, ["task.queued", "task.running", "task.failed"]);
}

#[tokio::test]
async fn what_takes_longer_is_written_before_its_end() {
    let world = World::with_echo().await;
    let hands = world.attach(1);
    let running = world.submit_and_wait("{}").await.task;
    let waiting = world.submit_and_wait("{}").await.task;
    // Nobody asks for it; it is written all the same.
    while world.stored(running).await.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(world.stored(running).await.unwrap().state, State::Running);
    world.engine.ensure_written(waiting).await.unwrap();
    assert_eq!(world.stored(waiting).await.unwrap().state, State::Queued);

    world.finish(hands.started().pop().unwrap(), result("{}")).await;
    let work = world.next().await.unwrap();
    world.finish(work, result("{}")).await;
    for task in [running, waiting] {
        assert_eq!(world.ended(task).await.state, State::Completed);
        assert_eq!(world.events(task).await, WHOLE_LIFE);
    }
}

#[tokio::test]
async fn who_runs_out_of_patience_hears_of_a_durable_task() {
    let world = World::with_echo().await;
    let hands = world.attach(1);
    let task = world.submit_and_wait("{}").await.task;
    let view = world.engine.wait(&world.admin, task, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(view.task.state, State::Running);
    // What was only in memory is gone, the task is not.
    drop(hands.started());
    let world = world.after_a_crash();
    assert_eq!(world.stored(task).await.unwrap().state, State::Running);
}

#[tokio::test]
async fn a_run_that_is_handed_back_waits_for_another_worker() {
    let world = World::with_echo().await;
    let hands = world.attach(1);
    let task = world.submit_and_wait("{}").await.task;
    let work = hands.started().pop().unwrap();
    assert_eq!(world.finish(work, End::HandBack).await, Finished::Stored(State::Queued));
    let work = world.next().await.unwrap();
    assert_eq!((work.task.id, work.task.attempt), (task, 1));
    world.finish(work, result("{}")).await;
    assert_eq!(world.ended(task).await.state, State::Completed);
}

#[tokio::test]
async fn a_server_that_goes_down_writes_what_it_holds() {
    let world = World::with_echo().await;
    world.attach(1);
    let task = world.submit_and_wait("{}").await.task;
    world.engine.close().await;
    let world = world.after_a_restart();
    assert_eq!(world.stored(task).await.unwrap().state, State::Running);
}

#[tokio::test]
async fn who_waits_is_told_when_the_task_can_not_be_kept() {
    let world = World::with_echo().await;
    let hands = world.attach(1);
    let task = world.submit_and_wait("{}").await.task;
    world.break_the_database().await;
    let work = hands.started().pop().unwrap();
    let (waited, _) = tokio::join!(world.engine.wait(&world.admin, task, PATIENCE), async {
        let report = engine::Report {
            end: result("{}"),
            measured: Default::default(),
            artifacts: Vec::new(),
        };
        world.engine.finish(work, report).await
    });
    assert!(matches!(waited, Err(Error::Store(_))), "{waited:?}");
}
