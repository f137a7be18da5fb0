//! Idempotency keys: reserved, answered, given back, forgotten.

use std::time::Duration;

use store::idempotency::{KEPT, Key, Reservation};

use crate::world::{Tenant, World, digest};

on_every_backend! {
    a_key_is_answered_with_what_was_saved,
    another_request_under_a_key_is_told_so,
    a_reservation_that_was_never_answered_gives_way,
    a_key_that_was_given_back_is_new,
    a_key_is_forgotten_after_a_day,
    of_many_reservations_one_is_new,
}

const ABANDONED: Duration = Duration::from_secs(120);

fn key(tenant: &Tenant, name: &str, request: u8) -> Key {
    Key { user: tenant.user, key: name.to_owned(), request: digest(request) }
}

async fn reserve(world: &World, tenant: &Tenant, key: Key) -> Reservation {
    world.store.reserve(tenant.company, key, ABANDONED).await.unwrap()
}

async fn a_key_is_answered_with_what_was_saved(world: World) {
    let tenant = world.tenant("acme").await;
    let key = key(&tenant, "k", 1);
    assert_eq!(reserve(&world, &tenant, key.clone()).await, Reservation::New);
    assert_eq!(reserve(&world, &tenant, key.clone()).await, Reservation::InProgress);
    let body = b"{\"task_id\": 1}".to_vec();
    world.store.answer(tenant.company, key.clone(), 202, body.clone()).await.unwrap();
    let answered = Reservation::Answered { status: 202, body };
    assert_eq!(reserve(&world, &tenant, key.clone()).await, answered);
    world.store.release(tenant.company, key.clone()).await.unwrap();
    world.store.answer(tenant.company, key.clone(), 500, Vec::new()).await.unwrap();
    assert_eq!(reserve(&world, &tenant, key).await, answered, "an answer stands");
}

async fn another_request_under_a_key_is_told_so(world: World) {
    let tenant = world.tenant("acme").await;
    reserve(&world, &tenant, key(&tenant, "k", 1)).await;
    assert_eq!(reserve(&world, &tenant, key(&tenant, "k", 2)).await, Reservation::Mismatch);
    assert_eq!(reserve(&world, &tenant, key(&tenant, "other", 2)).await, Reservation::New);
    world.store.release(tenant.company, key(&tenant, "k", 2)).await.unwrap();
    world.store.answer(tenant.company, key(&tenant, "k", 2), 202, Vec::new()).await.unwrap();
    let first = reserve(&world, &tenant, key(&tenant, "k", 1)).await;
    assert_eq!(first, Reservation::InProgress, "only who reserved it touches it");
}

async fn a_reservation_that_was_never_answered_gives_way(world: World) {
    let tenant = world.tenant("acme").await;
    let key = key(&tenant, "k", 1);
    reserve(&world, &tenant, key.clone()).await;
    world.pass(ABANDONED - Duration::from_micros(1));
    assert_eq!(reserve(&world, &tenant, key.clone()).await, Reservation::InProgress);
    world.pass(Duration::from_micros(1));
    assert_eq!(reserve(&world, &tenant, key.clone()).await, Reservation::New);
    assert_eq!(reserve(&world, &tenant, key).await, Reservation::InProgress);
}

async fn a_key_that_was_given_back_is_new(world: World) {
    let tenant = world.tenant("acme").await;
    let key = key(&tenant, "k", 1);
    reserve(&world, &tenant, key.clone()).await;
    world.store.release(tenant.company, key.clone()).await.unwrap();
    assert_eq!(reserve(&world, &tenant, key).await, Reservation::New);
}

async fn a_key_is_forgotten_after_a_day(world: World) {
    let tenant = world.tenant("acme").await;
    for n in 0..30 {
        let key = key(&tenant, &format!("k{n}"), 1);
        reserve(&world, &tenant, key.clone()).await;
        world.store.answer(tenant.company, key, 202, Vec::new()).await.unwrap();
    }
    world.pass(KEPT);
    assert_eq!(reserve(&world, &tenant, key(&tenant, "k29", 2)).await, Reservation::New);
}

async fn of_many_reservations_one_is_new(world: World) {
    let tenant = world.tenant("acme").await;
    let mut reservations = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (store, company, key) = (world.store.clone(), tenant.company, key(&tenant, "k", 1));
        reservations.spawn(async move { store.reserve(company, key, ABANDONED).await.unwrap() });
    }
    let answers = reservations.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Reservation::New).count(), 1);
}
