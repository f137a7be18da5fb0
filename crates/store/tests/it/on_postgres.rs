//! What only a PostgreSQL server has: connections that break, a clock of its
//! own, other processes.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::{Clock, Manual, System};
use domain::task::State;
use domain::{TaskId, Timestamp};
use store::migrate::POSTGRES;
use store::postgres::{self, Options};
use store::tasks::{Cancelled, Claim, Finished, Lease};
use store::{Error, Handle};
use test_support::postgres::Postgres;

use crate::world::{START, Tenant, World, by_hand, claim, completed, database, new};

/// Ends every other connection of the database, as an operator or a proxy may.
const END_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

async fn open(url: &str, options: Options) -> Result<Handle, Error> {
    postgres::open(url, Arc::new(Manual::at(START)), options).await
}

async fn refused(url: &str) -> String {
    let Err(error) = open(url, by_hand()).await.map(drop) else { panic!("{url} was opened") };
    error.to_string()
}

#[tokio::test]
async fn a_connection_that_is_lost_between_statements_loses_nothing() {
    let world = World::on_postgres().await;
    let tenant = world.tenant("acme").await;
    let task = world.queue(&tenant).await;
    world.execute(END_ALL);
    assert_eq!(world.read(&tenant, task).await.state, State::Queued);
    world.execute(END_ALL);
    let lease = world.claim(&tenant, task, 1).await;
    world.execute(END_ALL);
    assert_eq!(world.store.queued(None, 10).await.unwrap().len(), 0);
    world.execute(END_ALL);
    let finished = world.store.finish(lease, completed("1")).await.unwrap();
    assert_eq!(finished, Finished::Stored(State::Completed));
    let told = world.told(&tenant, task.0).await;
    assert_eq!(told, ["task.queued", "task.running", "task.completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_waits_for_a_server_that_starts_again_and_is_done() {
    let mut server = Postgres::start().unwrap();
    let world = World::at(server.url(), by_hand()).await;
    let tenant = world.tenant("acme").await;
    let before = world.queue(&tenant).await;
    server.stop().unwrap();
    let during = world.task(&tenant);
    let mut waiting = tokio::task::JoinSet::new();
    let (store, task) = (Arc::clone(&world.store), during.clone());
    waiting.spawn(async move { store.submit(new(task, None)).await.unwrap() });
    let (store, company) = (Arc::clone(&world.store), tenant.company);
    waiting.spawn(async move {
        assert_eq!(store.task(company, before).await.unwrap().unwrap().id, before);
    });
    server.start_again().unwrap();
    waiting.join_all().await;
    assert_eq!(world.read(&tenant, during.id).await, during);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_is_told_of_and_the_next_write_after_it_works() {
    let mut server = Postgres::start().unwrap();
    let options = Options { patience: Duration::ZERO, ..by_hand() };
    let world = World::at(server.url(), options).await;
    let tenant = world.tenant("acme").await;
    server.stop().unwrap();
    let task = world.task(&tenant);
    let submitted = world.store.submit(new(task.clone(), None)).await;
    let message = submitted.unwrap_err().to_string();
    assert!(message.contains("accept a task: PostgreSQL can't be reached"), "{message}");
    assert!(world.store.ping().await.is_err());
    server.start_again().unwrap();
    world.store.submit(new(task, None)).await.unwrap();
    world.store.ping().await.unwrap();
}

#[tokio::test]
async fn whoever_is_not_let_in_reads_why_and_never_the_password() {
    let server = Postgres::start().unwrap();
    server.psql("CREATE ROLE locked LOGIN PASSWORD 'right'").unwrap();
    server.ask_password_of("locked").unwrap();
    let of = |user: &str, database: &str| {
        let url = server.url_of(database);
        url.replace("user=postgres", &format!("user={user}&password=hunter2"))
    };
    for (url, expected) in [
        (of("locked", "postgres"), "password authentication failed for user \"locked\" (28P01)"),
        (of("postgres", "nothing"), "database \"nothing\" does not exist (3D000)"),
        ("postgresql://me:hunter2@127.0.0.1:1/db".to_owned(), "PostgreSQL can't be reached"),
        ("postgresql://me:hunter2@h:port/db".to_owned(), "a URL of PostgreSQL that can't be read"),
        (of("locked", "postgres") + "&sslmode=maybe", "a URL of PostgreSQL that can't be read"),
    ] {
        let message = refused(&url).await;
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let right = of("locked", "postgres").replace("hunter2", "right");
    let message = refused(&right).await;
    assert!(message.contains("permission denied for schema public"), "{message}");
}

#[tokio::test]
async fn of_two_processes_that_start_at_once_one_migrates() {
    let url = database();
    let strict = Options { migrate: false, ..by_hand() };
    let Err(error) = open(&url, strict).await.map(drop) else { panic!("it was opened") };
    assert!(error.to_string().contains("run `mecapy migrate`"), "{error}");
    let (one, other) = tokio::join!(open(&url, by_hand()), open(&url, by_hand()));
    one.unwrap().ping().await.unwrap();
    other.unwrap().ping().await.unwrap();
    let applied = postgres::status(&url).await.unwrap();
    assert_eq!(applied.len(), POSTGRES.len());
    open(&url, strict).await.unwrap().ping().await.unwrap();
}

/// One life of a task through stores that know nothing of each other; answers
/// how many events tell of it.
async fn live(stores: &[Handle; 2], tenant: &Tenant, id: TaskId, n: usize) -> usize {
    let (one, other) = (&stores[n % 2], &stores[(n + 1) % 2]);
    let claim: Claim = claim(1);
    let lease = Lease { company: tenant.company, task: id, attempt: 1, token: claim.token };
    if n.is_multiple_of(7) {
        assert_eq!(one.cancel(tenant.company, id).await.unwrap(), Cancelled::Done);
        assert!(other.claim(tenant.company, id, claim).await.unwrap().is_none());
        return 2;
    }
    assert!(one.claim(tenant.company, id, claim).await.unwrap().is_some());
    let lost = other.renew(vec![lease], Duration::from_mins(5)).await.unwrap();
    assert!(lost.is_empty(), "{lost:?}");
    let finished = other.finish(lease, completed("1")).await.unwrap();
    assert_eq!(finished, Finished::Stored(State::Completed));
    assert_eq!(one.finish(lease, completed("2")).await.unwrap(), Finished::Fenced);
    3
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_write_for_several_companies_without_a_deadlock_or_a_gap() {
    const LIVES: usize = 480;
    let world = Arc::new(World::on_postgres().await);
    let mut tenants = Vec::new();
    for name in ["acme", "bolt", "crane", "dowel"] {
        tenants.push(world.tenant(name).await);
    }
    let tenants = Arc::new(tenants);
    let stores = Arc::new([Arc::clone(&world.store), world.beside().await]);
    let mut all = tokio::task::JoinSet::new();
    for n in 0..LIVES {
        let (world, both, tenants) =
            (Arc::clone(&world), Arc::clone(&stores), Arc::clone(&tenants));
        all.spawn(async move {
            let at = n % tenants.len();
            let task = world.task(&tenants[at]);
            both[n % 2].submit(new(task.clone(), None)).await.unwrap();
            (at, live(&both, &tenants[at], task.id, n / 4).await)
        });
        if n % 16 == 0 {
            // Leases of several companies at once, and the reaper between them.
            let stores = Arc::clone(&stores);
            all.spawn(async move {
                assert!(stores[n / 16 % 2].reap(100).await.unwrap().is_empty());
                (0, 0)
            });
        }
    }
    let mut expected = vec![0; tenants.len()];
    while let Some(lived) = all.join_next().await {
        let (at, events) = lived.unwrap();
        expected[at] += events;
    }
    for (tenant, expected) in tenants.iter().zip(expected) {
        let events = world.store.events_after(tenant.company, None, 0, 100_000).await.unwrap();
        let gap = (1..).zip(&events).find(|(at, event)| event.seq != *at);
        assert!(gap.is_none(), "{gap:?}");
        let of_tasks = events.iter().filter(|event| event.kind.as_str().starts_with("task."));
        assert_eq!(of_tasks.count(), expected);
    }
    let counts = world.store.counts().await.unwrap();
    let ended = |state| counts.iter().find(|(of, _)| *of == state).unwrap().1;
    assert_eq!(ended(State::Completed) + ended(State::Cancelled), LIVES as u64);
}

/// Two stores on one database whose machines' clocks are ten minutes apart.
async fn with_wrong_clocks() -> (World, [Handle; 2], Manual) {
    let world = World::on_postgres().await;
    let now = System.now();
    let ahead = Manual::at(now.after(Duration::from_mins(5)));
    let behind = Manual::at(now.before(Duration::from_mins(5)));
    let open = async |clock: &Manual| {
        let clock = Arc::new(clock.clone());
        postgres::open(world.url(), clock, Options::default()).await.unwrap()
    };
    let stores = [open(&ahead).await, open(&behind).await];
    (world, stores, behind)
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

#[tokio::test]
async fn a_process_whose_clock_is_wrong_neither_loses_nor_steals_leases() {
    let (world, stores, _) = with_wrong_clocks().await;
    let tenant = world.tenant("acme").await;
    let now = System.now();
    for (one, other) in [(&stores[0], &stores[1]), (&stores[1], &stores[0])] {
        assert!(apart(one.clock().now(), now) < Duration::from_secs(5));
        let mut task = world.task(&tenant);
        task.available_at = one.clock().now();
        one.submit(new(task.clone(), None)).await.unwrap();
        let lease = Duration::from_mins(1);
        let claim = Claim { lease, ..claim(1) };
        // The clock of a manual store stands between two measurements.
        let claimed = loop {
            if let Some((claimed, _)) = other.claim(tenant.company, task.id, claim).await.unwrap() {
                break claimed;
            }
            assert!(apart(task.available_at, System.now()) < Duration::from_secs(5));
        };
        assert!(apart(claimed.started_at.unwrap(), now) < Duration::from_secs(5));
        assert!(one.reap(10).await.unwrap().is_empty(), "a lease was stolen");
        assert!(other.reap(10).await.unwrap().is_empty(), "a lease was lost");
        let held = Lease { company: tenant.company, task: task.id, attempt: 1, token: claim.token };
        assert!(one.renew(vec![held], Duration::ZERO).await.unwrap().is_empty());
        let reaped = loop {
            let reaped = other.reap(10).await.unwrap();
            if !reaped.is_empty() {
                break reaped;
            }
        };
        assert_eq!(reaped[0].lease, held);
        world.store.cancel(tenant.company, task.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_clock_that_is_set_while_the_process_runs_is_seen_at_the_next_statement() {
    let (_world, [_, store], clock) = with_wrong_clocks().await;
    clock.advance(Duration::from_mins(30));
    store.ping().await.unwrap();
    assert!(apart(store.clock().now(), System.now()) < Duration::from_secs(5));
}
