//! Code that is run without being deployed: checked, locked and kept like a
//! function, in the same sandbox, and shown to nobody.

use serde_json::{Value, json};
use test_support::client::{Answer, Client};
use test_support::wheels::{Index, Wheel};
use ureq::http::Method;

use super::{deploy, echo, run, server, server_with, start, until};
use crate::program::mecapy;

const DOUBLE: &str = "def calculate(inputs):\n    return {'y': 2 * inputs['x']}\n";

/// `python-base`, so that no test waits for NumPy.
fn request(code: &str, inputs: Value) -> Value {
    json!({ "code": code, "inputs": inputs, "base_image": "python-base" })
}

fn post(client: &Client, request: &Value) -> Answer {
    client.post("/tasks?wait=60", request)
}

fn with(mut request: Value, field: &str, value: Value) -> Value {
    request[field] = value;
    request
}

#[test]
fn code_is_run_recorded_and_kept_and_the_same_code_is_the_same_version() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = start(&data, &[("MECAPY_STATIC_CHECK", "deny-list")]);
    let client = server.client();
    let named = with(request(DOUBLE, json!({ "x": 21 })), "name", json!("trial n° 1"));
    let task = post(&client, &named).expect(200).json();
    assert_eq!(task["status"], "completed", "{task:#}");
    assert_eq!(task["result"], json!({ "y": 42 }));
    assert_eq!(task["name"], "trial n° 1");
    for of_a_function in ["function", "function_id", "version"] {
        assert_eq!(task[of_a_function], Value::Null);
    }
    let id = task["task_id"].as_str().unwrap().to_owned();
    let again = post(&client, &request(DOUBLE, json!({ "x": 1.5 }))).expect(200).json();
    assert_eq!((&again["result"], &again["name"]), (&json!({ "y": 3.0 }), &json!("ad-hoc")));

    // Listed among the tasks, and nowhere among the functions.
    let listed = client.get("/tasks").expect(200).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(client.get("/functions").expect(200).json()["items"], json!([]));
    let hidden = "00000000-0000-0000-0000-000000000000";
    for path in ["", "/versions", "/archive"] {
        let _ = client.get(&format!("/functions/{hidden}{path}")).expect(404);
        let _ = client.get(&format!("/functions/ad-hoc{path}")).expect(404);
    }
    let _ = client.delete(&format!("/functions/{hidden}")).expect(404);
    let execute = client.post(&format!("/functions/{hidden}/execute"), &json!({}));
    assert_eq!(execute.status, 404);
    // A user's function may have any name.
    deploy(&client, &test_support::archive::Archive::new("ad-hoc", DOUBLE));
    assert_eq!(run(&client, "ad-hoc", &json!({ "x": 2 }))["function"], "ad-hoc");

    // Without waiting, and after a restart.
    let body = request(
        "import time\n\ndef calculate(inputs):\n    time.sleep(0.2)\n    return {}\n",
        json!({}),
    );
    let accepted = client.post("/tasks", &body).expect(202).json();
    until(&client, accepted["task_id"].as_str().unwrap(), "completed");
    server.terminate().unwrap();
    let server = start(&data, &[]);
    let client = server.client();
    assert_eq!(client.get(&format!("/tasks/{id}/result")).expect(200).json(), json!({ "y": 42 }));
    let third = post(&client, &request(DOUBLE, json!({ "x": 4 }))).expect(200).json();
    assert_eq!(third["result"], json!({ "y": 8 }));
    assert_eq!(third["warm"], false, "its template has to be started");
    let slow = with(
        request("import time\n\ndef calculate(inputs):\n    time.sleep(60)\n", json!({})),
        "timeout",
        json!(0.5),
    );
    let task = post(&client, &slow).expect(200).json();
    assert_eq!((&task["error"]["kind"], &task["error"]["limit"]), (&json!("timeout"), &json!(0.5)));
}

