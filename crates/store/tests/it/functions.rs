//! Functions and versions: found, listed, deleted.

use std::time::Duration;

use domain::function::FunctionRef;
use domain::{CompanyId, FunctionId, UserId};
use store::Cursor;
use store::deployments::Published;
use store::functions::{Filter, Version};

use crate::world::{World, completed, draft};

on_every_backend! {
    a_version_is_read_as_it_was_written,
    a_reference_without_a_number_means_the_newest_by_precedence,
    a_prerelease_is_the_newest_only_where_there_is_nothing_else,
    functions_are_found_by_words_tag_and_category,
    a_page_of_functions_is_full_though_the_filter_skips_many,
    versions_are_listed_newest_first,
    a_deleted_function_frees_its_name_and_keeps_its_versions,
    the_last_durations_come_newest_first_and_no_more_than_asked,
}

pub(crate) async fn deploy(
    world: &World,
    company: CompanyId,
    user: UserId,
    name: &str,
    number: Option<&str>,
    content: u8,
) -> Version {
    let id = world.deployment(company, user).await;
    let draft = draft(company, user, name, number, content);
    match world.store.publish(company, id, draft).await.unwrap() {
        Published::New(version) => version,
        other => panic!("expected a new version, found {other:?}"),
    }
}

async fn resolved(world: &World, company: CompanyId, reference: &str) -> Option<String> {
    let reference: FunctionRef = reference.parse().unwrap();
    let version = world.store.resolve(company, &reference).await.unwrap();
    version.map(|version| version.version.to_string())
}

async fn a_version_is_read_as_it_was_written(world: World) {
    let tenant = world.tenant("acme").await;
    let company = tenant.company;
    let mut expected = draft(company, tenant.user, "bolt", Some("1.0.0"), 1).version;
    expected.id = tenant.version.id;
    expected.function = tenant.version.function;
    expected.deployment = tenant.version.deployment;
    assert_eq!(tenant.version, expected);
    let read = world.store.version(company, expected.id).await.unwrap();
    assert_eq!(read.as_ref(), Some(&expected));
    let schema = serde_json::to_string(&read.unwrap().manifest.io.inputs_schema).unwrap();
    assert_eq!(schema, r#"{"type":"object","z":1e-12,"a":123456789012345678901234567890.10}"#);
    let by_id = FunctionRef::Id(expected.function);
    assert_eq!(world.store.resolve(company, &by_id).await.unwrap(), Some(expected));
    let nothing = FunctionRef::Id(FunctionId::new());
    assert_eq!(world.store.resolve(company, &nothing).await.unwrap(), None);
}

async fn a_reference_without_a_number_means_the_newest_by_precedence(world: World) {
    let tenant = world.tenant("acme").await;
    let company = tenant.company;
    for (content, number) in [(2, "1.10.0"), (3, "1.9.0"), (4, "2.0.0-rc.1")] {
        deploy(&world, company, tenant.user, "bolt", Some(number), content).await;
    }
    let found = async |reference| resolved(&world, company, reference).await;
    assert_eq!(found("bolt").await.as_deref(), Some("1.10.0"));
    assert_eq!(found("bolt@1.9.0").await.as_deref(), Some("1.9.0"));
    assert_eq!(found("bolt@2.0.0-rc.1").await.as_deref(), Some("2.0.0-rc.1"));
    assert_eq!(found("acme:bolt").await.as_deref(), Some("1.10.0"));
    assert_eq!(found("bolt@9.9.9").await, None);
    assert_eq!(found("nut").await, None);
    let listed = world.store.functions(company, Filter::default(), None, 10).await.unwrap();
    assert_eq!(listed.items[0].newest.version.to_string(), "1.10.0");
}

async fn a_prerelease_is_the_newest_only_where_there_is_nothing_else(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, user) = (tenant.company, tenant.user);
    deploy(&world, company, user, "nut", Some("3.0.0-rc.2"), 2).await;
    deploy(&world, company, user, "nut", Some("3.0.0-rc.10"), 3).await;
    assert_eq!(resolved(&world, company, "nut").await.as_deref(), Some("3.0.0-rc.10"));
    deploy(&world, company, user, "nut", Some("0.1.0"), 4).await;
    assert_eq!(resolved(&world, company, "nut").await.as_deref(), Some("0.1.0"));
}

