//! Passwords, sessions, invitations and the audit log.

use std::time::Duration;

use domain::permission::{Credential, Role, Scopes};
use domain::{CompanyId, InvitationId, SessionId, TokenId, UserId};
use store::accounts::{Drafting, Token};
use store::audit::{Entry, Filter, Outcome};
use store::invitations::{Invitation, Settled};
use store::logins::Session;

use crate::world::{World, digest};

on_every_backend! {
    a_session_stands_for_its_users_present_role_until_it_ends,
    a_session_that_is_not_used_or_too_old_stands_for_nobody,
    a_login_ends_the_session_that_it_replaces,
    a_role_that_is_set_or_taken_ends_the_sessions_of_that_company_alone,
    a_password_is_set_once_for_what_was_known_and_ends_other_sessions,
    a_session_moves_only_between_its_users_companies,
    an_invitation_makes_a_member_once,
    an_invitation_whose_user_changed_meanwhile_is_not_accepted,
    an_invitation_of_a_member_leaves_its_role,
    an_invitation_above_the_callers_role_is_neither_revoked_nor_replaced,
    a_password_that_is_set_is_recorded_in_each_company_of_its_user,
    a_change_that_changes_nothing_is_not_recorded,
    the_audit_log_is_read_by_company_user_action_and_time,
    the_use_of_a_token_is_remembered,
    what_the_audit_log_holds_cannot_be_changed_or_deleted,
}

const IDLE: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(3600);

fn entry(company: CompanyId, user: UserId, action: &'static str) -> Entry {
    Entry {
        company: Some(company),
        user: Some(user),
        credential: Credential::Nothing,
        action,
        resource: "it".to_owned(),
        outcome: Outcome::Done,
        address: Some([192, 0, 2, 1].into()),
        request_id: Some("trace-1".into()),
    }
}

fn session(world: &World, company: CompanyId, user: UserId, n: u8) -> Session {
    Session {
        id: SessionId::new(),
        secret_sha256: digest(n),
        user,
        company,
        address: Some([192, 0, 2, 1].into()),
        created_at: world.now(),
        seen_at: world.now(),
        expires_at: world.now().after(LONGEST),
    }
}

async fn open(world: &World, company: CompanyId, user: UserId, n: u8) -> SessionId {
    let session = session(world, company, user, n);
    let id = session.id;
    world.store.create_session(session, None, entry(company, user, "login")).await.unwrap();
    id
}

async fn is_open(world: &World, n: u8) -> bool {
    world.store.session(digest(n), IDLE).await.unwrap().is_some()
}

fn invitation(world: &World, company: CompanyId, by: UserId, name: &str, n: u8) -> Invitation {
    Invitation {
        id: InvitationId::new(),
        company,
        secret_sha256: digest(n),
        name: name.to_owned(),
        email: Some("eva@example.com".to_owned()),
        role: Role::Member,
        created_by: by,
        created_at: world.now(),
        expires_at: world.now().after(LONGEST),
        accepted_at: None,
        revoked_at: None,
    }
}

async fn member(world: &World, name: &str) -> (CompanyId, UserId) {
    let company = world.company(name).await;
    let user = world
        .store
        .put_member(company, "zoé", Role::CompanyAdmin, Drafting::Allowed, None)
        .await
        .unwrap();
    (company, user)
}

async fn a_session_stands_for_its_users_present_role_until_it_ends(world: World) {
    let (company, user) = member(&world, "acme").await;
    let id = open(&world, company, user, 1).await;
    let found = world.store.session(digest(1), IDLE).await.unwrap().unwrap();
    assert_eq!((found.id, found.user, found.company), (id, user, company));
    assert_eq!((found.company_name.as_str(), found.role), ("acme", Role::CompanyAdmin));
    assert!(world.store.session(digest(2), IDLE).await.unwrap().is_none());
    assert!(world.store.end_session(id, entry(company, user, "logout")).await.unwrap());
    assert!(!world.store.end_session(id, entry(company, user, "logout")).await.unwrap());
    assert!(!is_open(&world, 1).await);
}

async fn a_session_that_is_not_used_or_too_old_stands_for_nobody(world: World) {
    let (company, user) = member(&world, "acme").await;
    let id = open(&world, company, user, 1).await;
    for _ in 0..6 {
        assert!(is_open(&world, 1).await);
        world.pass(IDLE - Duration::from_secs(1));
        world.store.touch_session(id).await.unwrap();
    }
    world.pass(Duration::from_secs(6));
    assert!(!is_open(&world, 1).await, "however much it is used");
    open(&world, company, user, 2).await;
    world.pass(IDLE);
    assert!(!is_open(&world, 2).await);
}

