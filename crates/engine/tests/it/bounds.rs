//! What is refused, and by whose bound.

use std::time::Duration;

use domain::clock::System;
use domain::limits::Limits;
use domain::task::Measured;
use domain::{Clock as _, Timestamp};
use engine::Error;
use engine::companies::Quotas;
use engine::store::accounts::Budget;
use engine::{Reached, Report};
use tokio::io::AsyncWriteExt as _;

use crate::world::{World, echo, result};

#[tokio::test]
async fn a_companys_bound_is_its_own_and_the_platforms_is_everybodys() {
    let world = World::bounded(Limits { queued_tasks: 3, ..Limits::default() }).await;
    let quotas = Quotas { max_queued: Some(2), ..Quotas::default() };
    let small = world.company("small", quotas).await;
    for who in [&world.admin, &small] {
        world.deploy(who, &echo()).await;
    }
    for _ in 0..2 {
        world.submit(&small, "{}").await.unwrap();
    }
    let refused = world.submit(&small, "{}").await.unwrap_err();
    assert!(matches!(refused, Error::CompanyQueueFull { queued: 2, limit: 2, .. }), "{refused}");

    world.submit(&world.admin, "{}").await.unwrap();
    let refused = world.submit(&world.admin, "{}").await.unwrap_err();
    assert!(matches!(refused, Error::QueueFull { queued: 3, .. }), "{refused}");

    // A place that is free again is given again.
    let work = world.next().await.unwrap();
    world.finish(work, result("{}")).await;
    world.submit(&world.admin, "{}").await.unwrap();
}

fn quotas(budget: Budget) -> Quotas {
    Quotas { budget, ..Quotas::default() }
}

/// 08:00 in UTC of the day on which ids are made: they come from the machine's
/// own clock, and a day's tasks are found by them.
fn this_morning() -> Timestamp {
    const DAY: i64 = 86_400_000_000;
    let now = System.now();
    Timestamp(now.0 - now.0.rem_euclid(DAY) + DAY / 3)
}

fn reached(refused: Error) -> Reached {
    match refused {
        Error::QuotaReached(reached) => reached,
        other => panic!("expected a quota that is used up, found {other}"),
    }
}

#[tokio::test]
async fn a_days_tasks_are_counted_to_midnight_and_over_a_crash() {
    let world = World::at(this_morning(), Limits::default()).await;
    let small = quotas(Budget { tasks_per_day: Some(3), ..Budget::default() });
    let small = world.company("small", small).await;
    for who in [&world.admin, &small] {
        world.deploy(who, &echo()).await;
    }
    for _ in 0..2 {
        world.submit(&small, "{}").await.unwrap();
    }
    // What is refused for another reason is not counted.
    assert!(matches!(world.submit(&small, "[]").await, Err(Error::Invalid(_))));
    let world = world.after_a_crash();
    world.submit(&small, "{}").await.unwrap();
    let found = reached(world.submit(&small, "{}").await.unwrap_err());
    assert_eq!((found.quota, found.limit, found.used), ("tasks_per_day", 3.0, 3.0));
    assert_eq!(found.resets_in.as_secs(), 16 * 3600);
    assert_eq!(found.resets_at, this_morning().after(found.resets_in));
    world.submit(&world.admin, "{}").await.unwrap();
    world.pass(16 * 3600);
    world.submit(&small, "{}").await.unwrap();
}

#[tokio::test]
async fn a_days_cpu_seconds_are_counted_as_runs_end() {
    let world = World::at(this_morning(), Limits::default()).await;
    let small = quotas(Budget { cpu_s_per_day: Some(1.5), ..Budget::default() });
    let small = world.company("small", small).await;
    world.deploy(&small, &echo()).await;
    for _ in 0..2 {
        world.submit(&small, "{}").await.unwrap();
        let work = world.next().await.unwrap();
        let measured = Measured { cpu_ms: 800.0, ..Measured::default() };
        let report = Report { end: result("{}"), measured, artifacts: Vec::new() };
        world.engine.finish(work, report).await.unwrap();
    }
    let found = reached(world.submit(&small, "{}").await.unwrap_err());
    assert_eq!((found.quota, found.limit, found.used), ("cpu_s_per_day", 1.5, 1.6));
    let world = world.after_a_crash();
    let found = reached(world.submit(&small, "{}").await.unwrap_err());
    assert_eq!(found.used, 1.6, "as the database has it");
}

#[tokio::test]
async fn uploads_at_once_have_no_more_room_than_one_after_the_other() {
    let world = World::new().await;
    let small = quotas(Budget { storage_bytes: Some(10), ..Budget::default() });
    let small = world.company("small", small).await;
    let mut senders = Vec::new();
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut sender, content) = tokio::io::duplex(16);
        sender.write_all(b"1").await.unwrap();
        senders.push(sender);
        let (engine, small) = (world.engine.clone(), small.clone());
        uploads.spawn(
            async move { engine.upload_file(&small, "a.csv", None, Box::new(content)).await },
        );
    }
    // All have begun before any of them is whole.
    for mut sender in senders {
        sender.write_all(b"234").await.unwrap();
    }
    let kept = uploads.join_all().await.iter().filter(|done| done.is_ok()).count();
    assert!(kept <= 2, "{kept} of 4 bytes each in 10");
    let whole =
        |bytes: &'static [u8]| world.engine.upload_file(&small, "b.csv", None, Box::new(bytes));
    // What was refused has given its room back.
    for _ in kept..2 {
        whole(b"1234").await.unwrap();
    }
    whole(b"12").await.unwrap();
    assert!(whole(b"1").await.is_err());
}

