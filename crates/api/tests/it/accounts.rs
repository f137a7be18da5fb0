//! Logging in, sessions, invitations, scopes and the audit log.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use crate::app::{Answer, App, FREE, request};

const PASSWORD: &str = "correct horse battery";

/// A browser with its cookie.
struct Browser<'a> {
    app: &'a App,
    cookie: String,
    csrf: String,
}

impl<'a> Browser<'a> {
    fn of(app: &'a App, logged_in: &Answer) -> Self {
        let cookie = logged_in.header("set-cookie").split(';').next().unwrap().to_owned();
        let csrf = logged_in.json()["csrf_token"].as_str().unwrap().to_owned();
        Self { app, cookie, csrf }
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path);
        request.header(header::COOKIE, &self.cookie).header(header::HOST, "calc.example")
    }

    async fn get(&self, path: &str) -> Answer {
        self.app.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-csrf-token", &self.csrf);
        self.app.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

async fn log_in(app: &App, name: &str, password: &str) -> Answer {
    app.post("", "/auth/login", json!({"name": name, "password": password}).to_string()).await
}

/// Invites somebody and accepts in their name; answers the login.
async fn join(app: &App, admin: &str, company: &str, name: &str, role: &str) -> Answer {
    let secret = invite(app, admin, company, name, role).await;
    accept(app, &secret, PASSWORD).await
}

async fn invite(app: &App, admin: &str, company: &str, name: &str, role: &str) -> String {
    let path = format!("/companies/{company}/invitations");
    let body = json!({"name": name, "role": role, "email": "someone@example.com"}).to_string();
    let made = app.post(admin, &path, body).await.expect(201).json();
    let path = made["path"].as_str().unwrap();
    path.strip_prefix("/app/invitation/").unwrap().to_owned()
}

async fn accept(app: &App, secret: &str, password: &str) -> Answer {
    let body = json!({"invitation": secret, "password": password}).to_string();
    app.post("", "/auth/accept", body).await
}

async fn actions(app: &App, token: &str, query: &str) -> Vec<String> {
    let page = app.get(token, &format!("/audit{query}")).await.expect(200).json();
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| format!("{} {}", item["action"], item["resource"])).collect()
}

#[tokio::test]
async fn somebody_who_is_invited_chooses_a_password_and_logs_in() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    let joined = join(&app, &admin, &company, "eva", "member").await.expect(200);
    let cookie = joined.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-mecapy="), "{cookie}");
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let logged_in = log_in(&app, "eva", PASSWORD).await.expect(200);
    let account = logged_in.json();
    assert_eq!((&account["name"], &account["company"]["name"]), (&"eva".into(), &"acme".into()));
    assert_eq!(account["email"], "someone@example.com");
    let browser = Browser::of(&app, &logged_in);
    let me = browser.get("/auth/me").await.expect(200).json();
    assert_eq!(me, account);
    assert_eq!((&me["credential"], &me["has_password"]), (&"session".into(), &true.into()));
    browser.get("/tasks").await.expect(200);
    let gone = browser.post("/auth/logout", &json!({})).await.expect(204);
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    let problem = browser.get("/tasks").await.problem(401, "unauthenticated");
    assert_eq!(problem["detail"], "Your session has ended. Log in again.");
}

