//! A process that is killed while it writes loses nothing it was told is
//! stored.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use domain::clock::System;
use domain::event::Kind;
use domain::task::State;
use domain::{TaskId, WorkerId};
use store::tasks::{Filter, Lease, ResultRef};
use store::{Handle, sqlite};

use crate::world::{Tenant, World, claim, completed, new};

/// Tells this test binary that it is the process to be killed, and where its
/// database lies.
const CHILD: &str = "STORE_CRASH_TEST_DATABASE";
const ROUNDS: usize = 12;
const WRITERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_until_killed(Path::new(&path)).await;
    }
    let world = World::on_sqlite();
    let tenant = world.tenant("acme").await;
    world.store.close().await;
    let path = world.path().to_owned();
    let mut acknowledged = BTreeMap::new();
    for _ in 0..ROUNDS {
        run_and_kill(&path, &mut acknowledged);
        let store = open(&path);
        check(&store, &tenant, &acknowledged).await;
        // As an embedded server does at its start.
        store.reap_all_but(WorkerId::new()).await.unwrap();
        store.close().await;
    }
    let finished = acknowledged.values().filter(|finished| **finished).count();
    assert!(finished > ROUNDS, "too little was written to have proved anything");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

fn open(path: &Path) -> Handle {
    sqlite::open(path, Arc::new(System), sqlite::Options::default()).unwrap()
}

/// Starts the child, reads what it acknowledges, kills it after a random
/// number of lines, and reads what it still had said.
fn run_and_kill(path: &Path, acknowledged: &mut BTreeMap<TaskId, bool>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("crash::what_was_acknowledged_survives_a_kill_at_any_moment")
        .env(CHILD, path)
        // What it leaves behind goes with the database.
        .env("TMPDIR", path.parent().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let kill_after = uuid::Uuid::new_v4().as_u128() % 400 + 1;
    let mut seen = 0;
    for line in lines {
        let line = line.unwrap();
        if let Some(id) = line.strip_prefix("accepted ") {
            acknowledged.insert(id.parse().unwrap(), false);
        } else if let Some(id) = line.strip_prefix("finished ") {
            acknowledged.insert(id.parse().unwrap(), true);
        } else {
            continue;
        }
        seen += 1;
        if seen == kill_after {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= kill_after, "the child ended by itself after {seen} writes");
}

async fn check(store: &Handle, tenant: &Tenant, acknowledged: &BTreeMap<TaskId, bool>) {
    let events = store.events_after(tenant.company, None, 0, u32::MAX).await.unwrap();
    let mut completions = BTreeMap::<TaskId, usize>::new();
    for (at, event) in (1..).zip(&events) {
        assert_eq!(event.seq, at, "the company's events have a gap");
        if event.kind == Kind::TaskCompleted {
            *completions.entry(TaskId(event.resource)).or_default() += 1;
        }
    }
    assert!(completions.values().all(|count| *count == 1), "a task completed twice");
    for (id, finished) in acknowledged {
        let task = store.task(tenant.company, *id).await.unwrap();
        let task = task.unwrap_or_else(|| panic!("the accepted task {id} is lost"));
        if *finished {
            assert_eq!(task.state, State::Completed, "the finished task {id} is not completed");
            assert_eq!(task.result, Some(ResultRef::Inline(id.to_string().into_bytes())));
            assert_eq!(completions.get(id), Some(&1));
        }
    }
    let mut listed = 0;
    let mut after = None;
    loop {
        let page = store.tasks(tenant.company, Filter::default(), after, 1000).await.unwrap();
        for task in &page.items {
            let completed = task.state == State::Completed;
            assert_eq!(completions.contains_key(&task.id), completed, "state and events differ");
        }
        listed += page.items.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // What was on its way may be there or not, but nothing is there twice.
    assert!(listed >= acknowledged.len());
}

/// Submits and finishes tasks, and says so once the store has answered.
#[expect(clippy::print_stdout, reason = "the parent reads what was acknowledged")]
async fn write_until_killed(path: &Path) {
    // Ends the line on which the test harness names this test.
    println!();
    let store = open(path);
    let world = World::on_sqlite();
    let company = store.company_named("acme").await.unwrap().unwrap();
    let reference = "bolt".parse().unwrap();
    let version = store.resolve(company.id, &reference).await.unwrap().unwrap();
    let user = version.created_by;
    let tenant = Tenant { company: company.id, name: company.name, user, version };
    let world = Arc::new(world);
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (store, tenant, world) = (Arc::clone(&store), tenant.clone(), Arc::clone(&world));
        writers.spawn(async move {
            loop {
                let (task, claim) = (world.task(&tenant), claim(1));
                let id = task.id;
                store.submit(new(task, Some(claim))).await.unwrap();
                println!("accepted {id}");
                let lease =
                    Lease { company: tenant.company, task: id, attempt: 1, token: claim.token };
                store.finish(lease, completed(&id.to_string())).await.unwrap();
                println!("finished {id}");
            }
        });
    }
    writers.join_all().await;
}
