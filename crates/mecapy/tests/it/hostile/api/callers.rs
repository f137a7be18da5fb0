//! Callers who are nobody, or somebody else.

use std::time::Duration;

use domain::Clock as _;
use domain::clock::System;
use serde_json::json;
use test_support::client::{Answer, Client};
use ureq::http::Method;

use super::{Raw, echo, post, problem, status};
use crate::hostile::Fortress;

/// Every route that asks for a token, with an id that could be any.
const ROUTES: [(&str, &str); 6] = [
    ("GET", "/tasks"),
    ("GET", "/functions/honest"),
    ("POST", "/functions/honest/execute"),
    ("GET", "/tasks/0198f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506/result"),
    ("GET", "/companies"),
    ("DELETE", "/functions/honest"),
];

/// The bytes of an answer to a request with a fixed id of its own.
fn ask(client: &Client, method: &str, path: &str, body: &str) -> Answer {
    let headers = [("x-request-id", "same"), ("content-type", "application/json")];
    client.send(method.parse().unwrap(), path, &headers, body.as_bytes().to_vec())
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut coded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            let letter = (bits >> (18 - 6 * position)) & 63;
            coded.push(char::from(LETTERS[letter as usize]));
        }
    }
    coded
}

/// A web token with this header and signature, for the administrator.
fn web_token(header: &str, audience: &str, signature: &str) -> String {
    let claims = json!({
        "iss": "mecapy", "aud": audience, "sub": "admin", "name": "admin", "role": "admin",
        "company": "main", "exp": 4_102_444_800_u64,
    });
    format!("{}.{}.{}", base64(header), base64(&claims.to_string()), base64(signature))
}

#[test]
fn tokens_that_are_expired_foreign_unsigned_or_of_no_algorithm_are_all_told_the_same() {
    let fortress = Fortress::new();
    let soon = System.now().after(Duration::from_secs(2));
    let short = json!({ "name": "short", "expires_at": soon.to_string() }).to_string();
    let short = post(&fortress, "/tokens", short, "en").expect(201).json();
    let expired = short["secret"].as_str().unwrap().to_owned();
    let revoked = post(&fortress, "/tokens", r#"{"name": "gone"}"#, "en").expect(201);
    let path = revoked.header("location").unwrap().to_owned();
    let revoked = revoked.json()["secret"].as_str().unwrap().to_owned();
    let client = |token: &str| fortress.client.with_token(Some(token));
    for token in [&expired, &revoked] {
        let _ = client(token).get("/tasks").expect(200);
    }
    let _ = fortress.client.delete(&path).expect(204);

    let own = fortress.server.token();
    let other = Fortress::new();
    let mut tokens = vec![
        revoked,
        other.server.token().to_owned(),
        format!("{own}x"),
        own[..own.len() - 1].to_owned(),
        own.to_uppercase(),
        "mecapy_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        "' OR 1=1 --".to_owned(),
        "a".repeat(4000),
        "a".repeat(5000),
    ];
    for header in [
        r#"{"alg":"none","typ":"JWT"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"RS256","jku":"http://127.0.0.1:9/keys"}"#,
        r#"{"alg":"HS256","kid":"../../../../dev/null"}"#,
    ] {
        for audience in ["mecapy", "another-service"] {
            tokens.push(web_token(header, audience, ""));
            tokens.push(web_token(header, audience, "signed by nobody"));
        }
    }
    while System.now() < soon {
        std::thread::sleep(Duration::from_millis(20));
    }
    tokens.push(expired);
    for (method, path) in ROUTES {
        let told = ask(&client("mecapy_unknown"), method, path, "{}");
        let body = problem(&told, 401, "unauthenticated");
        assert_eq!(
            body["detail"],
            "The token is unknown, expired or revoked. Make another one with `mecapy token create`."
        );
        let challenge = "Bearer realm=\"mecapy\", error=\"invalid_token\"";
        assert_eq!(told.header("www-authenticate"), Some(challenge));
        for token in &tokens {
            let answer = ask(&client(token), method, path, "{}");
            assert_eq!((answer.status, &answer.body), (401, &told.body), "{token}");
            assert_eq!(answer.header("www-authenticate"), Some(challenge), "{token}");
        }
    }
    let bytes = b"GET /tasks HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer \xff\xfe\r\n";
    let said = Raw::ask(&fortress, [bytes.as_slice(), b"Connection: close\r\n\r\n"].concat());
    assert_eq!(status(&said), 401, "{said}");
    let two = "Authorization: Bearer x\r\n{T}Connection: close\r\n\r\n";
    let said = Raw::ask(&fortress, format!("GET /tasks HTTP/1.1\r\n{two}"));
    assert_eq!(status(&said), 401, "{said}");
    let french = [("accept-language", "fr")];
    let told = client("x").send(Method::GET, "/tasks", &french, Vec::new());
    let told = problem(&told, 401, "unauthenticated");
    assert!(
        told["detail"].as_str().unwrap().starts_with("Le jeton est inconnu, expiré ou révoqué")
    );
    let said = fortress.server.said();
    assert!(!tokens.iter().any(|token| token.len() > 20 && said.contains(token)), "{said}");
    other.stands();
    fortress.stands();
}

#[test]
fn a_key_replayed_with_another_body_is_refused() {
    let fortress = Fortress::new();
    fortress.deploy(&echo("echo"));
    let send = |path: &str, key: &str, body: &str, language: &str| {
        let headers = [
            ("idempotency-key", key),
            ("content-type", "application/json"),
            ("accept-language", language),
        ];
        fortress.client.send(Method::POST, path, &headers, body.as_bytes().to_vec())
    };
    let path = "/functions/echo/execute";
    let first = send(path, "k", r#"{"inputs": {"a": 1}}"#, "en").expect(202);
    let again = send(path, "k", r#"{"inputs": {"a": 1}}"#, "en").expect(202);
    assert_eq!(first.body, again.body);
    for (path, body) in [
        (path, r#"{"inputs": {"a": 2}}"#),
        (path, r#"{"inputs": {"a": 1} }"#),
        ("/functions/honest/execute", r#"{"inputs": {"a": 1}}"#),
        ("/tokens", r#"{"name": "x"}"#),
    ] {
        let refused = problem(&send(path, "k", body, "en"), 422, "idempotency_key_reused");
        let detail = "This key was sent with another request. Use a new key for each new request.";
        assert_eq!(refused["detail"], detail);
        let refused = problem(&send(path, "k", body, "fr"), 422, "idempotency_key_reused");
        assert!(refused["detail"].as_str().unwrap().starts_with("Cette clé a été envoyée avec"));
    }
    for key in ["", &"k".repeat(256), "\u{e9}"] {
        problem(&send(path, key, "{}", "en"), 400, "invalid_header");
    }
    let tasks = fortress.client.get("/tasks?function=echo").expect(200).json();
    assert_eq!(tasks["items"].as_array().map(Vec::len), Some(1), "{tasks:#}");
    fortress.stands();
}
