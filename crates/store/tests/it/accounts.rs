//! Companies, members and tokens.

use std::time::Duration;

use domain::clock::{Clock as _, System};
use domain::permission::{Role, Scopes};
use domain::{CompanyId, Digest, TokenId, UserId};
use store::accounts::{Budget, Company, Drafting, Token, Used};
use store::{Cursor, Error};

use crate::world::{World, completed, digest};

on_every_backend! {
    a_company_is_read_as_it_was_written,
    a_companys_name_is_taken_once,
    companies_are_listed_newest_first,
    quotas_are_set,
    what_a_company_uses_is_counted_from_its_rows,
    a_user_is_the_same_person_in_two_companies,
    a_removed_member_loses_tokens_and_may_come_back,
    a_valid_token_stands_for_its_users_present_role,
    an_expired_token_stands_for_nobody,
    a_revoked_token_stands_for_nobody,
    tokens_are_listed_newest_first,
    a_deleted_company_is_nobodys,
    members_are_listed_in_the_order_of_their_names_bytes,
    of_two_companies_that_add_somebody_new_at_once_one_gets_the_name,
}

fn token(company: CompanyId, user: UserId, secret: Digest, world: &World) -> Token {
    Token {
        id: TokenId::new(),
        company,
        user,
        name: "laptop".to_owned(),
        secret_sha256: secret,
        prefix: None,
        scopes: Scopes::ALL,
        created_at: world.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

async fn a_company_is_read_as_it_was_written(world: World) {
    let company = Company {
        id: CompanyId::new(),
        name: "acme".to_owned(),
        weight: 0.1 + 0.2,
        max_running: Some(u32::MAX),
        max_queued: Some(0),
        budget: Budget {
            tasks_per_day: Some(1 << 50),
            cpu_s_per_day: Some(0.5),
            storage_bytes: None,
        },
        created_at: world.now(),
    };
    world.store.create_company(company.clone(), None).await.unwrap();
    assert_eq!(world.store.company(company.id).await.unwrap(), Some(company.clone()));
    assert_eq!(world.store.company_named("acme").await.unwrap(), Some(company));
    assert_eq!(world.store.company_named("other").await.unwrap(), None);
    assert_eq!(world.store.company(CompanyId::new()).await.unwrap(), None);
}

async fn a_companys_name_is_taken_once(world: World) {
    let id = world.company("acme").await;
    let again = Company { id: CompanyId::new(), ..world.store.company(id).await.unwrap().unwrap() };
    let refused = world.store.create_company(again, None).await;
    assert!(matches!(refused, Err(Error::NameTaken { what: "company", .. })), "{refused:?}");
}

async fn companies_are_listed_newest_first(world: World) {
    let (first, second, third) =
        (world.company("a").await, world.company("b").await, world.company("c").await);
    let page = world.store.companies(None, 2).await.unwrap();
    assert_eq!(page.items.iter().map(|c| c.id).collect::<Vec<_>>(), [third, second]);
    assert_eq!(page.next, Some(Cursor(second.0)));
    let page = world.store.companies(page.next, 2).await.unwrap();
    assert_eq!(page.items.iter().map(|c| c.id).collect::<Vec<_>>(), [first]);
    assert_eq!(page.next, None);
}

async fn quotas_are_set(world: World) {
    let id = world.company("acme").await;
    let budget = Budget { storage_bytes: Some(9), ..Budget::default() };
    assert!(world.store.set_company_quotas(id, 2.5, Some(3), None, budget, None).await.unwrap());
    let company = world.store.company(id).await.unwrap().unwrap();
    assert_eq!((company.weight, company.max_running, company.max_queued), (2.5, Some(3), None));
    assert_eq!(company.budget, budget);
    let nobody = world
        .store
        .set_company_quotas(CompanyId::new(), 1.0, None, None, budget, None)
        .await
        .unwrap();
    assert!(!nobody);
}

async fn what_a_company_uses_is_counted_from_its_rows(world: World) {
    let tenant = world.tenant("acme").await;
    // Ids come from the machine's own clock, and a day's tasks are found by them.
    let midnight = System.now().before(Duration::from_secs(3600));
    world.queue(&tenant).await;
    world.pass(Duration::from_secs(60));
    let lease = world.start(&tenant).await;
    world.store.finish(lease, completed("1")).await.unwrap();
    let used = world.store.used(tenant.company, midnight).await.unwrap();
    let cpu_ms = completed("1").measured.cpu_ms;
    assert_eq!(used, Used { tasks: 2, cpu_ms, bytes: 0 });
    world.pass(Duration::from_secs(60));
    let later = world.store.used(tenant.company, world.now()).await.unwrap();
    assert_eq!(later, Used::default());
    let nobody = world.store.used(CompanyId::new(), midnight).await.unwrap();
    assert_eq!(nobody, Used::default());
}

async fn a_user_is_the_same_person_in_two_companies(world: World) {
    let (a, b) = (world.company("a").await, world.company("b").await);
    let user =
        world.store.put_member(a, "zoé", Role::Member, Drafting::Allowed, None).await.unwrap();
    assert_eq!(
        world
            .store
            .put_member(b, "zoé", Role::CompanyAdmin, Drafting::Allowed, None)
            .await
            .unwrap(),
        user
    );
    assert_eq!(
        world.store.put_member(a, "zoé", Role::Admin, Drafting::Allowed, None).await.unwrap(),
        user
    );
    world.store.put_member(a, "abel", Role::Member, Drafting::Allowed, None).await.unwrap();
    let members = world.store.members(a).await.unwrap();
    let named: Vec<_> = members.iter().map(|m| (m.name.as_str(), m.role)).collect();
    assert_eq!(named, [("abel", Role::Member), ("zoé", Role::Admin)]);
    assert_eq!(world.store.members(b).await.unwrap()[0].role, Role::CompanyAdmin);
}

async fn a_removed_member_loses_tokens_and_may_come_back(world: World) {
    let (a, b) = (world.company("a").await, world.company("b").await);
    let user =
        world.store.put_member(a, "zoé", Role::Member, Drafting::Allowed, None).await.unwrap();
    world.store.put_member(b, "zoé", Role::Member, Drafting::Allowed, None).await.unwrap();
    world.store.create_token(token(a, user, digest(1), &world), None).await.unwrap();
    world.store.create_token(token(b, user, digest(2), &world), None).await.unwrap();
    assert!(world.store.remove_member(a, user, None).await.unwrap());
    assert!(!world.store.remove_member(a, user, None).await.unwrap());
    assert!(world.store.members(a).await.unwrap().is_empty());
    assert!(world.store.authenticate(digest(1)).await.unwrap().is_none());
    assert!(world.store.authenticate(digest(2)).await.unwrap().is_some());
    world.pass(Duration::from_secs(5));
    assert_eq!(
        world.store.put_member(a, "zoé", Role::Member, Drafting::Allowed, None).await.unwrap(),
        user
    );
    assert_eq!(world.store.members(a).await.unwrap()[0].created_at, world.now());
    assert!(
        world.store.authenticate(digest(1)).await.unwrap().is_none(),
        "what was revoked stays revoked"
    );
}

async fn a_valid_token_stands_for_its_users_present_role(world: World) {
    let company = world.company("acme").await;
    let user = world
        .store
        .put_member(company, "zoé", Role::Member, Drafting::Allowed, None)
        .await
        .unwrap();
    let token = token(company, user, digest(1), &world);
    world.store.create_token(token.clone(), None).await.unwrap();
    let found = world.store.authenticate(digest(1)).await.unwrap().unwrap();
    assert_eq!((found.token, found.company_name.as_str()), (token, "acme"));
    assert_eq!(found.role, Role::Member);
    world
        .store
        .put_member(company, "zoé", Role::CompanyAdmin, Drafting::Allowed, None)
        .await
        .unwrap();
    let found = world.store.authenticate(digest(1)).await.unwrap().unwrap();
    assert_eq!(found.role, Role::CompanyAdmin);
    assert!(world.store.authenticate(digest(2)).await.unwrap().is_none());
}

async fn an_expired_token_stands_for_nobody(world: World) {
    let company = world.company("acme").await;
    let user = world
        .store
        .put_member(company, "zoé", Role::Member, Drafting::Allowed, None)
        .await
        .unwrap();
    let mut token = token(company, user, digest(1), &world);
    token.expires_at = Some(world.now().after(Duration::from_secs(1)));
    world.store.create_token(token.clone(), None).await.unwrap();
    assert!(world.store.authenticate(digest(1)).await.unwrap().is_some());
    world.pass(Duration::from_secs(1));
    assert!(world.store.authenticate(digest(1)).await.unwrap().is_none());
    assert!(!world.store.revoke_token(company, token.id, None).await.unwrap());
}

async fn a_revoked_token_stands_for_nobody(world: World) {
    let company = world.company("acme").await;
    let user = world
        .store
        .put_member(company, "zoé", Role::Member, Drafting::Allowed, None)
        .await
        .unwrap();
    let token = token(company, user, digest(1), &world);
    world.store.create_token(token.clone(), None).await.unwrap();
    assert!(world.store.revoke_token(company, token.id, None).await.unwrap());
    assert!(!world.store.revoke_token(company, token.id, None).await.unwrap());
    assert!(world.store.authenticate(digest(1)).await.unwrap().is_none());
    let listed = world.store.tokens(company, user).await.unwrap();
    assert_eq!(listed[0].revoked_at, Some(world.now()));
}

async fn tokens_are_listed_newest_first(world: World) {
    let company = world.company("acme").await;
    let user = world
        .store
        .put_member(company, "zoé", Role::Member, Drafting::Allowed, None)
        .await
        .unwrap();
    let mut ids = Vec::new();
    for n in 0..3 {
        let token = token(company, user, digest(n), &world);
        ids.insert(0, token.id);
        world.store.create_token(token, None).await.unwrap();
    }
    let listed = world.store.tokens(company, user).await.unwrap();
    assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), ids);
}

