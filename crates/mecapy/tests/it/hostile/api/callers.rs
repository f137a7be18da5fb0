//! Callers who are nobody, or somebody else.

use std::time::Duration;

use domain::Clock as _;
use domain::clock::System;
use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::{Answer, Client};
use ureq::http::Method;

use super::{Raw, echo, post, problem, status};
use crate::hostile::Fortress;
use crate::server::{deploy, execute};

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
fn an_id_of_another_company_answers_as_one_that_does_not_exist() {
    let fortress = Fortress::new();
    let company = |name: &str| {
        let body = json!({ "name": name }).to_string();
        let made = post(&fortress, "/companies", body, "en").expect(201).json();
        let secret = made["admin_token"]["secret"].as_str().unwrap().to_owned();
        (made, fortress.client.with_token(Some(&secret)))
    };
    let ((acme, owner), (_, rival)) = (company("acme"), company("rival"));
    let deployed = deploy(
        &owner,
        &Archive::new(
            "secret-sauce",
            "from mecapy_runtime import outputs\n\ndef calculate(inputs):\n    \
             (outputs() / 'a.txt').write_text('secret')\n    return {'sauce': 'secret'}\n",
        ),
    );
    let task = execute(&owner, "secret-sauce", &json!({})).expect(200).json();
    assert_eq!(task["status"], "completed", "{task:#}");
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    let task = id(&task["task_id"]);
    let artifacts = owner.get(&format!("/tasks/{task}/artifacts")).expect(200).json();
    let artifact = id(&artifacts["items"][0]["artifact_id"]);
    let file = id(&owner.post_file("/files", "file", "a.csv", b"1;2").expect(201).json()["ref"]);
    let token = acme["admin_token"]["token"].clone();
    let (token, user) = (id(&token["token_id"]), id(&token["user_id"]));
    let company = id(&acme["company"]["company_id"]);
    let invitations = format!("/companies/{company}/invitations");
    let invited = owner.post(&invitations, &json!({ "name": "kim" })).expect(201).json();
    let invitation = id(&invited["invitation"]["invitation_id"]);
    let known = |segment: &str| match segment {
        "companies" => company.clone(),
        "deployments" => id(&deployed["deployment_id"]),
        "files" => file.clone(),
        "functions" => id(&deployed["function_id"]),
        "tasks" => task.clone(),
        "tokens" => token.clone(),
        other => panic!("no id for {other}"),
    };
    let nobody = "0198f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506";
    let documented = fortress.client.get("/openapi.json").expect(200).json();
    let mut asked = 0;
    for (path, item) in documented["paths"].as_object().unwrap() {
        let Some((resource, rest)) = path[1..].split_once("/{") else { continue };
        let rest = rest.split_once('}').unwrap().1;
        let second = rest.replace("{user}", &user).replace("{artifact}", &artifact);
        let second = second.replace("{invitation}", &invitation);
        for method in item.as_object().unwrap().keys() {
            let body = match (resource, rest) {
                ("companies", "/members" | "/invitations") => r#"{"name": "eva"}"#,
                ("companies", "/quotas") => r#"{"max_queued": 1}"#,
                _ => "",
            };
            let method = method.to_uppercase();
            let answer = |id: &str, second: &str| {
                let path = format!("/{resource}/{id}{second}");
                let answer = ask(&rival, &method, &path, body);
                let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
                let headers = format!("{:?}", headers.collect::<Vec<_>>());
                let text = answer.text().replace(&path, "PATH");
                (answer.status, text, headers.replace(&path, "PATH"))
            };
            let theirs = answer(&known(resource), &second);
            assert_eq!(theirs, answer(nobody, &second), "{method} {path}");
            // Quotas are the platform's alone, whoever asks.
            let expected = if (rest, method.as_str()) == ("/quotas", "PUT") { 403 } else { 404 };
            assert_eq!(theirs.0, expected, "{method} {path}: {}", theirs.1);
            assert!(!theirs.1.contains("secret"), "{method} {path}: {}", theirs.1);
            asked += 1;
        }
    }
    assert!(asked >= 20, "{asked} routes take an id");
    // By name as well, and in what is listed.
    for (theirs, none) in
        [("secret-sauce", "secret-sauze"), ("acme:secret-sauce", "acmo:secret-sauce")]
    {
        let ask = |name: &str| {
            let answer = ask(&rival, "GET", &format!("/functions/{name}"), "");
            (answer.status, answer.text().replace(name, "NAME"))
        };
        assert_eq!(ask(theirs), ask(none));
    }
    for path in ["/functions", "/tasks", "/files", "/tokens", "/queue"] {
        let text = rival.get(path).text();
        assert!(!text.contains("secret-sauce") && !text.contains(&task), "{path}: {text}");
    }
    // Nothing of it was touched.
    let _ = owner.get(&format!("/tasks/{task}/result")).expect(200);
    let _ = owner.get("/functions/secret-sauce").expect(200);
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
