//! Deployments: their stages, and publishing in one transaction.

use std::time::Duration;

use domain::function::FunctionRef;
use domain::{DeploymentId, Fault, FunctionId, Text, WorkerId};
use store::deployments::{Deployment, Published, Source, Stage, Status};

use crate::functions::deploy;
use crate::world::{World, draft};

on_every_backend! {
    stages_are_entered_and_updated,
    a_published_version_ends_its_deployment,
    the_next_number_is_given_where_none_is_asked_for,
    the_same_content_is_the_same_version,
    another_content_under_a_number_is_refused,
    a_failed_deployment_frees_its_number,
    of_two_deployments_at_once_one_gets_the_number,
    a_deployment_that_ended_cannot_be_published_again,
    what_a_crash_cut_off_is_found,
    a_deployment_is_in_the_hands_of_one_worker_until_its_lease_ends,
    deployed_content_is_known_by_the_functions_name,
    ad_hoc_code_is_kept_once_and_shown_nowhere,
    a_repository_is_kept_with_the_deployment_and_the_version_that_it_made,
}

fn stage(name: &str, duration_ms: Option<f64>, world: &World) -> Stage {
    Stage {
        name: name.to_owned(),
        started_at: world.now(),
        duration_ms,
        faults: Vec::new(),
        tests: None,
    }
}

async fn stages_are_entered_and_updated(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, store) = (tenant.company, &world.store);
    let id = world.deployment(company, tenant.user).await;
    let name = Some("bolt".to_owned());
    for (name, stage) in [
        (None, stage("archive", None, &world)),
        (name, stage("archive", Some(0.1), &world)),
        (None, stage("environment", None, &world)),
    ] {
        store.put_stage(company, id, name, stage).await.unwrap();
    }
    let deployment = store.deployment(company, id).await.unwrap().unwrap();
    assert_eq!(deployment.name.as_deref(), Some("bolt"));
    let expected = [stage("archive", Some(0.1), &world), stage("environment", None, &world)];
    assert_eq!(deployment.stages, expected);
    assert_eq!(world.told(&tenant, id.0).await, ["deployment.stage"; 3]);
    store.put_stage(company, DeploymentId::new(), None, expected[0].clone()).await.unwrap();
}

async fn a_repository_is_kept_with_the_deployment_and_the_version_that_it_made(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, store) = (tenant.company, &world.store);
    assert_eq!(tenant.version.source, None);
    let source = Source {
        url: "https://example.com/f.git".to_owned(),
        reference: Some("main".to_owned()),
        commit: "1".repeat(40),
        path: None,
    };
    let by_zip = store.deployment(company, tenant.version.deployment).await.unwrap().unwrap();
    assert_eq!(by_zip.source, None);
    let by_git = Deployment {
        id: DeploymentId::new(),
        status: Status::Running,
        version: None,
        source: Some(source.clone()),
        ..by_zip
    };
    let id = by_git.id;
    store.create_deployment(by_git, None).await.unwrap();
    let found = store.deployment(company, id).await.unwrap().unwrap();
    assert_eq!(found.source, Some(source.clone()));
    let mut draft = draft(company, tenant.user, "beam", Some("1.0.0"), 2);
    draft.version.source = Some(source.clone());
    store.publish(company, id, draft).await.unwrap();
    let reference = FunctionRef::Name { company: None, name: "beam".to_owned(), version: None };
    let version = store.resolve(company, &reference).await.unwrap().unwrap();
    assert_eq!(version.source, Some(source));
    let first = store.version(company, tenant.version.id).await.unwrap().unwrap();
    assert_eq!(first.source, None);
}

async fn a_published_version_ends_its_deployment(world: World) {
    let tenant = world.tenant("acme").await;
    let version = &tenant.version;
    let found = world.store.deployment(tenant.company, version.deployment).await.unwrap();
    let deployment = found.unwrap();
    assert_eq!(deployment.status, Status::Deployed);
    assert_eq!(deployment.version, Some(version.id));
    assert_eq!(deployment.function, Some(version.function));
    assert_eq!(deployment.number.as_ref(), Some(&version.version));
    assert_eq!(deployment.completed_at, Some(world.now()));
    assert_eq!(world.told(&tenant, version.deployment.0).await, ["deployment.deployed"]);
}

