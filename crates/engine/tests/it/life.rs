//! From submission to the end.

use domain::task::State;
use engine::store::tasks::Finished;
use engine::{End, Error};
use serde_json::json;

use crate::world::{World, echo, inline, result};

#[tokio::test]
async fn a_task_goes_from_its_submission_to_its_result_byte_for_byte() {
    let world = World::with_echo().await;
    let submitted = world.submit(&world.admin, r#"{"n":  1.50}"#).await.unwrap();
    assert_eq!((submitted.state, submitted.position), (State::Queued, Some(0)));

    let work = world.next().await.unwrap();
    assert_eq!((work.task.id, work.task.attempt), (submitted.task, 1));
    assert_eq!(work.inputs, r#"{"n":  1.50}"#.as_bytes());
    assert!(world.next().await.is_none());

    let finished = world.finish(work, result(r#"{"n":  1.50}"#)).await;
    assert_eq!(finished, Finished::Stored(State::Completed));
    let task = world.ended(submitted.task).await;
    assert_eq!((task.state, inline(&task)), (State::Completed, r#"{"n":  1.50}"#));
}

#[tokio::test]
async fn a_task_starts_at_once_where_a_slot_is_free() {
    let world = World::with_echo().await;
    let hands = world.attach(1);
    let first = world.submit(&world.admin, r#"{"n":1}"#).await.unwrap();
    let second = world.submit(&world.admin, r#"{"n":2}"#).await.unwrap();
    assert_eq!((first.state, second.state), (State::Running, State::Queued));

    let work = hands.started().pop().unwrap();
    assert_eq!(work.task.id, first.task);
    world.finish(work, result("{}")).await;
    assert_eq!(world.ended(first.task).await.state, State::Completed);
    assert_eq!(world.next().await.unwrap().task.id, second.task);
}

#[tokio::test]
async fn a_waiting_task_that_is_cancelled_never_runs() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let view = world.engine.cancel(&world.admin, task).await.unwrap();
    assert_eq!(view.task.state, State::Cancelled);
    assert!(world.next().await.is_none());
    let again = world.engine.cancel(&world.admin, task).await.unwrap_err();
    assert!(matches!(again, Error::WrongState { state: "cancelled", .. }), "{again}");
}

#[tokio::test]
async fn a_running_task_is_cancelled_by_its_worker() {
    let world = World::with_echo().await;
    let hands = world.attach(1);
    let task = world.queue("{}").await;
    let view = world.engine.cancel(&world.admin, task).await.unwrap();
    assert_eq!((view.task.state, hands.cancelled()), (State::Running, vec![task]));
    let work = hands.started().pop().unwrap();
    assert_eq!(world.finish(work, End::Cancelled).await, Finished::Stored(State::Cancelled));
}

#[tokio::test]
async fn the_same_inputs_answer_from_the_cache_for_an_hour() {
    let world = World::new().await;
    world.deploy(&world.admin, &echo().set("runtime.cache", json!(true))).await;
    world.attach(0);
    let first = world.queue(r#"{"n":1}"#).await;
    let work = world.next().await.unwrap();
    world.finish(work, result(r#"{"stress":  2.0}"#)).await;

    let again = world.submit(&world.admin, r#"{"n":1}"#).await.unwrap();
    assert_eq!(again.state, State::Completed);
    assert_ne!(again.task, first);
    let task = world.ended(again.task).await;
    assert_eq!((task.cached, inline(&task)), (true, r#"{"stress":  2.0}"#));

    let other = world.submit(&world.admin, r#"{"n":2}"#).await.unwrap();
    assert_eq!(other.state, State::Queued);
    world.pass(3601);
    let late = world.submit(&world.admin, r#"{"n":1}"#).await.unwrap();
    assert_eq!(late.state, State::Queued);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_never_missed_by_who_waits_for_it() {
    let world = World::with_echo().await;
    for round in 0..200 {
        let task = world.queue(&format!(r#"{{"n":{round}}}"#)).await;
        let run = async {
            // Every other round the wait may begin before the claim.
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            let work = world.next().await.unwrap();
            world.finish(work, result("{}")).await
        };
        let (waited, finished) = tokio::join!(world.ended(task), run);
        assert_eq!(finished, Finished::Stored(State::Completed));
        // Had the end been missed, the state of half a minute ago would not be
        // final, or this would have taken that long.
        assert_eq!(waited.state, State::Completed, "round {round}");
    }
}