#[test]
fn packages_are_locked_once_and_built_at_the_first_run() {
    let index = Index::start(&[
        Wheel::new("bolts", "1.0").file("bolts.py", "SIZE = 12\n"),
        Wheel::new("bolts", "2.0").file("bolts.py", "SIZE = 20\n"),
    ])
    .unwrap();
    let running = server_with(&[("MECAPY_INDEX_URL", index.url().as_str())]);
    let client = &running.client;
    let code = "import bolts\n\ndef calculate(inputs):\n    return {'size': bolts.SIZE}\n";
    let sized = |requirement: &str| {
        let request = with(request(code, json!({})), "requirements", json!([requirement]));
        post(client, &request).expect(200).json()
    };
    assert_eq!(sized("bolts==1.0")["result"], json!({ "size": 12 }));
    assert_eq!(sized("bolts")["result"], json!({ "size": 20 }));
    let missing = post(client, &request(code, json!({}))).expect(200).json();
    assert_eq!(missing["error"]["exception"], "ModuleNotFoundError");
    let unknown = with(request(code, json!({})), "requirements", json!(["bolts==3.0", "no-such"]));
    let problem = client.post("/tasks", &unknown).expect(422).json();
    assert_eq!(problem["code"], "invalid_body");
    let faults = problem["faults"].as_array().unwrap();
    assert!(!faults.is_empty() && faults.iter().all(|fault| fault["key"] == "/requirements"));
    let codes: Vec<_> = faults.iter().map(|fault| fault["code"].as_str().unwrap()).collect();
    assert!(codes.iter().all(|code| code.starts_with("requirement_")), "{problem:#}");
    let said = problem.to_string();
    assert!(said.contains("no-such") && said.contains("bolts==3.0"), "{said}");

    // Nothing that another request would mend is held against the caller.
    drop(index);
    let other = with(request(code, json!({})), "requirements", json!(["nuts"]));
    let answer = client.post("/tasks", &other).expect(503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.json()["faults"][0]["code"], "environment_index");
    assert_eq!(sized("bolts==1.0")["result"], json!({ "size": 12 }), "what is locked stays so");
}