#[tokio::test]
async fn a_login_replaces_the_session_that_the_browser_had() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    let first = join(&app, &admin, &company, "eva", "member").await.expect(200);
    let first = Browser::of(&app, &first);
    let body = json!({"name": "eva", "password": PASSWORD});
    let second = first.post("/auth/login", &body).await.expect(200);
    let second = Browser::of(&app, &second);
    assert_ne!(first.cookie, second.cookie);
    first.get("/tasks").await.problem(401, "unauthenticated");
    second.get("/tasks").await.expect(200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_answered_alike() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    join(&app, &admin, &company, "eva", "member").await.expect(200);
    let mut answers = Vec::new();
    for (name, password) in
        [("eva", "wrong horse battery"), ("nobody", PASSWORD), ("acme-admin", "")]
    {
        let body = json!({"name": name, "password": password}).to_string();
        let sent = request(Method::POST, "", "/auth/login")
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-request-id", "same")
            .body(Body::from(body));
        let answer = app.send(sent.unwrap()).await;
        answer.problem(401, "wrong_login");
        answers.push((answer.text().to_owned(), format!("{:?}", answer.headers)));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn after_five_failures_a_login_has_to_wait_even_with_the_right_password() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    join(&app, &admin, &company, "eva", "member").await.expect(200);
    for _ in 0..5 {
        log_in(&app, "eva", "wrong horse battery").await.problem(401, "wrong_login");
    }
    let refused = log_in(&app, "eva", PASSWORD).await;
    let problem = refused.problem(429, "too_many_logins");
    assert_eq!(refused.header("retry-after"), "1");
    let detail = "Too many logins failed here. Wait as long as Retry-After says.";
    assert_eq!(problem["detail"], detail);
    let log = app.get(&admin, "/audit?action=login").await.expect(200).json();
    let refused = |item: &&Value| item["outcome"] == "refused" && item["user"] == "eva";
    assert_eq!(log["items"].as_array().unwrap().iter().filter(refused).count(), 5, "{log:#}");
}

#[tokio::test]
async fn what_changes_something_under_a_session_needs_the_pages_token() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    let joined = join(&app, &admin, &company, "eva", "member").await.expect(200);
    let browser = Browser::of(&app, &joined);
    let body = json!({"name": "ci"}).to_string();
    let send = async |headers: &[(&str, &str)]| {
        let mut request = browser
            .request(Method::POST, "/tokens")
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        app.send(request.body(Body::from(body.clone())).unwrap()).await
    };
    let csrf = ("x-csrf-token", browser.csrf.as_str());
    let problem = send(&[]).await.problem(403, "csrf_failed");
    assert!(problem["detail"].as_str().unwrap().contains("`csrf_token` of GET /auth/me"));
    send(&[("x-csrf-token", "x")]).await.problem(403, "csrf_failed");
    for foreign in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let problem = send(&[csrf, foreign]).await.problem(403, "csrf_failed");
        assert!(problem["detail"].as_str().unwrap().contains("another site's page"));
    }
    send(&[csrf]).await.expect(201);
    send(&[csrf, ("origin", "https://calc.example")]).await.expect(201);
    // A bearer token needs none of it, and never mixes with the cookie.
    let bearer = format!("Bearer {admin}");
    send(&[("authorization", &bearer)]).await.expect(201);
    send(&[csrf, ("authorization", "Bearer mecapy_wrong")]).await.problem(401, "unauthenticated");
    // What the cookie holds is no token either, though it was seen just now.
    let secret = browser.cookie.split_once('=').unwrap().1;
    let bearer = format!("Bearer {secret}");
    send(&[("authorization", &bearer)]).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_browser_without_scripts_logs_in_by_a_form_and_goes_on_where_it_was() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    let secret = invite(&app, &admin, &company, "eva", "member").await;
    let form = async |path: &str, body: String, headers: &[(&str, &str)]| {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::HOST, "127.0.0.1:8000");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        app.send(request.body(Body::from(body)).unwrap()).await
    };
    let own = [("origin", "http://127.0.0.1:8000")];
    let leads = app.get("", "/auth/login?next=/app/tasks").await.expect(303);
    assert_eq!(leads.header("location"), "/app/login?next=%2Fapp%2Ftasks");
    for (lang, words) in [("en", "Choose a password"), ("fr", "Choisissez un mot de passe")] {
        let sent = request(Method::GET, "", &format!("/app/invitation/{secret}"))
            .header(header::ACCEPT_LANGUAGE, lang);
        let page = app.send(sent.body(Body::empty()).unwrap()).await.expect(200);
        assert!(page.text().contains(words) && page.text().contains("acme"), "{}", page.text());
        assert!(page.header("content-security-policy").contains("form-action 'self'"));
        assert!(!page.text().contains("<script"));
    }
    let short = form("/auth/accept", format!("invitation={secret}&password=short"), &own).await;
    let back = short.expect(303).header("location").to_owned();
    assert_eq!(back, format!("/app/invitation/{secret}?error=password"));
    assert!(app.get("", &back).await.expect(200).text().contains("12 to 256 characters"));
    let password = PASSWORD.replace(' ', "+");
    let body = format!("invitation={secret}&password={password}");
    form("/auth/accept", body, &own).await.expect(303);
    let gone = app.get("", &format!("/app/invitation/{secret}")).await.expect(200);
    assert!(gone.text().contains("was used or revoked"), "{}", gone.text());

    let body = format!("name=eva&password={password}&next=%2Fapp%2Ftasks");
    let logged_in = form("/auth/login", body.clone(), &own).await.expect(303);
    assert_eq!(logged_in.header("location"), "/app/tasks");
    assert!(logged_in.header("set-cookie").starts_with("mecapy="));
    let wrong = form("/auth/login", "name=eva&password=x&next=/".to_owned(), &own).await;
    let back = wrong.expect(303).header("location").to_owned();
    assert_eq!(back, "/app/login?error=credentials&next=%2F");
    assert!(app.get("", &back).await.expect(200).text().contains("password is wrong"));
    // Another site's form, or one that nobody vouches for.
    for headers in [&[][..], &[("origin", "https://evil.example")]] {
        form("/auth/login", body.clone(), headers).await.problem(403, "csrf_failed");
    }
    let elsewhere = "name=eva&password=x&next=https%3A%2F%2Fevil.example".to_owned();
    let body = elsewhere.replace("password=x", &format!("password={password}"));
    assert_eq!(form("/auth/login", body, &own).await.header("location"), "/");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_not_the_tokens() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    join(&app, &admin, &company, "eva", "member").await.expect(200);
    let here = log_in(&app, "eva", PASSWORD).await.expect(200);
    let there = log_in(&app, "eva", PASSWORD).await.expect(200);
    let (here, there) = (Browser::of(&app, &here), Browser::of(&app, &there));
    let token = here.post("/tokens", &json!({"name": "ci"})).await.expect(201).json();
    let token = token["secret"].as_str().unwrap();
    let change =
        |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let problem = here.post("/auth/password", &change("wrong", "another horse")).await;
    let problem = problem.problem(422, "invalid_body");
    assert_eq!(problem["faults"][0]["message"], "expected the present password");
    let problem = here.post("/auth/password", &change(PASSWORD, "short")).await;
    let problem = problem.problem(422, "invalid_body");
    let message = "expected a password of 12 to 256 characters, found 5";
    assert_eq!(problem["faults"][0]["message"], message);
    here.post("/auth/password", &change(PASSWORD, "another horse")).await.expect(204);
    here.get("/tasks").await.expect(200);
    there.get("/tasks").await.problem(401, "unauthenticated");
    app.get(token, "/tasks").await.expect(200);
    log_in(&app, "eva", PASSWORD).await.problem(401, "wrong_login");
    log_in(&app, "eva", "another horse").await.expect(200);
}