async fn functions_are_found_by_words_tag_and_category(world: World) {
    let tenant = world.tenant("acme").await;
    deploy(&world, tenant.company, tenant.user, "beam", None, 2).await;
    let names = async |filter: Filter| {
        let page = world.store.functions(tenant.company, filter, None, 10).await.unwrap();
        page.items.into_iter().map(|function| function.name).collect::<Vec<_>>()
    };
    let text = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
    assert_eq!(names(Filter::default()).await, ["beam", "bolt"]);
    assert_eq!(names(text("BOLT")).await, ["bolt"]);
    assert_eq!(names(text("été  boulon")).await, ["beam", "bolt"], "from the description");
    assert_eq!(names(text("été nut")).await, [""; 0]);
    assert_eq!(names(text("100%_")).await, [""; 0], "no pattern language");
    let tag = |tag: &str| Filter { tag: Some(tag.to_owned()), ..Filter::default() };
    assert_eq!(names(tag("acier")).await.len(), 2);
    assert_eq!(names(tag("acie")).await.len(), 0);
    let category = |name: &str| Filter { category: Some(name.to_owned()), ..Filter::default() };
    assert_eq!(names(category("bolts")).await.len(), 2);
    assert_eq!(names(category("Bolts")).await.len(), 0);
}

async fn a_page_of_functions_is_full_though_the_filter_skips_many(world: World) {
    let tenant = world.tenant("acme").await;
    for n in 0..130 {
        let name = format!("{}-{n}", if n % 40 == 0 { "wanted" } else { "other" });
        deploy(&world, tenant.company, tenant.user, &name, None, 1).await;
    }
    let filter = Filter { text: Some("wanted".to_owned()), ..Filter::default() };
    let page = |after| world.store.functions(tenant.company, filter.clone(), after, 3);
    let first = page(None).await.unwrap();
    let names = |items: &[store::functions::Function]| {
        items.iter().map(|function| function.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&first.items), ["wanted-120", "wanted-80", "wanted-40"]);
    let second = page(first.next).await.unwrap();
    assert_eq!((names(&second.items), second.next), (vec!["wanted-0".to_owned()], None));
}

async fn versions_are_listed_newest_first(world: World) {
    let tenant = world.tenant("acme").await;
    for (content, number) in [(2, "3.0.0"), (3, "2.0.0")] {
        deploy(&world, tenant.company, tenant.user, "bolt", Some(number), content).await;
    }
    let function = tenant.version.function;
    let page = world.store.versions(tenant.company, function, None, 2).await.unwrap();
    let numbers = |items: &[Version]| {
        items.iter().map(|version| version.version.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&page.items), ["2.0.0", "3.0.0"]);
    assert_eq!(page.next, Some(Cursor(page.items[1].id.0)));
    let page = world.store.versions(tenant.company, function, page.next, 2).await.unwrap();
    assert_eq!((numbers(&page.items), page.next), (vec!["1.0.0".to_owned()], None));
}

async fn a_deleted_function_frees_its_name_and_keeps_its_versions(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, old) = (tenant.company, &tenant.version);
    assert!(world.store.delete_function(company, old.function, None).await.unwrap());
    assert!(!world.store.delete_function(company, old.function, None).await.unwrap());
    for reference in ["bolt", "bolt@1.0.0", &old.function.to_string()] {
        assert_eq!(resolved(&world, company, reference).await, None, "{reference}");
    }
    let listed = world.store.functions(company, Filter::default(), None, 10).await.unwrap();
    assert!(listed.items.is_empty());
    let listed = world.store.versions(company, old.function, None, 10).await.unwrap();
    assert!(listed.items.is_empty());
    let kept = world.store.version(company, old.id).await.unwrap();
    assert_eq!(kept.as_ref(), Some(old), "its tasks can still be run again");
    // The same name, number and content: a function of its own.
    let again = deploy(&world, company, tenant.user, "bolt", Some("1.0.0"), 1).await;
    assert_ne!(again.function, old.function);
    assert_eq!(resolved(&world, company, "bolt").await.as_deref(), Some("1.0.0"));
}

async fn the_last_durations_come_newest_first_and_no_more_than_asked(world: World) {
    let tenant = world.tenant("acme").await;
    for n in 0..4_u8 {
        let lease = world.start(&tenant).await;
        world.pass(Duration::from_secs(1));
        let mut ending = completed("1");
        ending.measured.execution_ms = f64::from(n);
        world.store.finish(lease, ending).await.unwrap();
    }
    let last = async |count| {
        let (company, version) = (tenant.company, tenant.version.id);
        world.store.recent_durations_ms(company, version, count).await.unwrap()
    };
    assert_eq!(last(2).await, [3.0, 2.0]);
    assert_eq!(last(10).await, [3.0, 2.0, 1.0, 0.0]);
}