#[test]
fn every_wrong_field_is_told_at_once_and_in_both_languages() {
    let running = server_with(&[("MECAPY_STATIC_CHECK", "deny-list")]);
    let client = &running.client;
    let told = |request: &Value, lang: &str| -> Vec<(String, String)> {
        let headers = [("content-type", "application/json"), ("accept-language", lang)];
        let body = request.to_string().into_bytes();
        let problem = client.send(Method::POST, "/tasks", &headers, body).expect(422).json();
        assert_eq!(problem["code"], "invalid_body", "{problem:#}");
        let faults = problem["faults"].as_array().unwrap().iter();
        let mut told: Vec<_> = faults
            .map(|fault| {
                let text = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
                (text("key"), text("message"))
            })
            .collect();
        told.sort();
        told
    };
    let bad = json!({
        "name": "two\nlines",
        "code": "import subprocess\n\ndef calculate(a, b):\n    return {}\n",
        "requirements": ["numpy", "git+https://example.org/x"],
        "base_image": "python-huge",
        "python_version": "2.7",
        "memory_limit": 1_000_000,
        "cpu_limit": 0,
        "timeout": 1e9,
    });
    let en = told(&bad, "en");
    let keys: Vec<_> = en.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "/base_image",
            "/code",
            "/code",
            "/cpu_limit",
            "/memory_limit",
            "/name",
            "/python_version",
            "/requirements/1",
            "/timeout",
        ]
    );
    for (key, found) in [
        ("/base_image", "python-huge"),
        ("/code", "subprocess"),
        ("/cpu_limit", "0.1"),
        ("/memory_limit", "4096"),
        ("/name", "expected a name of 1 to 200 characters on one line"),
        ("/python_version", "2.7"),
        ("/requirements/1", "git+https://example.org/x"),
        ("/timeout", "expected a timeout from 0.001 to 600 s"),
    ] {
        let is_said = en.iter().any(|(at, message)| at == key && message.contains(found));
        assert!(is_said, "{key} {found}: {en:#?}");
    }
    let fr = told(&bad, "fr");
    assert_eq!(fr.len(), en.len());
    assert!(en.iter().zip(&fr).all(|(en, fr)| en.1 != fr.1), "{fr:#?}");
    assert!(
        fr.iter()
            .any(|(_, message)| message == "attendu : un nom de 1 à 200 caractères sur une ligne")
    );

    let one = |request: Value| {
        let mut told = told(&request, "en");
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    };
    let at = |key: &str, message: &str| (key.to_owned(), message.to_owned());
    assert_eq!(
        one(json!({})),
        at("/code", "the field `code` is missing: a text, the Python module with `calculate`")
    );
    assert_eq!(
        one(json!({ "code": 1 })),
        at("/code", "expected a text, the Python module with `calculate`, found 1")
    );
    assert_eq!(
        one(json!({ "code": DOUBLE, "cod": 1 })),
        at("/cod", "unknown field `cod`; did you mean `code`?")
    );
    assert_eq!(
        one(json!({ "code": DOUBLE, "priority": 10 })),
        at("/priority", "expected an integer from 0 to 9 (9 is the most urgent), found 10")
    );
    assert_eq!(
        one(json!({ "code": DOUBLE, "timeout": "long" })),
        at("/timeout", "expected a number of seconds, found \"long\"")
    );
    assert_eq!(one(json!({ "code": DOUBLE, "name": 1 })), at("/name", "expected a text, found 1"));
    let broken = json!({ "code": "def calculate(inputs):\n    return )\n" });
    let (key, message) = told(&broken, "en").remove(0);
    assert!(key == "/code" && message.starts_with("not valid Python"), "{message}");
    let (key, message) = one(json!({ "code": "x = 1\n" }));
    assert!(key == "/code" && message.contains("calculate"), "{message}");
    let (key, _) = one(with(request(DOUBLE, json!([1])), "name", json!(null)));
    assert_eq!(key, "/inputs");
    let (key, message) = one(with(request(DOUBLE, json!({})), "requirements", json!("numpy")));
    assert_eq!(key, "/requirements");
    assert!(message.contains("list"), "{message}");
    let hooked = with(request(DOUBLE, json!({})), "webhook", json!("http://127.0.0.1:1/"));
    let problem = client.post("/tasks", &hooked).expect(422).json();
    assert_eq!(problem["code"], "not_offered");
    let large = with(request(DOUBLE, json!({})), "code", json!("#".repeat((1 << 20) + 1)));
    let (key, message) = told(&large, "en").remove(0);
    assert!(key == "/code" && message.contains("too large"), "{message}");
    assert_eq!(client.get("/tasks").expect(200).json()["items"], json!([]), "nothing was accepted");
}

#[test]
fn hostile_code_meets_the_same_walls() {
    let running = server();
    let client = &running.client;
    for (code, kind, said) in [
        (
            "import socket\n\ndef calculate(inputs):\n    socket.create_connection(('127.0.0.1', 80))\n",
            "user_error",
            "no network",
        ),
        ("import os\n\ndef calculate(inputs):\n    os._exit(7)\n", "invalid_output", "exit code 7"),
        ("def calculate(inputs):\n    return {'x': [0] * 10**9}\n", "out_of_memory", "memory"),
        (
            "import os\n\ndef calculate(inputs):\n    open('/code/handler.py', 'w')\n",
            "user_error",
            "Read-only",
        ),
        (
            "import os\n\ndef calculate(inputs):\n    os.write(4, b'nonsense' * 9)\n    return {}\n",
            "invalid_output",
            "file 4",
        ),
    ] {
        let limited = with(request(code, json!({})), "memory_limit", json!(64));
        let task = post(client, &limited).expect(200).json();
        assert_eq!(task["error"]["kind"], kind, "{code}: {task:#}");
        let message = task["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{message}");
    }
    deploy(client, &echo());
    assert_eq!(run(client, "echo", &json!({ "a": 1 }))["status"], "completed");
}

