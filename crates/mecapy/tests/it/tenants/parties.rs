//! Two companies with one of everything, and whoever may speak for one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use test_support::archive::Archive;
use test_support::client::{Answer, Client};
use ureq::http::Method;

use super::{Kind, Operation};
use crate::server::{Running, deploy, execute};

const PASSWORD: &str = "correct horse battery";
const HANDLER: &str = "from mecapy_runtime import outputs\n\n\ndef calculate(inputs):\n    \
                       (outputs() / 'a.txt').write_text('of acme')\n    \
                       print('of acme')\n    return {'x': 'of acme'}\n";
/// Somebody who asks.
pub(super) struct Caller {
    pub(super) name: &'static str,
    /// Whether a role or scopes bound what is let through.
    pub(super) is_narrow: bool,
    client: Client,
    session: Option<(String, String)>,
}

impl Caller {
    fn token(name: &'static str, client: &Client, secret: &str, is_narrow: bool) -> Self {
        Self { name, is_narrow, client: client.with_token(Some(secret)), session: None }
    }

    pub(super) fn is_session(&self) -> bool {
        self.session.is_some()
    }

    /// Sends a request whose id is always the same.
    pub(super) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let mut headers = vec![("x-request-id", "same")];
        if let Some((cookie, csrf)) = &self.session {
            headers.extend([("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())]);
        }
        let bytes = match body {
            Value::Null => Vec::new(),
            body => {
                headers.push(("content-type", "application/json"));
                body.to_string().into_bytes()
            }
        };
        self.client.send(method.parse::<Method>().unwrap(), path, &headers, bytes)
    }
}

/// A company with one of everything.
pub(super) struct Party {
    ids: BTreeMap<Kind, String>,
    name: String,
    owner: Client,
    pub(super) callers: Vec<Caller>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("expected a text, found {value}")).to_owned()
}

impl Party {
    pub(super) fn new(running: &Running, name: &str) -> Self {
        let admin = &running.client;
        let made = admin.post("/companies", &json!({ "name": name })).expect(201).json();
        let secret = text(&made["admin_token"]["secret"]);
        let owner = admin.with_token(Some(&secret));
        let company = text(&made["company"]["company_id"]);
        // Named alike in length, and in nothing else.
        let archive = Archive::new(&format!("{name}-sauce"), HANDLER).inputs_schema(json!({
            "type": "object",
            "properties": { "data": { "type": "string", "format": "file" } },
        }));
        let deployed = deploy(&owner, &archive);
        let task = execute(&owner, &format!("{name}-sauce"), &json!({})).expect(200).json();
        assert_eq!(task["status"], "completed", "{task:#}");
        let _ = execute(&owner, &format!("{name}-sauce"), &json!({})).expect(200);
        let task = text(&task["task_id"]);
        let artifacts = owner.get(&format!("/tasks/{task}/artifacts")).expect(200).json();
        let cursor = owner.get("/tasks?limit=1").expect(200).json();
        let invitations = format!("/companies/{company}/invitations");
        let guest = json!({ "name": format!("{name}-guest") });
        let invited = owner.post(&invitations, &guest).expect(201).json();
        let file = owner.post_file("/files", "file", "a.csv", b"of acme").expect(201).json();
        let token = owner.post("/tokens", &json!({ "name": "spare" })).expect(201).json();
        let ids = BTreeMap::from([
            (Kind::Artifact, text(&artifacts["items"][0]["artifact_id"])),
            (Kind::Company, company.clone()),
            (Kind::Cursor, text(&cursor["next_cursor"])),
            (Kind::Deployment, text(&deployed["deployment_id"])),
            (Kind::File, text(&file["ref"])),
            (Kind::Function, text(&deployed["function_id"])),
            (Kind::Inputs, text(&file["ref"])),
            (Kind::Invitation, text(&invited["invitation"]["invitation_id"])),
            (Kind::Task, task),
            (Kind::Token, text(&token["token"]["token_id"])),
            (Kind::User, text(&made["admin_token"]["token"]["user_id"])),
        ]);
        let callers = callers(&owner, &secret, &company, name);
        Self { ids, name: name.to_owned(), owner, callers }
    }

