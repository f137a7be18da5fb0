//! Tokens: who is let in.

use axum::body::Body;
use axum::http::{Method, header};

use crate::app::{App, request};

/// What is answered without a token.
const PUBLIC: [&str; 4] = ["/health", "/health/live", "/health/ready", "/metrics"];
/// Where somebody who has no token yet gets one, or is told what is missing.
const ENTRANCES: [&str; 2] = ["/auth/login", "/auth/accept"];

#[tokio::test]
async fn every_route_but_the_public_ones_needs_a_token() {
    let app = App::new().await;
    let document: serde_json::Value = serde_json::from_str(&api::openapi_json()).unwrap();
    let mut refused = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let concrete = path.replace("{id}", "0198f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506");
        let concrete = concrete.replace(['{', '}'], "");
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            for prefix in ["", "/api"] {
                let path = format!("{prefix}{concrete}");
                let sent = request(method.clone(), "", &path).body(Body::empty()).unwrap();
                let answer = app.send(sent).await;
                if PUBLIC.contains(&concrete.as_str()) {
                    assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
                    continue;
                }
                if ENTRANCES.contains(&concrete.as_str()) {
                    assert!([303, 422].contains(&answer.status.as_u16()), "{method} {path}");
                    continue;
                }
                answer.problem(401, "unauthenticated");
                assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"mecapy\"", "{path}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

#[tokio::test]
async fn where_tokens_are_not_asked_for_a_request_without_one_acts_as_the_administrator() {
    let mut app = App::new().await;
    let without_token = Some(app.engine.administrator().await.unwrap());
    let settings = api::Settings { without_token, ..api::Settings::default() };
    app.api = api::Api::new(app.engine.clone(), settings).unwrap();
    // Only a platform's administrator sees these.
    app.get("", "/companies").await.expect(200);
    // What is shown is still checked, and other sites' pages stay outside.
    app.get("x", "/tasks").await.problem(401, "unauthenticated");
    let foreign = request(Method::GET, "", "/tasks")
        .header(header::HOST, "127.0.0.1:8000")
        .header(header::ORIGIN, "https://other.example")
        .body(Body::empty());
    app.send(foreign.unwrap()).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_that_is_none_of_ours_is_refused() {
    let app = App::new().await;
    for token in [
        "mecapy_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
        "' OR 1=1 --",
        "x",
    ] {
        let answer = app.get(token, "/tasks").await;
        answer.problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{token}");
    }
    let request = request(Method::GET, &app.admin, "/tasks")
        .header(header::AUTHORIZATION, "Bearer other")
        .body(Body::empty());
    app.send(request.unwrap()).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_is_shown_once_and_refused_after_its_revocation() {
    let app = App::new().await;
    let made = app.post(&app.admin, "/tokens", r#"{"name": "ci"}"#).await.expect(201);
    let path = made.header("location").to_owned();
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    app.get(&secret, "/tasks").await.expect(200);
    let listed = app.get(&secret, "/tokens").await.expect(200);
    assert!(listed.text().contains("\"ci\""));
    assert!(!listed.text().contains(&secret));
    app.delete(&app.admin, &path).await.expect(204);
    app.get(&secret, "/tasks").await.problem(401, "unauthenticated");
    app.delete(&app.admin, &path).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_token_that_would_have_ended_already_is_not_made() {
    let app = App::new().await;
    let body = r#"{"name": "old", "expires_at": "2020-01-01T00:00:00Z"}"#;
    let problem = app.post(&app.admin, "/tokens", body).await.problem(422, "invalid_body");
    assert_eq!(problem["faults"][0]["key"], "/expires_at");
}

#[tokio::test]
async fn a_companys_admin_gets_no_hold_of_the_platforms_admin() {
    let app = App::new().await;
    let own = app.get(&app.admin, "/tokens").await.expect(200).json();
    let token = &own["items"][0];
    let (company, root) =
        (token["company_id"].as_str().unwrap(), token["user_id"].as_str().unwrap());
    let members = format!("/companies/{company}/members");
    let body = r#"{"name": "eva", "role": "company_admin"}"#;
    let added = app.post(&app.admin, &members, body).await.expect(201).json();
    let eva = added["token"]["secret"].as_str().unwrap();
    let body = format!(r#"{{"name": "mine", "user_id": "{root}"}}"#);
    app.post(eva, "/tokens", body).await.problem(403, "forbidden");
    let body = r#"{"name": "admin", "role": "member"}"#;
    app.post(eva, &members, body).await.problem(403, "forbidden");
    app.delete(eva, &format!("{members}/{root}")).await.problem(403, "forbidden");
    app.get(&app.admin, "/companies").await.expect(200);
}

#[tokio::test]
async fn a_member_manages_neither_companies_nor_members() {
    let app = App::new().await;
    let (company, admin) = app.company("acme").await;
    let path = format!("/companies/{company}/members");
    let added = app.post(&admin, &path, r#"{"name": "eva"}"#).await.expect(201).json();
    let member = added["token"]["secret"].as_str().unwrap().to_owned();
    for (token, path, body) in [
        (&member, path.as_str(), r#"{"name": "bob"}"#),
        (&member, "/companies", r#"{"name": "other"}"#),
        (&admin, "/companies", r#"{"name": "other"}"#),
        (&admin, path.as_str(), r#"{"name": "bob", "role": "admin"}"#),
    ] {
        app.post(token, path, body).await.problem(403, "forbidden");
    }
    app.get(&admin, "/companies").await.problem(403, "forbidden");
    app.get(&member, &path).await.expect(200);
    let user = added["member"]["user_id"].as_str().unwrap();
    app.delete(&admin, &format!("{path}/{user}")).await.expect(204);
    app.get(&member, "/tasks").await.problem(401, "unauthenticated");
}
