//! Streams of what happens.

use domain::event::Kind;
use engine::{Error, Update};
use futures_util::{TryStream, TryStreamExt as _};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, result};

fn kinds(updates: &[Update]) -> Vec<Kind> {
    let durable = updates.iter().filter_map(|update| match update {
        Update::Event(event) => Some(event.kind),
        Update::Live { .. } | Update::Reset { .. } => None,
    });
    durable.collect()
}

/// What the live events of this kind say.
fn live(updates: &[Update], wanted: &str) -> Vec<Value> {
    let data = updates.iter().filter_map(|update| match update {
        Update::Live { event, .. } if event.kind == wanted => Some(event.data.clone()),
        _ => None,
    });
    data.collect()
}

fn resets(updates: &[Update]) -> usize {
    updates.iter().filter(|update| matches!(update, Update::Reset { .. })).count()
}

/// The next update of a watch that goes on.
async fn next(watched: &mut (impl TryStream<Ok = Update, Error = Error> + Unpin)) -> Update {
    let update = tokio::time::timeout(PATIENCE, watched.try_next()).await.unwrap();
    update.unwrap().expect("the watch goes on")
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
    assert_eq!(live(&updates, "log"), [json!("hello")]);
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

#[tokio::test]
async fn a_thousand_watchers_are_told_everything_in_order_by_one_read_an_event() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let mut watches = Vec::new();
    for _ in 0..1000 {
        watches.push(Box::pin(world.engine.watch_task(&world.admin, task, 0).await.unwrap()));
    }
    for watched in &mut watches {
        let Update::Event(event) = next(watched).await else { panic!("expected an event") };
        assert_eq!(event.kind, Kind::TaskQueued);
    }
    let joined = world.engine.event_reads();
    assert_eq!(joined, 1000, "each looks once at what was before");
    let work = world.next().await.unwrap();
    world.engine.log(&work.lease, b"hello");
    world.finish(work, result("{}")).await;
    for watched in watches {
        let updates: Vec<_> = watched.try_collect().await.unwrap();
        assert_eq!(kinds(&updates), WHOLE[1..]);
        assert_eq!(live(&updates, "log"), [json!("hello")]);
        assert_eq!(resets(&updates), 0);
    }
    let reads = world.engine.event_reads() - joined;
    assert!(reads <= 4, "{reads} reads for the two events of a thousand watchers");
}

#[tokio::test]
async fn a_watch_that_is_taken_up_again_is_told_that_live_events_were_missed() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let work = world.next().await.unwrap();
    world.claimed(task).await;
    let mut watched = Box::pin(world.engine.watch_task(&world.admin, task, 1).await.unwrap());
    let Update::Reset { seq } = next(&mut watched).await else { panic!("expected a reset") };
    assert_eq!(seq, 1);
    world.finish(work, result("{}")).await;
    let updates: Vec<_> = watched.try_collect().await.unwrap();
    assert_eq!((kinds(&updates), resets(&updates)), (WHOLE.to_vec(), 0));
}

#[tokio::test]
async fn an_id_that_never_was_begins_anew_with_a_reset() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let work = world.next().await.unwrap();
    world.finish(work, result("{}")).await;
    let watched = world.engine.watch_task(&world.admin, task, 1_000_000).await.unwrap();
    let updates: Vec<_> = watched.try_collect().await.unwrap();
    assert_eq!(updates[0], Update::Reset { seq: 0 });
    assert_eq!(kinds(&updates), WHOLE);
    let mut watched = Box::pin(world.engine.watch_company(&world.admin, 1_000_000).await.unwrap());
    let Update::Reset { seq } = next(&mut watched).await else { panic!("expected a reset") };
    assert!(seq > 0 && seq < 1_000_000);
}