    /// The ways to name what the company has of a kind, each beside a name of
    /// the same form that nothing has.
    pub(super) fn names(&self, kind: Kind) -> Vec<(String, String)> {
        let id = &self.ids[&kind];
        let mut names = vec![match kind {
            Kind::Cursor => (id.clone(), cursor(&unknown(&id[2..34]))),
            _ => (id.clone(), unknown(id)),
        }];
        if kind == Kind::Function {
            let name = &self.name;
            for (own, none) in [
                (format!("{name}-sauce"), format!("{name}-sauze")),
                (format!("{name}:{name}-sauce"), format!("{name}:{name}-sauze")),
                (format!("{name}:{name}-sauce@0.1.0"), format!("{name}:{name}-sauze@0.1.0")),
            ] {
                names.push((own, none));
            }
        }
        names
    }

    /// All that the company's administrator can read of it.
    pub(super) fn state(&self, operations: &[Operation]) -> BTreeMap<String, String> {
        let read = operations.iter().filter(|operation| operation.method == "GET");
        // What changes by itself: the use of a token, and what is counted.
        let still = read.filter(|operation| {
            !["/queue", "/workers", "/metrics", "/health", "/auth"]
                .iter()
                .any(|start| operation.path.starts_with(start))
        });
        still
            .map(|operation| {
                let path = operation
                    .parameters
                    .iter()
                    .filter(|own| own.place == "path")
                    .fold(operation.path.clone(), |path, own| {
                        path.replace(&format!("{{{}}}", own.name), &self.ids[&own.kind])
                    });
                let answer = self.owner.get(&path);
                assert!([200, 403].contains(&answer.status), "{path}: {}", answer.text());
                (path, without_use(&answer.text()))
            })
            .collect()
    }
}

/// Everybody who may speak for a company.
fn callers(owner: &Client, secret: &str, company: &str, name: &str) -> Vec<Caller> {
    let mut callers = vec![Caller::token("its administrator", owner, secret, false)];
    let member = json!({ "name": format!("{name}-member") });
    let member = owner.post(&format!("/companies/{company}/members"), &member).expect(201).json();
    callers.push(Caller::token("a member", owner, &text(&member["token"]["secret"]), true));
    for scope in ["read", "run", "deploy", "admin"] {
        let narrow = json!({ "name": scope, "scopes": [scope] });
        let narrow = owner.post("/tokens", &narrow).expect(201).json();
        callers.push(Caller::token(scope, owner, &text(&narrow["secret"]), true));
    }
    let invited = json!({ "name": format!("{name}-browser"), "role": "company_admin" });
    let invitations = format!("/companies/{company}/invitations");
    let invited = owner.post(&invitations, &invited).expect(201).json();
    let link = text(&invited["path"]);
    let accept = json!({ "invitation": link.rsplit('/').next(), "password": PASSWORD });
    let nobody = owner.with_token(None);
    let joined = nobody.post("/auth/accept", &accept).expect(200);
    let cookie = joined.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let session = Some((cookie, text(&joined.json()["csrf_token"])));
    callers.push(Caller { name: "a browser", is_narrow: false, client: nobody, session });
    callers
}

/// The same with another last sign: of the same time, and nobody's.
fn unknown(id: &str) -> String {
    let (rest, last) = id.split_at(id.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

/// A cursor of these digits, with the checksum that one has.
fn cursor(digits: &str) -> String {
    let (low, high) = digits.bytes().fold((0_u16, 0_u16), |(low, high), byte| {
        let low = (low + u16::from(byte)) % 255;
        (low, (high + low) % 255)
    });
    format!("p1{digits}{:04x}", high << 8 | low)
}

/// A listing without when its tokens were used last.
fn without_use(text: &str) -> String {
    let Ok(mut body) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    for item in body["items"].as_array_mut().into_iter().flatten() {
        if let Some(item) = item.as_object_mut() {
            item.remove("last_used_at");
        }
    }
    // A refusal names its request.
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    body.to_string()
}