#[tokio::test]
async fn the_first_password_needs_no_other_and_the_second_does() {
    let app = App::new().await;
    let first = json!({"new_password": PASSWORD}).to_string();
    app.post(&app.admin, "/auth/password", first.clone()).await.expect(204);
    log_in(&app, "admin", PASSWORD).await.expect(200);
    app.post(&app.admin, "/auth/password", first).await.problem(422, "invalid_body");
}

#[tokio::test]
async fn a_role_that_changes_or_ends_takes_the_sessions_with_it_at_once() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    let members = format!("/companies/{company}/members");
    join(&app, &admin, &company, "eva", "company_admin").await.expect(200);
    let logged_in = log_in(&app, "eva", PASSWORD).await.expect(200);
    let user = logged_in.json()["user_id"].as_str().unwrap().to_owned();
    let eva = Browser::of(&app, &logged_in);
    let token = eva.post("/tokens", &json!({"name": "ci"})).await.expect(201).json();
    let token = token["secret"].as_str().unwrap();
    app.get(token, "/audit").await.expect(200);
    app.post(&admin, &members, r#"{"name": "eva", "role": "member"}"#).await.expect(200);
    eva.get("/tasks").await.problem(401, "unauthenticated");
    app.get(token, "/audit").await.problem(403, "forbidden");
    let eva = log_in(&app, "eva", PASSWORD).await.expect(200);
    let eva = Browser::of(&app, &eva);
    eva.get("/tasks").await.expect(200);
    app.delete(&admin, &format!("{members}/{user}")).await.expect(204);
    eva.get("/tasks").await.problem(401, "unauthenticated");
    app.get(token, "/tasks").await.problem(401, "unauthenticated");
    let problem = log_in(&app, "eva", PASSWORD).await.problem(403, "no_company");
    assert!(problem["detail"].as_str().unwrap().contains("no member of this company"));
}