async fn a_login_ends_the_session_that_it_replaces(world: World) {
    let (company, user) = member(&world, "acme").await;
    open(&world, company, user, 1).await;
    let next = session(&world, company, user, 2);
    let login = entry(company, user, "login");
    world.store.create_session(next, Some(digest(1)), login).await.unwrap();
    assert!(!is_open(&world, 1).await && is_open(&world, 2).await);
}

async fn a_role_that_is_set_or_taken_ends_the_sessions_of_that_company_alone(world: World) {
    let (a, user) = member(&world, "a").await;
    let b = world.company("b").await;
    world.store.put_member(b, "zoé", Role::Member, Drafting::Allowed, None).await.unwrap();
    open(&world, a, user, 1).await;
    open(&world, b, user, 2).await;
    world.store.put_member(a, "zoé", Role::Member, Drafting::Allowed, None).await.unwrap();
    assert!(!is_open(&world, 1).await && is_open(&world, 2).await);
    open(&world, a, user, 3).await;
    assert!(world.store.remove_member(a, user, None).await.unwrap());
    assert!(!is_open(&world, 3).await && is_open(&world, 2).await);
    let companies = world.store.memberships(user).await.unwrap();
    assert_eq!(companies.iter().map(|m| m.company).collect::<Vec<_>>(), [b]);
    assert_eq!(world.store.last_company(user).await.unwrap(), Some(b));
}

async fn a_password_is_set_once_for_what_was_known_and_ends_other_sessions(world: World) {
    let (company, user) = member(&world, "acme").await;
    let kept = open(&world, company, user, 1).await;
    open(&world, company, user, 2).await;
    let set = async |was: Option<&str>, hash: &str| {
        let (was, hash) = (was.map(str::to_owned), hash.to_owned());
        let entry = entry(company, user, "password.set");
        world.store.set_password(user, was, hash, Some(kept), entry).await.unwrap()
    };
    assert!(set(None, "first").await);
    assert!(is_open(&world, 1).await && !is_open(&world, 2).await);
    assert!(!set(None, "second").await);
    assert!(set(Some("first"), "second").await);
    let found = world.store.user_named("zoé").await.unwrap().unwrap();
    assert_eq!((found.id, found.password.as_deref()), (user, Some("second")));
    assert_eq!(world.store.user(user).await.unwrap(), Some(found));
    assert!(world.store.user_named("zoe").await.unwrap().is_none());
}

async fn a_session_moves_only_between_its_users_companies(world: World) {
    let (a, user) = member(&world, "a").await;
    let (b, c) = (world.company("b").await, world.company("c").await);
    world.store.put_member(b, "zoé", Role::Member, Drafting::Allowed, None).await.unwrap();
    let id = open(&world, a, user, 1).await;
    let go = entry(b, user, "session.company");
    assert!(!world.store.move_session(id, c, go.clone()).await.unwrap());
    assert!(world.store.move_session(id, b, go).await.unwrap());
    let found = world.store.session(digest(1), IDLE).await.unwrap().unwrap();
    assert_eq!((found.company, found.role), (b, Role::Member));
}

async fn an_invitation_makes_a_member_once(world: World) {
    let (company, admin) = member(&world, "acme").await;
    let invited = invitation(&world, company, admin, "eva", 1);
    let made = entry(company, admin, "invitation.create");
    world.store.invite(invited.clone(), Role::Admin, made).await.unwrap();
    let waiting = world.store.invitation(digest(1)).await.unwrap().unwrap();
    assert_eq!((&waiting.invitation, waiting.user.as_ref()), (&invited, None));
    assert_eq!(waiting.company_name, "acme");
    let accepted = entry(company, admin, "invitation.accept");
    let hash = Some("hash".to_owned());
    let user = world.store.accept(waiting.clone(), hash.clone(), accepted.clone()).await.unwrap();
    let user = user.unwrap();
    let found = world.store.user(user).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.email.as_deref()), ("eva", Some("eva@example.com")));
    assert_eq!(found.password.as_deref(), Some("hash"));
    assert_eq!(world.store.memberships(user).await.unwrap()[0].role, Role::Member);
    assert!(world.store.invitation(digest(1)).await.unwrap().is_none());
    assert_eq!(world.store.accept(waiting, hash, accepted).await.unwrap(), None);
    let listed = world.store.invitations(company).await.unwrap();
    assert_eq!(listed[0].accepted_at, Some(world.now()));
    world
        .store
        .invite(
            invitation(&world, company, admin, "bob", 2),
            Role::Admin,
            entry(company, admin, "x"),
        )
        .await
        .unwrap();
    world.pass(LONGEST);
    assert!(world.store.invitation(digest(2)).await.unwrap().is_none(), "it has ended");
}

