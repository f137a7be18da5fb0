//! Streams of what happens.

use domain::event::Kind;
use engine::Update;
use futures_util::TryStreamExt as _;

use crate::world::{World, result};

fn kinds(updates: &[Update]) -> Vec<Kind> {
    let durable = updates.iter().filter_map(|update| match update {
        Update::Event(event) => Some(event.kind),
        Update::Live { .. } | Update::Reset => None,
    });
    durable.collect()
}

const WHOLE: [Kind; 3] = [Kind::TaskQueued, Kind::TaskRunning, Kind::TaskCompleted];

#[tokio::test]
async fn a_watcher_is_told_every_event_once_and_then_the_stream_ends() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let watched = world.engine.watch_task(&world.admin, task, 0).await.unwrap();
    let run = async {
        let work = world.next().await.unwrap();
        world.engine.log(&work.lease, b"hello");
        world.finish(work, result("{}")).await
    };
    let (updates, _) = tokio::join!(watched.try_collect::<Vec<_>>(), run);
    let updates = updates.unwrap();
    assert_eq!(kinds(&updates), WHOLE);
    let logs = updates.iter().filter(|update| matches!(update, Update::Live { kind: "log", .. }));
    assert_eq!(logs.count(), 1, "{updates:?}");
}

#[tokio::test]
async fn a_watcher_is_told_that_a_task_runs_while_it_runs() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let (_, work) = tokio::join!(world.claimed(task), world.next());
    assert_eq!(work.unwrap().task.id, task);
}

#[tokio::test]
async fn a_watch_goes_on_after_the_event_that_was_seen_last() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let work = world.next().await.unwrap();
    world.finish(work, result("{}")).await;
    let mut seen = 0;
    for left in (0..=WHOLE.len()).rev() {
        let watched = world.engine.watch_task(&world.admin, task, seen).await.unwrap();
        let updates: Vec<_> = watched.try_collect().await.unwrap();
        assert_eq!(kinds(&updates), WHOLE[WHOLE.len() - left..]);
        if let Some(Update::Event(event)) = updates.first() {
            seen = event.seq;
        }
    }
}
