//! What is refused, and by whose bound.

use domain::limits::Limits;
use engine::Error;
use engine::companies::Quotas;

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

#[tokio::test]
async fn inputs_and_timeouts_beyond_the_bounds_are_refused() {
    let limits =
        Limits { inputs_bytes: 10, timeout_s: 60, long_timeout_s: 60, ..Limits::default() };
    let world = World::bounded(limits).await;
    world.deploy(&world.admin, &echo()).await;
    let refused = world.submit(&world.admin, r#"{"n": 123456}"#).await.unwrap_err();
    assert!(matches!(refused, Error::TooLarge { what: "inputs", limit_bytes: 10 }), "{refused}");
    for timeout in [0.0, -1.0, 60.5, f64::NAN, f64::INFINITY] {
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