async fn the_next_number_is_given_where_none_is_asked_for(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, user) = (tenant.company, tenant.user);
    let next = async |name, asked, content| {
        deploy(&world, company, user, name, asked, content).await.version.to_string()
    };
    assert_eq!(next("nut", None, 2).await, "0.1.0");
    assert_eq!(next("nut", None, 3).await, "0.1.1");
    assert_eq!(next("nut", Some("2.0.0-rc.1"), 4).await, "2.0.0-rc.1");
    assert_eq!(next("nut", None, 5).await, "0.1.2");
    assert_eq!(next("bolt", None, 6).await, "1.0.1");
}

async fn the_same_content_is_the_same_version(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, user) = (tenant.company, tenant.user);
    for number in [Some("1.0.0"), None] {
        let id = world.deployment(company, user).await;
        let draft = draft(company, user, "bolt", number, 1);
        let published = world.store.publish(company, id, draft).await.unwrap();
        assert_eq!(published, Published::Same(tenant.version.clone()));
        let deployment = world.store.deployment(company, id).await.unwrap().unwrap();
        assert_eq!(deployment.status, Status::Deployed);
        assert_eq!(deployment.version, Some(tenant.version.id));
    }
    let elsewhere = deploy(&world, company, user, "nut", None, 1).await;
    assert_ne!(elsewhere.function, tenant.version.function, "another name, another function");
}

async fn another_content_under_a_number_is_refused(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, user) = (tenant.company, tenant.user);
    let id = world.deployment(company, user).await;
    let draft = draft(company, user, "bolt", Some("1.0.0"), 2);
    let published = world.store.publish(company, id, draft).await.unwrap();
    assert_eq!(published, Published::NumberTaken(tenant.version.clone()));
    let deployment = world.store.deployment(company, id).await.unwrap().unwrap();
    assert_eq!(deployment.status, Status::Running);
    let listed = world.store.versions(company, tenant.version.function, None, 10).await.unwrap();
    assert_eq!(listed.items, [tenant.version]);
}

async fn a_failed_deployment_frees_its_number(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, user) = (tenant.company, tenant.user);
    let failing = world.deployment(company, user).await;
    let faults = vec![Fault::error("test_case_failed", Text::new("no", "non"))];
    world.store.fail_deployment(company, failing, faults.clone()).await.unwrap();
    world.store.fail_deployment(company, failing, Vec::new()).await.unwrap();
    let deployment = world.store.deployment(company, failing).await.unwrap().unwrap();
    assert_eq!((deployment.status, deployment.faults), (Status::Failed, faults));
    assert_eq!(deployment.completed_at, Some(world.now()));
    assert_eq!(world.told(&tenant, failing.0).await, ["deployment.failed"], "once");
    let version = deploy(&world, company, user, "bolt", Some("1.1.0"), 3).await;
    assert_eq!(version.version.to_string(), "1.1.0");
}

async fn of_two_deployments_at_once_one_gets_the_number(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, user) = (tenant.company, tenant.user);
    let mut publishing = tokio::task::JoinSet::new();
    for content in 10..30 {
        let id = world.deployment(company, user).await;
        let (store, asked) = (world.store.clone(), content % 2 == 0);
        let draft = draft(company, user, "nut", asked.then_some("0.1.0"), content);
        publishing.spawn(async move { store.publish(company, id, draft).await.unwrap() });
    }
    let published = publishing.join_all().await;
    let mut numbers: Vec<_> = published
        .iter()
        .filter_map(|published| match published {
            Published::New(version) => Some(version.version.to_string()),
            Published::Same(_) | Published::NumberTaken(_) => None,
        })
        .collect();
    let stored = numbers.len();
    assert!(stored >= 10, "those that ask for no number all get one");
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), stored, "no number was given twice");
}

async fn a_deployment_that_ended_cannot_be_published_again(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, user) = (tenant.company, tenant.user);
    let draft = draft(company, user, "bolt", Some("1.2.0"), 5);
    let ended = tenant.version.deployment;
    let again = world.store.publish(company, ended, draft).await;
    assert!(again.unwrap_err().to_string().contains("has ended"));
    let stage = stage("tests", None, &world);
    world.store.put_stage(company, ended, None, stage).await.unwrap();
    let deployment = world.store.deployment(company, ended).await.unwrap().unwrap();
    assert!(deployment.stages.is_empty());
}