#[tokio::test]
async fn a_companys_storage_holds_what_it_may_and_no_byte_more() {
    let world = World::new().await;
    let small = quotas(Budget { storage_bytes: Some(10), ..Budget::default() });
    let small = world.company("small", small).await;
    let upload = async |bytes: &'static [u8]| {
        world.engine.upload_file(&small, "a.csv", None, Box::new(bytes)).await
    };
    upload(b"123456").await.unwrap();
    let refused = upload(b"12345").await.unwrap_err();
    let full = Error::StorageFull { limit_bytes: 10, used_bytes: 6 };
    assert_eq!(refused.to_string(), full.to_string());
    let refused = world.engine.deploy(&small, echo().zip().into()).await.unwrap_err();
    assert_eq!(refused.to_string(), full.to_string());
    upload(b"1234").await.unwrap();
    assert!(upload(b"1").await.is_err());
    let more = quotas(Budget { storage_bytes: Some(11), ..Budget::default() });
    world.engine.set_quotas(&world.admin, small.company, more).await.unwrap();
    upload(b"1").await.unwrap();
}

#[tokio::test]
async fn what_was_stored_before_there_was_a_bound_counts_towards_it() {
    let world = World::new().await;
    let daily = Budget { tasks_per_day: Some(10), ..Budget::default() };
    let company = world.company("daily", quotas(daily)).await;
    world.deploy(&company, &echo()).await;
    // Its tasks are counted from here on, its bytes not.
    world.submit(&company, "{}").await.unwrap();
    let upload =
        |bytes: &'static [u8]| world.engine.upload_file(&company, "a.csv", None, Box::new(bytes));
    upload(b"12345678").await.unwrap();
    let bound = quotas(Budget { storage_bytes: Some(10), ..daily });
    world.engine.set_quotas(&world.admin, company.company, bound).await.unwrap();
    assert!(upload(b"123").await.is_err());
    upload(b"12").await.unwrap();
}

#[tokio::test]
async fn a_caller_who_leaves_at_any_moment_takes_no_slot_with_them() {
    let world = World::with_echo().await;
    let hands = world.attach(1);
    // Large enough to be stored by themselves.
    let inputs = format!(r#"{{"text": "{}"}}"#, "x".repeat(200_000));
    for polls in 1..12 {
        let mut submitting = Box::pin(world.submit(&world.admin, &inputs));
        for _ in 0..polls {
            // A turn at a time, with room for threads that help.
            let turn = Duration::from_micros(300);
            if tokio::time::timeout(turn, &mut submitting).await.is_ok() {
                break;
            }
        }
        drop(submitting);
        // What got as far as its job goes on; else nothing runs.
        let mut started = Vec::new();
        let settled = async {
            loop {
                started.append(&mut hands.started());
                let depths = world.engine.queue(&world.admin).await.unwrap().depths;
                let running: u64 = depths.companies.iter().map(|company| company.running).sum();
                if running == started.len() as u64 {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        let settled = tokio::time::timeout(Duration::from_secs(10), settled).await;
        assert!(settled.is_ok(), "a slot is taken by nobody after {polls} turns");
        for work in started {
            world.finish(work, result("{}")).await;
        }
        while let Some(work) = world.next().await {
            world.finish(work, result("{}")).await;
        }
    }
}

#[tokio::test]
async fn inputs_and_timeouts_beyond_the_bounds_are_refused() {
    let limits =
        Limits { inputs_bytes: 10, timeout_s: 60, long_timeout_s: 60, ..Limits::default() };
    let world = World::bounded(limits).await;
    world.deploy(&world.admin, &echo()).await;
    let refused = world.submit(&world.admin, r#"{"n": 123456}"#).await.unwrap_err();
    assert!(matches!(refused, Error::TooLarge { what: "inputs", limit_bytes: 10 }), "{refused}");
    for timeout in [0.0, -1.0, 1e-320, 0.000_9, 60.5, f64::NAN, f64::INFINITY] {
        let submission = engine::Submission {
            inputs: "{}".into(),
            priority: Default::default(),
            timeout_s: Some(timeout),
            waits: false,
            origin: None,
        };
        let reference = "echo".parse().unwrap();
        let refused = world.engine.submit(&world.admin, &reference, submission).await.unwrap_err();
        let Error::Invalid(faults) = refused else { panic!("{timeout}: {refused}") };
        assert_eq!(faults[0].code, "timeout_out_of_range");
    }
}

#[tokio::test]
async fn a_server_that_closes_takes_nothing_new() {
    let world = World::with_echo().await;
    world.engine.close().await;
    let refused = world.submit(&world.admin, "{}").await.unwrap_err();
    assert!(matches!(refused, Error::ShuttingDown), "{refused}");
}