async fn of_two_companies_that_add_somebody_new_at_once_one_gets_the_name(world: World) {
    let (a, b) = (world.company("a").await, world.company("b").await);
    for round in 0..20 {
        let name = format!("eva-{round}");
        let put = |company| {
            let (refused, store) = (Drafting::Refused, &world.store);
            store.put_member(company, &name, Role::Member, refused, None)
        };
        let (first, second) = tokio::join!(put(a), put(b));
        let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
        let user = won.unwrap();
        assert!(matches!(lost, Err(Error::NameTaken { .. })), "{lost:?}");
        assert_eq!(world.store.memberships(user).await.unwrap().len(), 1);
        // Who is there already is changed, not drafted; an operator drafts.
        let home = world.store.memberships(user).await.unwrap()[0].company;
        assert_eq!(put(home).await.unwrap(), user);
        let away = if home == a { b } else { a };
        let drafted =
            world.store.put_member(away, &name, Role::Member, Drafting::Allowed, None).await;
        assert_eq!(drafted.unwrap(), user);
    }
}

async fn a_deleted_company_is_nobodys(world: World) {
    let company = world.company("acme").await;
    let user =
        world.store.put_member(company, "zoé", Role::Admin, Drafting::Allowed, None).await.unwrap();
    world.store.create_token(token(company, user, digest(1), &world), None).await.unwrap();
    assert!(world.store.authenticate(digest(1)).await.unwrap().is_some());
    world.execute("UPDATE companies SET deleted_at = 1");
    assert!(world.store.authenticate(digest(1)).await.unwrap().is_none());
    assert!(world.store.company(company).await.unwrap().is_none());
    assert!(world.store.companies(None, 10).await.unwrap().items.is_empty());
    world.company("acme").await;
}

async fn members_are_listed_in_the_order_of_their_names_bytes(world: World) {
    let company = world.company("acme").await;
    for name in ["zoé", "Émile", "anne-lise", "Zoé", "anne", "annE"] {
        let put = world.store.put_member(company, name, Role::Member, Drafting::Allowed, None);
        put.await.unwrap();
    }
    let members = world.store.members(company).await.unwrap();
    let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["Zoé", "annE", "anne", "anne-lise", "zoé", "Émile"]);
}
