//! No company reads or writes what is another's, by whatever id.

use std::time::Duration;

use domain::function::FunctionRef;
use domain::permission::Scopes;
use domain::task::State;
use domain::{CompanyId, Fault, Text, TokenId};
use store::Handle;
use store::accounts::Token;
use store::deployments::{Stage, Status};
use store::files::File;
use store::functions::Filter as FunctionFilter;
use store::idempotency::{Key, Reservation};
use store::tasks::{Cancelled, Filter, Finished, Lease};

use crate::world::{Tenant, World, claim, completed, digest, draft, new};

on_every_backend! { every_method_with_a_foreign_id_finds_nothing_and_changes_nothing }

/// Everything of a company that has an id.
struct Things {
    tenant: Tenant,
    token: Token,
    waiting: domain::TaskId,
    running: Lease,
    done: domain::TaskId,
    artifact: domain::ArtifactId,
    file: domain::FileId,
    deployment: domain::DeploymentId,
    key: Key,
}

async fn things(world: &World, name: &str, n: u8) -> Things {
    let tenant = world.tenant(name).await;
    let (company, user, store) = (tenant.company, tenant.user, &world.store);
    let token = Token {
        id: TokenId::new(),
        company,
        user,
        name: "laptop".to_owned(),
        secret_sha256: digest(n),
        prefix: None,
        scopes: Scopes::ALL,
        created_at: world.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    store.create_token(token.clone(), None).await.unwrap();
    let waiting = world.queue(&tenant).await;
    let running = world.start(&tenant).await;
    let mut done = new(world.task(&tenant), None);
    done.cache_key = Some(digest(50));
    store.submit(done.clone()).await.unwrap();
    let lease = world.claim(&tenant, done.task.id, 1).await;
    let mut ending = completed("1");
    ending.artifacts = vec![crate::files::artifact("plot.png")];
    let artifact = ending.artifacts[0].id;
    store.finish(lease, ending).await.unwrap();
    let file = File {
        company,
        id: domain::FileId::new(),
        user,
        name: "a.csv".to_owned(),
        media_type: "text/csv".to_owned(),
        bytes: 1,
        digest: digest(n),
        created_at: world.now(),
    };
    store.create_file(file.clone()).await.unwrap();
    let deployment = world.deployment(company, user).await;
    let key = Key { user, key: "k".to_owned(), request: digest(n) };
    let reserved = store.reserve(company, key.clone(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(reserved, Reservation::New);
    Things {
        tenant,
        token,
        waiting,
        running,
        done: done.task.id,
        artifact,
        file: file.id,
        deployment,
        key,
    }
}

async fn every_method_with_a_foreign_id_finds_nothing_and_changes_nothing(world: World) {
    let theirs = things(&world, "theirs", 1).await;
    let mine = things(&world, "mine", 2).await;
    let stranger = world.company("stranger").await;
    let before = snapshot(&world.store, &theirs).await;
    for company in [mine.tenant.company, stranger] {
        reads(&world, company, &theirs).await;
        writes(&world, company, &theirs).await;
    }
    assert_eq!(snapshot(&world.store, &theirs).await, before, "something of theirs changed");
    // The same calls by the owner do find everything: the ids were right.
    let (store, company) = (&world.store, theirs.tenant.company);
    assert!(store.file(company, theirs.file).await.unwrap().is_some());
    assert!(store.artifact(company, theirs.artifact).await.unwrap().is_some());
    assert!(store.inputs(company, theirs.waiting).await.unwrap().is_some());
    let key = digest(50);
    let found = store.cached_result(company, theirs.tenant.version.id, key, domain::Timestamp(0));
    assert!(found.await.unwrap().is_some());
    let finished = store.finish(theirs.running, completed("1")).await.unwrap();
    assert_eq!(finished, Finished::Stored(State::Completed));
    assert_eq!(store.cancel(company, theirs.waiting).await.unwrap(), Cancelled::Done);
    assert!(store.delete_task(company, theirs.done).await.unwrap());
    assert!(store.revoke_token(company, theirs.token.id, None).await.unwrap());
    assert!(store.remove_member(company, theirs.tenant.user, None).await.unwrap());
    assert!(store.delete_function(company, theirs.tenant.version.function, None).await.unwrap());
}

/// All that can be read of a company, as one text to compare.
async fn snapshot(store: &Handle, things: &Things) -> String {
    let company = things.tenant.company;
    let tasks = store.tasks(company, Filter::default(), None, 100).await.unwrap();
    let functions = store.functions(company, FunctionFilter::default(), None, 100).await.unwrap();
    let events = store.events_after(company, None, 0, 1000).await.unwrap();
    let tokens = store.tokens(company, things.tenant.user).await.unwrap();
    let members = store.members(company).await.unwrap();
    let deployment = store.deployment(company, things.deployment).await.unwrap();
    let artifacts = store.artifacts(company, things.done).await.unwrap();
    format!(
        "{tasks:#?}{functions:#?}{events:#?}{tokens:#?}{members:#?}{deployment:#?}{artifacts:#?}"
    )
}

async fn reads(world: &World, company: CompanyId, theirs: &Things) {
    let store = &world.store;
    let (version, user) = (&theirs.tenant.version, theirs.tenant.user);
    for id in [theirs.waiting, theirs.running.task, theirs.done] {
        assert!(store.task(company, id).await.unwrap().is_none());
        assert!(store.inputs(company, id).await.unwrap().is_none());
        assert!(store.artifacts(company, id).await.unwrap().is_empty());
        assert!(store.events_after(company, Some(id.0), 0, 10).await.unwrap().is_empty());
    }
    assert!(store.artifact(company, theirs.artifact).await.unwrap().is_none());
    assert!(store.file(company, theirs.file).await.unwrap().is_none());
    assert!(store.version(company, version.id).await.unwrap().is_none());
    let by_id = FunctionRef::Id(version.function);
    assert!(store.resolve(company, &by_id).await.unwrap().is_none());
    let named: FunctionRef = format!("{}:other", theirs.tenant.name).parse().unwrap();
    assert!(store.resolve(company, &named).await.unwrap().is_none());
    let versions = store.versions(company, version.function, None, 10).await.unwrap();
    assert!(versions.items.is_empty());
    assert!(store.recent_durations_ms(company, version.id, 5).await.unwrap().is_empty());
    let since = domain::Timestamp(0);
    let cached = store.cached_result(company, version.id, digest(50), since).await.unwrap();
    assert!(cached.is_none());
    assert!(store.deployment(company, theirs.deployment).await.unwrap().is_none());
    assert!(store.tokens(company, user).await.unwrap().is_empty());
    assert!(store.members(company).await.unwrap().iter().all(|member| member.user != user));
    for filter in [
        Filter { function: Some(version.function), ..Filter::default() },
        Filter { user: Some(user), ..Filter::default() },
    ] {
        assert!(store.tasks(company, filter, None, 10).await.unwrap().items.is_empty());
    }
}

async fn writes(world: &World, company: CompanyId, theirs: &Things) {
    let store = &world.store;
    let (version, user) = (&theirs.tenant.version, theirs.tenant.user);
    assert!(store.claim(company, theirs.waiting, claim(1)).await.unwrap().is_none());
    let lease = Lease { company, ..theirs.running };
    assert_eq!(store.finish(lease, completed("0")).await.unwrap(), Finished::Fenced);
    let lost = store.renew(vec![lease], Duration::from_secs(60)).await.unwrap();
    assert_eq!(lost, [lease]);
    for id in [theirs.waiting, theirs.running.task, theirs.done] {
        assert_eq!(store.cancel(company, id).await.unwrap(), Cancelled::NotFound);
        assert!(!store.delete_task(company, id).await.unwrap());
    }
    assert!(!store.delete_function(company, version.function, None).await.unwrap());
    assert!(!store.revoke_token(company, theirs.token.id, None).await.unwrap());
    assert!(!store.remove_member(company, user, None).await.unwrap());
    let stage = Stage {
        name: "archive".to_owned(),
        started_at: world.now(),
        duration_ms: None,
        faults: Vec::new(),
        tests: None,
    };
    store.put_stage(company, theirs.deployment, None, stage).await.unwrap();
    let faults = vec![Fault::error("x", Text::same("x"))];
    store.fail_deployment(company, theirs.deployment, faults).await.unwrap();
    let draft = draft(company, user, "bolt", None, 77);
    assert!(store.publish(company, theirs.deployment, draft).await.is_err());
    // A row of one company cannot point at another's version, user or task.
    let mut task = world.task(&theirs.tenant);
    task.company = company;
    assert!(store.submit(new(task, None)).await.is_err());
    let token =
        Token { company, id: TokenId::new(), secret_sha256: digest(66), ..theirs.token.clone() };
    assert!(store.create_token(token, None).await.is_err());
    // The same key of the same user is another one in another company.
    let key = theirs.key.clone();
    store.release(company, key.clone()).await.unwrap();
    store.answer(company, key.clone(), 200, Vec::new()).await.unwrap();
    let own = store.reserve(theirs.tenant.company, key, Duration::from_secs(60)).await.unwrap();
    assert_eq!(own, Reservation::InProgress);
    let deployment = store.deployment(theirs.tenant.company, theirs.deployment).await.unwrap();
    assert_eq!(deployment.unwrap().status, Status::Running);
}