async fn what_a_crash_cut_off_is_found(world: World) {
    let tenant = world.tenant("acme").await;
    let open = world.deployment(tenant.company, tenant.user).await;
    assert_eq!(world.store.open_deployments().await.unwrap(), [(tenant.company, open)]);
    world.store.fail_deployment(tenant.company, open, Vec::new()).await.unwrap();
    assert!(world.store.open_deployments().await.unwrap().is_empty());
}

async fn a_deployment_is_in_the_hands_of_one_worker_until_its_lease_ends(world: World) {
    let tenant = world.tenant("acme").await;
    let (first, second) = (WorkerId::new(), WorkerId::new());
    let lease = Duration::from_secs(10);
    let claim = async |worker| world.store.claim_deployments(worker, lease, 8).await.unwrap();
    let open = (tenant.company, world.deployment(tenant.company, tenant.user).await);
    assert_eq!(claim(first).await, [open]);
    assert!(claim(second).await.is_empty());
    // Renewed in time, it stays where it is.
    world.pass(Duration::from_secs(8));
    assert_eq!(world.store.renew_deployments(first, lease).await.unwrap(), 1);
    world.pass(Duration::from_secs(8));
    assert!(claim(second).await.is_empty());
    // A worker that died does not renew.
    world.pass(Duration::from_secs(3));
    assert_eq!(claim(second).await, [open]);
    assert_eq!(world.store.renew_deployments(first, lease).await.unwrap(), 0);
    // One that stops gives back what it has in hand.
    assert_eq!(world.store.renew_deployments(second, Duration::ZERO).await.unwrap(), 1);
    assert_eq!(claim(first).await, [open]);
    world.store.fail_deployment(open.0, open.1, Vec::new()).await.unwrap();
    world.pass(Duration::from_secs(60));
    assert!(claim(second).await.is_empty());
    assert_eq!(world.store.renew_deployments(first, lease).await.unwrap(), 0);
}

async fn deployed_content_is_known_by_the_functions_name(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, version) = (tenant.company, &tenant.version);
    let is_deployed = async |company, name: &str, archive| {
        world.store.is_deployed(company, name.to_owned(), archive).await.unwrap()
    };
    assert!(is_deployed(company, "bolt", version.archive).await);
    assert!(!is_deployed(company, "nut", version.archive).await);
    assert!(!is_deployed(company, "bolt", crate::world::digest(99)).await);
    let other = world.tenant("other").await;
    assert!(!is_deployed(other.company, "bolt", crate::world::digest(98)).await);
    world.store.delete_function(company, version.function, None).await.unwrap();
    assert!(!is_deployed(company, "bolt", version.archive).await, "a deleted one is none");
}

async fn ad_hoc_code_is_kept_once_and_shown_nowhere(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, user, store) = (tenant.company, tenant.user, &world.store);
    let code = |content: u8, number: &str| {
        let mut version = draft(company, user, "ad-hoc", None, content).version;
        version.function = FunctionId::AD_HOC;
        version.deployment = DeploymentId::new();
        version.version = number.parse().unwrap();
        version
    };
    let first = code(70, "0.0.0-x1");
    assert_eq!(store.code(company, first.archive).await.unwrap(), None);
    assert_eq!(store.keep_code(first.clone()).await.unwrap(), first.id);
    assert_eq!(store.keep_code(code(70, "0.0.0-x1")).await.unwrap(), first.id, "once");
    let second = code(71, "0.0.0-x2");
    assert_eq!(store.keep_code(second.clone()).await.unwrap(), second.id);
    assert_eq!(store.code(company, first.archive).await.unwrap(), Some(first.id));
    let kept = store.version(company, first.id).await.unwrap().unwrap();
    assert_eq!((kept.lock, kept.manifest), (first.lock, first.manifest));
    let deployment = store.deployment(company, first.deployment).await.unwrap().unwrap();
    assert_eq!((deployment.status, deployment.version), (Status::Deployed, Some(first.id)));

    let listed = store.functions(company, Default::default(), None, 10).await.unwrap();
    assert_eq!(listed.items.len(), 1, "only the deployed function");
    let page = store.functions(company, Default::default(), None, 1).await.unwrap();
    assert!(page.next.is_none(), "and no page is promised for it");
    for reference in [
        FunctionRef::Id(FunctionId::AD_HOC),
        FunctionRef::Name { company: None, name: "ad-hoc".to_owned(), version: None },
    ] {
        assert_eq!(store.resolve(company, &reference).await.unwrap(), None);
    }
    let other = world.tenant("other").await;
    assert_eq!(store.code(other.company, first.archive).await.unwrap(), None);
}
