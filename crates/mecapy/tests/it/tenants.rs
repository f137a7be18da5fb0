//! What one company asks about another's things, for every operation of the
//! OpenAPI document and every parameter of it that names something: the answer
//! is, byte for byte, the one about what does not exist.

mod parties;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use test_support::client::Answer;

use crate::server::server;
use parties::{Caller, Party};

/// What a parameter names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Artifact,
    Company,
    Cursor,
    Deployment,
    File,
    Function,
    Invitation,
    Task,
    Token,
    User,
    /// A file, inside inputs.
    Inputs,
}

/// A parameter of an operation.
#[derive(Clone, Debug)]
struct Parameter {
    place: &'static str,
    name: String,
    kind: Kind,
}

/// An operation with what it takes of names.
#[derive(Clone, Debug)]
struct Operation {
    id: String,
    method: String,
    path: String,
    parameters: Vec<Parameter>,
    has_body: bool,
}

/// What names something, by operation and parameter; `Ok(None)` for what
/// doesn't, and an error for what nobody thought of yet.
fn kind(operation: &str, path: &str, place: &str, name: &str) -> Result<Option<Kind>, String> {
    let resource = path.split('/').nth(1).unwrap_or_default();
    Ok(Some(match (place, name) {
        ("path", "id") => match resource {
            "companies" => Kind::Company,
            "deployments" => Kind::Deployment,
            "functions" => Kind::Function,
            "tasks" => Kind::Task,
            "tokens" => Kind::Token,
            _ => return Err(format!("say in `tenants::kind` what `id` is under /{resource}")),
        },
        ("path", "artifact") => Kind::Artifact,
        ("path", "invitation") => Kind::Invitation,
        ("path", "ref") => Kind::File,
        ("path", "user") | ("query", "user") | ("body", "user_id") => Kind::User,
        ("query", "company") | ("body", "company_id") => Kind::Company,
        ("query", "function") => Kind::Function,
        ("query", "cursor") => Kind::Cursor,
        // No schema says of code's inputs that a text is a file.
        ("body", "inputs") if operation != "runCode" => Kind::Inputs,
        ("query", "action" | "category" | "limit" | "next" | "since" | "status")
        | ("query", "tag" | "text" | "until" | "wait")
        | ("header", "Idempotency-Key" | "Last-Event-ID" | "X-CSRF-Token")
        | ("body", "admin" | "archive" | "base_image" | "code" | "company" | "cpu_limit")
        | ("body", "current_password" | "email" | "expires_at" | "file" | "inputs")
        | ("body", "git_token" | "git_url" | "path" | "ref")
        // Who has an invitation's secret is invited.
        | ("body", "invitation" | "max_cpu_seconds_per_day")
        | ("body", "max_queued" | "max_running" | "max_storage_bytes" | "max_tasks_per_day")
        | ("body", "memory_limit" | "name" | "new_password" | "password" | "priority")
        | ("body", "python_version" | "requirements" | "role" | "scopes" | "timeout" | "weight") => {
            return Ok(None);
        }
        _ => {
            return Err(format!(
                "`{name}` in the {place} of {operation} is new: say in `tenants::kind` whether it \
                 names something of a company's, and what"
            ));
        }
    }))
}

/// The operations of the document that take a name of anything.
fn operations(document: &Value) -> Vec<Operation> {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let mut names: Vec<(&'static str, String)> = Vec::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let place = match parameter["in"].as_str().unwrap() {
                    "path" => "path",
                    "query" => "query",
                    "header" => "header",
                    other => panic!("{id} has a parameter in the {other}: send it in `tenants`"),
                };
                names.push((place, parameter["name"].as_str().unwrap().to_owned()));
            }
            let bodies = operation["requestBody"]["content"].as_object();
            for content in bodies.into_iter().flat_map(serde_json::Map::values) {
                let fields = properties(document, &content["schema"]);
                names.extend(fields.into_iter().map(|field| ("body", field)));
            }
            let mut parameters = Vec::new();
            for (place, name) in names {
                match kind(id, path, place, &name) {
                    Ok(Some(kind)) => parameters.push(Parameter { place, name, kind }),
                    Ok(None) => {}
                    Err(said) => unknown.push(said),
                }
            }
            found.push(Operation {
                id: id.to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                parameters,
                has_body: operation["requestBody"]["content"]["application/json"].is_object(),
            });
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    found
}

/// The fields of a body's schema, through references and alternatives.
fn properties(document: &Value, schema: &Value) -> Vec<String> {
    if let Some(path) = schema["$ref"].as_str() {
        return properties(document, document.pointer(&path[1..]).unwrap());
    }
    let own = schema["properties"].as_object();
    let own = own.into_iter().flat_map(serde_json::Map::keys).cloned();
    let nested = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|key| schema[key].as_array());
    let nested = nested.flatten().flat_map(|schema| properties(document, schema));
    own.chain(nested).collect()
}

/// The rest of a body in which a name is to stand.
fn body(operation: &str) -> Value {
    match operation {
        "createToken" => json!({ "name": "drafted" }),
        "executeFunction" | "switchCompany" => json!({}),
        "invite" | "putMember" => json!({ "name": "intruder" }),
        "setQuotas" => json!({ "max_queued": 1 }),
        other => panic!("say in `tenants::body` what else {other} takes"),
    }
}