#[tokio::test]
async fn an_invitation_is_used_once_and_can_be_revoked() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    let path = format!("/companies/{company}/invitations");
    let first = invite(&app, &admin, &company, "eva", "member").await;
    // A later one for the same name replaces it.
    let second = invite(&app, &admin, &company, "eva", "member").await;
    accept(&app, &first, PASSWORD).await.problem(404, "invitation_gone");
    accept(&app, &second, PASSWORD).await.expect(200);
    accept(&app, &second, PASSWORD).await.problem(404, "invitation_gone");
    let third = invite(&app, &admin, &company, "bob", "member").await;
    let listed = app.get(&admin, &path).await.expect(200);
    assert!(!listed.text().contains(&third));
    let bob = listed.json()["items"][0]["invitation_id"].as_str().unwrap().to_owned();
    app.delete(&admin, &format!("{path}/{bob}")).await.expect(204);
    app.delete(&admin, &format!("{path}/{bob}")).await.problem(404, "not_found");
    let problem = accept(&app, &third, PASSWORD).await.problem(404, "invitation_gone");
    assert!(problem["detail"].as_str().unwrap().ends_with("Ask for another one."));
    for (name, key) in [("Éva", "/name"), ("", "/name")] {
        let body = json!({"name": name}).to_string();
        let problem = app.post(&admin, &path, body).await.problem(422, "invalid_body");
        assert_eq!(problem["faults"][0]["key"], key);
    }
    let body = r#"{"name": "kim", "email": "nowhere"}"#;
    let problem = app.post(&admin, &path, body).await.problem(422, "invalid_body");
    assert_eq!(problem["faults"][0]["message"], "expected an address such as eva@example.com");
}

