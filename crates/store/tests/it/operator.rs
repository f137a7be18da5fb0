//! What sees all companies, and the end.

use std::time::Duration;

use domain::WorkerId;
use domain::task::State;
use serde_json::json;
use store::Error;
use store::operator::Worker;
use store::tasks::Filter;

use crate::world::{World, completed, new};

on_every_backend! {
    the_queue_is_read_oldest_first_over_all_companies,
    workers_are_listed_while_they_are_seen,
    tasks_are_counted_by_state,
    a_closed_database_says_so,
    a_write_that_nobody_waits_for_is_still_made,
}

async fn the_queue_is_read_oldest_first_over_all_companies(world: World) {
    let (a, b) = (world.tenant("a").await, world.tenant("b").await);
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(world.queue(if n % 2 == 0 { &a } else { &b }).await);
    }
    world.start(&a).await;
    let first = world.store.queued(None, 4).await.unwrap();
    assert_eq!(first.iter().map(|queued| queued.task).collect::<Vec<_>>(), ids[..4]);
    let rest = world.store.queued(Some(ids[3]), 4).await.unwrap();
    assert_eq!(rest.iter().map(|queued| queued.task).collect::<Vec<_>>(), ids[4..]);
    let task = world.read(&b, ids[1]).await;
    let queued = &first[1];
    assert_eq!((queued.company, queued.version), (b.company, b.version.id));
    assert_eq!((queued.class, queued.priority), (task.class, task.priority));
    assert_eq!((queued.expected_ms, queued.next_attempt), (task.expected_ms, 1));
    assert_eq!(queued.available_at, task.available_at);
    let running = world.store.running(None, 4).await.unwrap();
    assert_eq!(running.len(), 1);
    assert!(!ids.contains(&running[0].task));
    assert!(world.store.running(Some(running[0].task), 4).await.unwrap().is_empty());
}

async fn workers_are_listed_while_they_are_seen(world: World) {
    let mut worker = Worker {
        id: WorkerId::new(),
        host: "büro-7".to_owned(),
        slots: 4,
        draining: false,
        started_at: world.now(),
        seen_at: world.now(),
        status: None,
    };
    world.store.put_worker(worker.clone()).await.unwrap();
    world.pass(Duration::from_secs(10));
    let within = Duration::from_secs(5);
    assert!(world.store.workers(within).await.unwrap().is_empty());
    worker.draining = true;
    worker.slots = 2;
    worker.status = Some(json!({ "free": 1 }));
    worker.seen_at = world.now();
    world.store.put_worker(worker.clone()).await.unwrap();
    assert_eq!(world.store.workers(within).await.unwrap(), [worker]);
}

async fn tasks_are_counted_by_state(world: World) {
    let tenant = world.tenant("acme").await;
    world.queue(&tenant).await;
    world.start(&tenant).await;
    let deleted = world.start(&tenant).await;
    world.store.finish(deleted, completed("1")).await.unwrap();
    world.store.delete_task(tenant.company, deleted.task).await.unwrap();
    let done = world.start(&tenant).await;
    world.store.finish(done, completed("1")).await.unwrap();
    let expected = [
        (State::Queued, 1),
        (State::Running, 1),
        (State::Completed, 1),
        (State::Failed, 0),
        (State::Cancelled, 0),
    ];
    assert_eq!(world.store.counts().await.unwrap(), expected);
}

async fn a_closed_database_says_so(world: World) {
    let tenant = world.tenant("acme").await;
    let id = world.queue(&tenant).await;
    world.store.ping().await.unwrap();
    world.store.close().await;
    world.store.close().await;
    assert!(matches!(world.store.ping().await, Err(Error::Closed)));
    assert!(matches!(world.store.task(tenant.company, id).await, Err(Error::Closed)));
    let listed = world.store.tasks(tenant.company, Filter::default(), None, 1).await;
    assert!(matches!(listed, Err(Error::Closed)));
    let submitted = world.store.submit(new(world.task(&tenant), None)).await;
    assert!(matches!(submitted, Err(Error::Closed)));
}

async fn a_write_that_nobody_waits_for_is_still_made(world: World) {
    let tenant = world.tenant("acme").await;
    let task = world.task(&tenant);
    {
        let submitting = world.store.submit(new(task.clone(), None));
        // Polled once: the write is with the writer, and its caller is gone.
        tokio::select! { biased; _ = submitting => {}, () = std::future::ready(()) => {} }
    }
    // What was let in is done before the database closes.
    world.store.close().await;
    let read = world.beside().await.task(tenant.company, task.id).await.unwrap();
    assert_eq!(read.unwrap().state, State::Queued);
}