/// Asks with these values for the parameters, and gives all that the answer
/// says: the values that were asked with are replaced, and the date left out.
fn ask(caller: &Caller, operation: &Operation, values: &[String]) -> (u16, String) {
    let (mut path, mut query) = (operation.path.clone(), Vec::new());
    let mut sent = if operation.has_body { body(&operation.id) } else { Value::Null };
    for (parameter, value) in operation.parameters.iter().zip(values) {
        match parameter.place {
            "path" => path = path.replace(&format!("{{{}}}", parameter.name), value),
            "query" => query.push(format!("{}={value}", parameter.name)),
            // Inputs hold a reference to a file.
            _ if parameter.kind == Kind::Inputs => sent["inputs"] = json!({ "data": value }),
            _ => sent[&parameter.name] = json!(value),
        }
    }
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    let answer = caller.send(&operation.method, &path, &sent);
    (answer.status, told(&answer, values))
}

fn told(answer: &Answer, values: &[String]) -> String {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers: BTreeMap<_, _> =
        headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let whole = format!("{headers:#?}\n{}", answer.text());
    values.iter().fold(whole, |text, value| text.replace(value.as_str(), "VALUE"))
}

/// How a foreign name may be answered, where it is not 404: a listing that
/// holds nothing, or what is refused whatever is named.
fn expected(operation: &Operation, kinds: &[Kind], caller: &Caller) -> Vec<u16> {
    let mut expected = vec![404];
    let lists = operation.method == "GET" && !operation.path.contains('{');
    if lists || kinds == [Kind::Cursor] {
        expected.push(200);
    }
    if kinds.contains(&Kind::Inputs) {
        expected.push(422);
    }
    // A version is not deleted by itself, whosever it is.
    if operation.id == "deleteFunction" {
        expected.push(422);
    }
    // Only the platform's own may do these, whatever they name.
    if caller.is_narrow || ["listCompanies", "setQuotas"].contains(&operation.id.as_str()) {
        expected.push(403);
    }
    // A token's company is fixed, whichever is named.
    if operation.id == "switchCompany" && !caller.is_session() {
        expected.push(422);
    }
    expected
}

#[test]
fn what_another_company_has_is_answered_as_what_does_not_exist() {
    let running = server();
    let document = running.client.get("/openapi.json").expect(200).json();
    let operations = operations(&document);
    let (acme, rival) = (Party::new(&running, "acme"), Party::new(&running, "rival"));
    let before = acme.state(&operations);
    let (mut asked, mut named, mut met) = (0, 0, 0);
    for operation in operations.iter().filter(|operation| !operation.parameters.is_empty()) {
        met += 1;
        let count = operation.parameters.len();
        named += count;
        // Each alone among the caller's own, and all together.
        let mut choices: Vec<Vec<bool>> =
            (0..count).map(|at| (0..count).map(|own| own == at).collect()).collect();
        choices.push(vec![true; count]);
        choices.dedup();
        for foreign in choices {
            for case in cases(operation, &foreign, &acme, &rival) {
                for caller in &rival.callers {
                    let theirs = ask(caller, operation, &case.theirs);
                    let nobodys = ask(caller, operation, &case.nobodys);
                    let what = format!("{} as {}: {:?}", operation.id, caller.name, case.theirs);
                    assert_eq!(theirs, nobodys, "{what}");
                    let expected = expected(operation, &case.kinds, caller);
                    assert!(expected.contains(&theirs.0), "{what}: {} {}", theirs.0, theirs.1);
                    assert!(!theirs.1.contains("acme"), "{what}: {}", theirs.1);
                    asked += 2;
                }
            }
        }
    }
    assert_eq!(acme.state(&operations), before, "something of the other company's was changed");
    let counted = format!("{met} operations, {named} parameters, {asked} requests");
    assert!(met >= 20 && named >= 25 && asked >= 500, "{counted}");
    // What was asked is seen with `--no-capture`.
    eprintln!("{counted}");
}

/// Values for the parameters of an operation.
struct Case {
    kinds: Vec<Kind>,
    theirs: Vec<String>,
    nobodys: Vec<String>,
}

/// One case for each way in which the first foreign thing is named.
fn cases(operation: &Operation, foreign: &[bool], acme: &Party, rival: &Party) -> Vec<Case> {
    let kinds: Vec<_> = operation.parameters.iter().map(|parameter| parameter.kind).collect();
    let ways = |kind: Kind| acme.names(kind);
    let most = kinds.iter().zip(foreign).filter(|(_, foreign)| **foreign);
    let most = most.map(|(kind, _)| ways(*kind).len()).max().unwrap_or(0);
    (0..most)
        .map(|way| {
            let pick = |(kind, foreign): (&Kind, &bool)| match foreign {
                true => {
                    let ways = ways(*kind);
                    ways[way.min(ways.len() - 1)].clone()
                }
                false => {
                    let own = rival.names(*kind)[0].0.clone();
                    (own.clone(), own)
                }
            };
            let (theirs, nobodys) = kinds.iter().zip(foreign).map(pick).unzip();
            let kinds = kinds.iter().zip(foreign).filter(|(_, foreign)| **foreign);
            Case { kinds: kinds.map(|(kind, _)| *kind).collect(), theirs, nobodys }
        })
        .collect()
}