#[tokio::test]
async fn a_companys_admin_takes_no_account_over_that_others_rely_on() {
    let app = App::new().await;
    let (acme, acme_admin) = app.company("acme").await;
    let (rival, rival_admin) = app.company("rival").await;
    join(&app, &acme_admin, &acme, "eva", "company_admin").await.expect(200);
    let link = invite(&app, &rival_admin, &rival, "eva", "member").await;
    accept(&app, &link, "a password of theirs").await.problem(401, "wrong_login");
    // Only eva herself, who then may choose between both.
    accept(&app, &link, PASSWORD).await.expect(200);
    let logged_in = log_in(&app, "eva", PASSWORD).await.expect(200);
    assert_eq!(logged_in.json()["company"]["name"], "rival", "that of the last session");
    // Nobody who has a token alone, either.
    let members = format!("/companies/{acme}/members");
    app.post(&acme_admin, &members, r#"{"name": "bob"}"#).await.expect(201);
    let link = invite(&app, &rival_admin, &rival, "bob", "member").await;
    accept(&app, &link, PASSWORD).await.problem(409, "name_taken");
    // And nobody above themselves in their own company.
    let admins = app.get(&app.admin, "/auth/me").await.expect(200).json();
    let main = admins["company"]["company_id"].as_str().unwrap();
    let joined = join(&app, &app.admin, main, "kim", "company_admin").await.expect(200);
    let kim = Browser::of(&app, &joined);
    let body = json!({"name": "admin"});
    kim.post(&format!("/companies/{main}/invitations"), &body).await.problem(403, "forbidden");
    let body = json!({"name": "new", "role": "admin"});
    kim.post(&format!("/companies/{main}/invitations"), &body).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_user_of_two_companies_chooses_one_and_sees_nothing_of_the_other() {
    let app = App::new().await;
    let (acme, acme_admin) = app.company("acme").await;
    let (rival, rival_admin) = app.company("rival").await;
    app.deploy(&acme_admin, "bolt", FREE).await.expect(201);
    join(&app, &acme_admin, &acme, "eva", "company_admin").await.expect(200);
    let link = invite(&app, &rival_admin, &rival, "eva", "member").await;
    accept(&app, &link, PASSWORD).await.expect(200);
    let body = json!({"name": "eva", "password": PASSWORD, "company": "acme"}).to_string();
    let logged_in = app.post("", "/auth/login", body).await.expect(200);
    let eva = Browser::of(&app, &logged_in);
    eva.get("/functions/bolt").await.expect(200);
    eva.get("/audit").await.expect(200);
    let moved = eva.post("/auth/company", &json!({"company_id": rival})).await.expect(200).json();
    assert_eq!(
        (&moved["company"]["name"], &moved["company"]["role"]),
        (&"rival".into(), &"member".into())
    );
    eva.get("/functions/bolt").await.problem(404, "not_found");
    eva.get("/audit").await.problem(403, "forbidden");
    let (other, _) = app.company("other").await;
    eva.post("/auth/company", &json!({"company_id": other})).await.problem(404, "not_found");
    let problem = app.post(&acme_admin, "/auth/company", format!(r#"{{"company_id": "{acme}"}}"#));
    let problem = problem.await.problem(422, "invalid_body");
    let message = problem["faults"][0]["message"].as_str().unwrap();
    assert!(message.contains("a token acts for one company"), "{message}");
    let body = json!({"name": "eva", "password": PASSWORD, "company": "other"}).to_string();
    app.post("", "/auth/login", body).await.problem(403, "no_company");
}

#[tokio::test]
async fn a_token_is_narrowed_to_its_scopes_and_makes_none_beyond_them() {
    let app = App::new().await;
    let (_, admin) = app.company("acme").await;
    app.deploy(&admin, "bolt", FREE).await.expect(201);
    let make = async |by: &str, scopes: Value| {
        app.post(by, "/tokens", json!({"name": "ci", "scopes": scopes}).to_string()).await
    };
    let made = make(&admin, json!(["run", "read"])).await.expect(201).json();
    assert_eq!(made["token"]["scopes"], json!(["read", "run"]));
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with(made["token"]["prefix"].as_str().unwrap()));
    app.get(secret, "/functions/bolt").await.expect(200);
    app.post(secret, "/functions/bolt/execute", "{}").await.expect(202);
    let problem = app.delete(secret, "/functions/bolt").await.problem(403, "out_of_scope");
    let detail = "This needs a token with the scope `deploy`. Make one that has it.";
    assert_eq!(problem["detail"], detail);
    make(secret, json!(["read"])).await.problem(403, "out_of_scope");
    let managing = make(&admin, json!(["admin"])).await.expect(201).json();
    let managing = managing["secret"].as_str().unwrap();
    make(managing, json!(["admin", "run"])).await.problem(403, "out_of_scope");
    let inherited = make(managing, Value::Null).await.expect(201).json();
    assert_eq!(inherited["token"]["scopes"], json!(["admin"]));
    for wrong in [json!([]), json!(["write"]), json!("read")] {
        let problem = make(&admin, wrong).await.problem(422, "invalid_body");
        assert_eq!(problem["faults"][0]["key"], "/scopes");
    }
    app.post(secret, "/auth/logout", "{}").await.expect(204);
    app.get(secret, "/tasks").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_last_use_of_a_token_is_remembered() {
    let app = App::new().await;
    let made = app.post(&app.admin, "/tokens", r#"{"name": "ci"}"#).await.expect(201).json();
    assert_eq!(made["token"]["last_used_at"], Value::Null);
    let secret = made["secret"].as_str().unwrap();
    app.get(secret, "/tasks").await.expect(200);
    // What is written in passing stands at the latest once the engine closed.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let listed = app.get(&app.admin, "/tokens").await.expect(200).json();
        if listed["items"][0]["last_used_at"].is_string() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{listed:#}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_audit_log_says_who_did_what_and_holds_no_secret() {
    let app = App::new().await;
    let (acme, admin) = app.company("acme").await;
    let (rival, rival_admin) = app.company("rival").await;
    join(&app, &admin, &acme, "eva", "member").await.expect(200);
    let made = app.post(&admin, "/tokens", r#"{"name": "ci", "scopes": ["read"]}"#).await;
    let made = made.expect(201);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    app.delete(&admin, made.header("location")).await.expect(204);
    let own = actions(&app, &admin, "").await;
    let expected = [
        "\"token.create\" \"ci (read)\"",
        "\"login\" \"eva\"",
        "\"invitation.accept\" \"eva\"",
        "\"invitation.create\" \"eva as member\"",
        "\"member.put\" \"acme-admin as company_admin\"",
    ];
    assert_eq!(own[1..], expected);
    assert!(own[0].starts_with("\"token.revoke\""), "{own:?}");
    let page = app.get(&admin, "/audit").await.expect(200);
    assert!(!page.text().contains(&secret) && !page.text().contains(PASSWORD));
    let first = &page.json()["items"][0];
    assert_eq!((&first["user"], &first["credential"]), (&"acme-admin".into(), &"token".into()));
    assert_eq!(first["request_id"].as_str().map(str::len), Some(36));

    assert_eq!(actions(&app, &admin, "?action=token").await.len(), 2);
    assert_eq!(actions(&app, &admin, "?action=tok").await.len(), 0);
    assert_eq!(actions(&app, &admin, "?until=2020-01-01T00:00:00Z").await.len(), 0);
    let page = app.get(&admin, "/audit?limit=2").await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(actions(&app, &admin, &format!("?limit=2&cursor={cursor}")).await, own[2..4]);

    let other = actions(&app, &rival_admin, "").await;
    assert!(!other.join(" ").contains("eva"), "{other:?}");
    app.get(&rival_admin, &format!("/audit?company={acme}")).await.problem(404, "not_found");
    assert_eq!(actions(&app, &app.admin, &format!("?company={rival}")).await, other);
    assert!(actions(&app, &app.admin, "").await.len() > own.len());
    let member = log_in(&app, "eva", PASSWORD).await.expect(200);
    Browser::of(&app, &member).get("/audit").await.problem(403, "forbidden");
}

#[tokio::test]
async fn nobody_is_drafted_into_a_company_and_no_link_outlives_its_maker() {
    let app = App::new().await;
    let (_, victim) = app.company("acme").await;
    let (company, admin) = app.company("evil").await;
    let name = app.get(&victim, "/auth/me").await.expect(200).json()["name"].clone();
    let members = format!("/companies/{company}/members");
    let body = json!({"name": name, "role": "member"}).to_string();
    let problem = app.post(&admin, &members, body).await.problem(409, "name_taken");
    assert!(problem.get("token").is_none(), "{problem}");

    let added = json!({"name": "rog", "role": "company_admin"}).to_string();
    let rog = app.post(&admin, &members, added).await.expect(201).json();
    let token = rog["token"]["secret"].as_str().unwrap();
    let left_behind = invite(&app, token, &company, "mole", "company_admin").await;
    let id = rog["member"]["user_id"].as_str().or(rog["user_id"].as_str()).unwrap();
    app.delete(&admin, &format!("{members}/{id}")).await.expect(204);
    accept(&app, &left_behind, PASSWORD).await.problem(404, "invitation_gone");
}

#[tokio::test]
async fn a_narrow_token_makes_no_wide_one_by_way_of_somebody_else() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    let narrow = json!({"name": "narrow", "scopes": ["admin"]}).to_string();
    let narrow = app.post(&admin, "/tokens", narrow).await.expect(201).json();
    let narrow = narrow["secret"].as_str().unwrap();
    let members = format!("/companies/{company}/members");
    let added = json!({"name": "puppet", "role": "member"}).to_string();
    let added = app.post(narrow, &members, added).await.expect(201).json();
    assert_eq!(added["token"]["token"]["scopes"], json!(["admin"]), "{added}");
    let invitation = json!({"name": "puppet", "role": "member"}).to_string();
    let path = format!("/companies/{company}/invitations");
    app.post(narrow, &path, invitation).await.problem(403, "out_of_scope");
}

#[tokio::test]
async fn a_companys_admin_leaves_invitations_of_the_platforms_admins_alone() {
    let app = App::new().await;
    let account = app.get(&app.admin, "/auth/me").await.expect(200).json();
    let company = account["company"]["company_id"].as_str().unwrap().to_owned();
    let lesser = json!({"name": "lesser", "role": "company_admin"}).to_string();
    let lesser = app.post(&app.admin, &format!("/companies/{company}/members"), lesser).await;
    let lesser = lesser.expect(201).json()["token"]["secret"].as_str().unwrap().to_owned();
    let path = format!("/companies/{company}/invitations");
    let high = json!({"name": "chief", "role": "admin"}).to_string();
    let made = app.post(&app.admin, &path, high).await.expect(201).json();
    let id = made["invitation"]["invitation_id"].as_str().unwrap();
    let replaced = json!({"name": "chief", "role": "member"}).to_string();
    let problem = app.post(&lesser, &path, replaced).await.problem(403, "forbidden");
    let detail = "This needs the role admin. Ask an administrator of your company.";
    assert_eq!(problem["detail"], detail);
    let revoked = app.delete(&lesser, &format!("{path}/{id}")).await.problem(403, "forbidden");
    assert_eq!(revoked["detail"], detail);
    let secret = made["path"].as_str().unwrap().strip_prefix("/app/invitation/").unwrap();
    let joined = accept(&app, secret, PASSWORD).await.expect(200).json();
    assert_eq!(joined["company"]["role"], "admin");
}

#[tokio::test]
async fn of_two_companies_that_add_the_same_new_name_at_once_one_gets_it() {
    let app = App::new().await;
    for round in 0..10 {
        let create = |company: &str| {
            let body =
                json!({"name": format!("{company}-{round}"), "admin": format!("eva-{round}")});
            app.post(&app.admin, "/companies", body.to_string())
        };
        let (a, b) = tokio::join!(create("a"), create("b"));
        let (won, lost) = if a.status == 201 { (a, b) } else { (b, a) };
        won.expect(201);
        lost.problem(409, "name_taken");
    }
    // Who lost left no company behind.
    let companies = app.get(&app.admin, "/companies").await.expect(200).json();
    assert_eq!(companies["items"].as_array().unwrap().len(), 11, "{companies}");
}

#[tokio::test]
async fn quotas_are_not_lifted_by_a_body_that_got_lost() {
    let app = App::new().await;
    let (company, _) = app.company("acme").await;
    let path = format!("/companies/{company}/quotas");
    let put = |body: &'static str| {
        let put = request(Method::PUT, &app.admin, &path);
        let put = put.header(header::CONTENT_TYPE, "application/json");
        app.send(put.body(Body::from(body)).unwrap())
    };
    put(r#"{"max_queued": 7}"#).await.expect(200);
    let problem = put("").await.problem(422, "invalid_body");
    assert_eq!(problem["detail"], "The body is missing. `{}` sets every quota as at first.");
    let quotas = app.get(&app.admin, &path).await.expect(200).json();
    assert_eq!(quotas["max_queued"], 7);
    let problem = put(r#"{"max_storage_bytes": 9007199254740992}"#).await;
    let problem = problem.problem(422, "invalid_body");
    let expected = "expected a number up to 9007199254740991";
    assert_eq!(problem["faults"][0]["message"], expected, "{problem}");
}