#[tokio::test]
async fn a_slow_watcher_is_told_so_and_catches_up_from_the_database() {
    let world = World::with_echo().await;
    let task = world.queue("{}").await;
    let mut slow = Box::pin(world.engine.watch_task(&world.admin, task, 0).await.unwrap());
    assert!(matches!(next(&mut slow).await, Update::Event(_)));
    let mut quick = Box::pin(world.engine.watch_task(&world.admin, task, 0).await.unwrap());
    let work = world.next().await.unwrap();
    for line in 0..500 {
        world.engine.log(&work.lease, format!("{line}\n").as_bytes());
        while !matches!(next(&mut quick).await, Update::Live { event, .. } if event.kind == "log") {
        }
    }
    world.finish(work, result("{}")).await;
    let updates: Vec<_> = slow.try_collect().await.unwrap();
    assert_eq!(kinds(&updates), WHOLE[1..], "no durable event is lost");
    assert!(resets(&updates) >= 1, "{updates:?}");
    assert!(live(&updates, "log").len() <= 64, "what waits for a slow watcher is bounded");
    assert_eq!(kinds(&quick.try_collect::<Vec<_>>().await.unwrap()).last(), WHOLE.last());
}

#[tokio::test]
async fn a_company_is_watched_with_its_queue_and_nobody_elses() {
    let world = World::with_echo().await;
    let other = world.company("other", Default::default()).await;
    let mut theirs = Box::pin(world.engine.watch_company(&other, 0).await.unwrap());
    let mut watched = Box::pin(world.engine.watch_company(&world.admin, 0).await.unwrap());
    let Update::Live { event, seq, .. } = next(&mut watched).await else { panic!("no queue") };
    assert_eq!(event.data, json!({ "waiting": 0, "running": 0, "next": [] }));
    let seen = seq.unwrap();
    let task = world.queue("{}").await;
    let mut updates = Vec::new();
    while live(&updates, "queue").is_empty() {
        updates.push(next(&mut watched).await);
    }
    assert_eq!(kinds(&updates), [Kind::TaskQueued]);
    let line = json!({ "task_id": task, "queue_position": 0 });
    assert_eq!(live(&updates, "queue"), [json!({ "waiting": 1, "running": 0, "next": [line] })]);
    let work = world.next().await.unwrap();
    let progress = domain::task::Progress { step: 1.0, total: None, message: None };
    world.engine.progress(&work.lease, progress);
    world.engine.log(&work.lease, b"not for everybody");
    world.finish(work, result("{}")).await;
    while kinds(&updates).last() != WHOLE.last()
        || *live(&updates, "queue").last().unwrap()
            != json!({ "waiting": 0, "running": 0, "next": [] })
    {
        updates.push(next(&mut watched).await);
    }
    assert_eq!(kinds(&updates), WHOLE);
    assert_eq!(live(&updates, "progress").len(), 1);
    assert_eq!(live(&updates, "log"), [] as [Value; 0]);
    let named = updates.iter().all(|update| match update {
        Update::Live { event, resource, .. } if event.kind == "progress" => {
            *resource == Some(task.0)
        }
        _ => true,
    });
    assert!(named);

    // The same again for one who comes back; nothing at all for the others.
    let mut again = Box::pin(world.engine.watch_company(&world.admin, seen).await.unwrap());
    let mut updates = Vec::new();
    while kinds(&updates).last() != WHOLE.last() {
        updates.push(next(&mut again).await);
    }
    assert_eq!((kinds(&updates), resets(&updates)), (WHOLE.to_vec(), 0));
    assert!(matches!(next(&mut theirs).await, Update::Live { event, .. } if event.kind == "queue"));
    let none = tokio::select! { biased; update = theirs.try_next() => Some(update), () = async {} => None };
    assert!(none.is_none(), "{none:?}");
}

#[tokio::test]
async fn positions_are_told_as_they_change() {
    let world = World::with_echo().await;
    let first = world.queue("{}").await;
    let second = world.queue("{}").await;
    let mut watched = Box::pin(world.engine.watch_task(&world.admin, second, 0).await.unwrap());
    let mut updates = Vec::new();
    while live(&updates, "queue").is_empty() {
        updates.push(next(&mut watched).await);
    }
    let work = world.next().await.unwrap();
    assert_eq!(work.task.id, first);
    while live(&updates, "queue").len() < 2 {
        updates.push(next(&mut watched).await);
    }
    let expected = [json!({ "queue_position": 1 }), json!({ "queue_position": 0 })];
    assert_eq!(live(&updates, "queue"), expected);
    world.finish(work, result("{}")).await;
}