async fn an_invitation_whose_user_changed_meanwhile_is_not_accepted(world: World) {
    let (company, admin) = member(&world, "acme").await;
    let made = entry(company, admin, "invitation.create");
    world
        .store
        .invite(invitation(&world, company, admin, "eva", 1), Role::Admin, made.clone())
        .await
        .unwrap();
    let waiting = world.store.invitation(digest(1)).await.unwrap().unwrap();
    // Eva joins another company in between: her account is not to be taken.
    let other = world.company("other").await;
    world.store.put_member(other, "eva", Role::Member, Drafting::Allowed, None).await.unwrap();
    let taken = world.store.accept(waiting, Some("hash".to_owned()), made).await.unwrap();
    assert_eq!(taken, None);
    assert!(world.store.user_named("eva").await.unwrap().unwrap().password.is_none());
    let (_, elsewhere) = world.store.invitation(digest(1)).await.unwrap().unwrap().user.unwrap();
    assert!(elsewhere);
}

async fn an_invitation_of_a_member_leaves_its_role(world: World) {
    let (company, admin) = member(&world, "acme").await;
    let made = entry(company, admin, "invitation.create");
    world
        .store
        .invite(invitation(&world, company, admin, "zoé", 1), Role::Admin, made.clone())
        .await
        .unwrap();
    let waiting = world.store.invitation(digest(1)).await.unwrap().unwrap();
    open(&world, company, admin, 2).await;
    world.store.accept(waiting, Some("hash".to_owned()), made.clone()).await.unwrap().unwrap();
    assert_eq!(world.store.memberships(admin).await.unwrap()[0].role, Role::CompanyAdmin);
    assert!(!is_open(&world, 2).await, "a password set anew ends sessions");
    // A role that changes revokes what was invited under the old one.
    world
        .store
        .invite(invitation(&world, company, admin, "zoé", 3), Role::Admin, made)
        .await
        .unwrap();
    world.store.put_member(company, "zoé", Role::Admin, Drafting::Allowed, None).await.unwrap();
    assert!(world.store.invitation(digest(3)).await.unwrap().is_none());
}

async fn an_invitation_above_the_callers_role_is_neither_revoked_nor_replaced(world: World) {
    let (company, admin) = member(&world, "acme").await;
    let made = entry(company, admin, "invitation.create");
    let high = Invitation { role: Role::Admin, ..invitation(&world, company, admin, "eva", 1) };
    let invited = world.store.invite(high.clone(), Role::Admin, made.clone()).await.unwrap();
    assert_eq!(invited, Settled::Done);
    let low = invitation(&world, company, admin, "eva", 2);
    let (store, most) = (&world.store, Role::CompanyAdmin);
    let above = Settled::Above(Role::Admin);
    assert_eq!(store.invite(low.clone(), most, made.clone()).await.unwrap(), above);
    let revoked = store.revoke_invitation(company, high.id, most, made.clone()).await.unwrap();
    assert_eq!(revoked, above);
    assert!(store.invitation(digest(1)).await.unwrap().is_some());
    assert!(store.invitation(digest(2)).await.unwrap().is_none());
    // Whoever may give the role may take it back; then there is none.
    for expected in [Settled::Done, Settled::Missing] {
        let most = Role::Admin;
        let revoked = store.revoke_invitation(company, high.id, most, made.clone()).await.unwrap();
        assert_eq!(revoked, expected);
    }
    assert_eq!(store.invite(low, most, made).await.unwrap(), Settled::Done);
}

async fn a_password_that_is_set_is_recorded_in_each_company_of_its_user(world: World) {
    let (a, user) = member(&world, "a").await;
    let (b, c) = (world.company("b").await, world.company("c").await);
    for company in [b, c] {
        let put = world.store.put_member(company, "zoé", Role::Member, Drafting::Allowed, None);
        put.await.unwrap();
    }
    assert!(world.store.remove_member(c, user, None).await.unwrap());
    let set = entry(b, user, "password.set");
    assert!(world.store.set_password(user, None, "hash".to_owned(), None, set).await.unwrap());
    for (company, rows) in [(a, 1), (b, 1), (c, 0)] {
        let filter = Filter { company: Some(company), ..Filter::default() };
        let found = world.store.audit(filter, None, 10).await.unwrap();
        assert_eq!(found.items.len(), rows, "{found:?}");
    }
}