#[test]
fn a_repeated_key_answers_the_same_task_and_another_company_sees_nothing() {
    let running = server();
    let client = &running.client;
    let body = request(DOUBLE, json!({ "x": 1 })).to_string();
    let send = |body: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", "k1")];
        client.send(Method::POST, "/tasks?wait=60", &headers, body.as_bytes().to_vec())
    };
    let first = send(&body).expect(200).json();
    let again = send(&body).expect(200);
    assert_eq!(again.json()["task_id"], first["task_id"]);
    let other = request(DOUBLE, json!({ "x": 2 })).to_string();
    assert_eq!(send(&other).expect(422).json()["code"], "idempotency_key_reused");
    assert_eq!(client.get("/tasks").expect(200).json()["items"].as_array().map(Vec::len), Some(1));

    let made = client.post("/companies", &json!({ "name": "other" })).expect(201).json();
    let stranger = client.with_token(made["admin_token"]["secret"].as_str());
    let path = format!("/tasks/{}", first["task_id"].as_str().unwrap());
    for more in ["", "/result", "/logs", "/events", "/artifacts"] {
        let _ = stranger.get(&format!("{path}{more}")).expect(404);
    }
    // The same code of another company is its own.
    let task = post(&stranger, &request(DOUBLE, json!({ "x": 5 }))).expect(200).json();
    assert_eq!(task["result"], json!({ "y": 10 }));
    assert_eq!(
        stranger.get("/tasks").expect(200).json()["items"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(client.with_token(None).post("/tasks", &json!({ "code": DOUBLE })).status, 401);
}

#[test]
fn the_command_line_runs_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("data"), &[]);
    std::fs::write(folder.path().join("double.py"), DOUBLE).unwrap();
    let variables = [("MECAPY_API_URL", server.url()), ("MECAPY_TOKEN", server.token())];
    let call = |words: &[&str]| mecapy(folder.path(), words, &variables);
    let base = ["run", "--code", "double.py", "--base-image", "python-base"];
    let called = call(&[&base[..], &["x=0.10", "--json"]].concat());
    assert_eq!((called.code, called.out.trim()), (0, r#"{"y":0.2}"#), "{called:?}");
    let called = call(&[&base[..], &["--requires", "git+https://example.org/x", "x=1"]].concat());
    assert_eq!(called.code, 2, "{called:?}");
    assert!(called.err.contains("/requirements/0"), "{called:?}");
    let called = call(&["run", "--code", "triple.py"]);
    assert_eq!(called.code, 2, "{called:?}");
    assert!(called.err.contains("triple.py"), "{called:?}");
    let called = call(&["run"]);
    assert_eq!(called.code, 2, "{called:?}");
    let tasks = call(&["tasks"]);
    assert!(tasks.out.contains("double.py"), "{tasks:?}");
}

#[test]
fn whoever_only_submits_gets_the_id_even_where_the_run_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&folder.path().join("data"), &[]);
    std::fs::write(folder.path().join("double.py"), DOUBLE).unwrap();
    let variables = [("MECAPY_API_URL", server.url()), ("MECAPY_TOKEN", server.token())];
    let call = |words: &[&str]| mecapy(folder.path(), words, &variables);
    let run = ["run", "--code", "double.py", "--base-image", "python-base", "x=1", "--wait", "0"];
    for _ in 0..20 {
        let submitted = call(&run);
        assert_eq!(submitted.code, 0, "{submitted:?}");
        let result = call(&["tasks", "result", submitted.out.trim(), "--json"]);
        assert_eq!((result.code, result.out.trim()), (0, r#"{"y":2}"#), "{submitted:?}");
    }
}