async fn a_change_that_changes_nothing_is_not_recorded(world: World) {
    let (company, user) = member(&world, "acme").await;
    let nobody = TokenId::new();
    let entry = |action| Some(entry(company, user, action));
    assert!(!world.store.revoke_token(company, nobody, entry("token.revoke")).await.unwrap());
    let gone = world.store.remove_member(company, UserId::new(), entry("member.remove")).await;
    assert!(!gone.unwrap());
    let all = world.store.audit(Filter::default(), None, 10).await.unwrap();
    assert!(all.items.is_empty(), "{all:?}");
    world
        .store
        .put_member(company, "eva", Role::Member, Drafting::Allowed, entry("member.put"))
        .await
        .unwrap();
    assert_eq!(world.store.audit(Filter::default(), None, 10).await.unwrap().items.len(), 1);
}

async fn the_audit_log_is_read_by_company_user_action_and_time(world: World) {
    let (a, user) = member(&world, "a").await;
    let b = world.company("b").await;
    let start = world.now();
    for (company, action) in [(a, "login"), (b, "token.create"), (a, "token.revoke"), (a, "tokens")]
    {
        world.store.record(entry(company, user, action)).await.unwrap();
        world.pass(Duration::from_secs(1));
    }
    let actions = async |filter: Filter| {
        let page = world.store.audit(filter, None, 10).await.unwrap();
        page.items.into_iter().map(|record| record.action).collect::<Vec<_>>()
    };
    let all = Filter::default();
    assert_eq!(actions(all.clone()).await, ["tokens", "token.revoke", "token.create", "login"]);
    let of_a = Filter { company: Some(a), ..all.clone() };
    assert_eq!(actions(of_a.clone()).await, ["tokens", "token.revoke", "login"]);
    let token = Filter { action: Some("token".to_owned()), ..of_a.clone() };
    assert_eq!(actions(token).await, ["token.revoke"]);
    let nobodys = Filter { user: Some(UserId::new()), ..all.clone() };
    assert!(actions(nobodys).await.is_empty());
    let second = Some(start.after(Duration::from_secs(1)));
    let since = Filter { since: second, until: Some(start.after(LONGEST)), ..all.clone() };
    assert_eq!(actions(since).await.len(), 3);
    assert_eq!(actions(Filter { until: second, ..all.clone() }).await, ["login"]);
    let page = world.store.audit(of_a.clone(), None, 2).await.unwrap();
    let rest = world.store.audit(of_a, page.next, 2).await.unwrap();
    assert_eq!((rest.items[0].action.as_str(), rest.next), ("login", None));
    let record = &rest.items[0];
    assert_eq!((record.user_name.as_deref(), record.at), (Some("zoé"), start));
    assert_eq!(record.address.as_deref(), Some("192.0.2.1"));
    assert_eq!(record.request_id.as_deref(), Some("trace-1"));
}

async fn the_use_of_a_token_is_remembered(world: World) {
    let (company, user) = member(&world, "acme").await;
    let token = Token {
        id: TokenId::new(),
        company,
        user,
        name: "laptop".to_owned(),
        secret_sha256: digest(1),
        prefix: Some("mecapy_AbCdEf".to_owned()),
        scopes: "read run".parse::<Scopes>().unwrap(),
        created_at: world.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    world.store.create_token(token.clone(), None).await.unwrap();
    assert_eq!(world.store.authenticate(digest(1)).await.unwrap().unwrap().token, token);
    world.pass(Duration::from_secs(60));
    world.store.touch_token(company, token.id).await.unwrap();
    let listed = world.store.tokens(company, user).await.unwrap();
    assert_eq!(listed[0].last_used_at, Some(world.now()));
}

async fn what_the_audit_log_holds_cannot_be_changed_or_deleted(world: World) {
    let (company, user) = member(&world, "acme").await;
    world.store.record(entry(company, user, "login")).await.unwrap();
    for change in ["UPDATE audit SET action = 'x'", "DELETE FROM audit"] {
        let refused = world.try_execute(change).unwrap_err();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert_eq!(world.store.audit(Filter::default(), None, 10).await.unwrap().items.len(), 1);
}
