//! Runs that end as no calculation should, and handlers that are none.

use serde_json::{Value, json};
use test_support::archive::Archive;

use super::Fortress;
use super::arena::Arena;
use super::arsenal;

static ARENA: Arena = Arena::new(|| {
    let fortress = Fortress::new();
    fortress.deploy(&arsenal("endings", include_str!("handlers/resources.py")));
    fortress
});

fn error(inputs: Value, kind: &str, says: &[&str]) -> Value {
    let error = ARENA.enter().error("endings", &inputs, kind);
    let message = error["message"].as_str().unwrap();
    assert!(says.iter().all(|part| message.contains(part)), "{message}");
    assert!(message.len() < 5000, "{} bytes", message.len());
    let traceback = error["traceback"].as_str().unwrap_or_default();
    assert!(traceback.len() < 70_000, "{} bytes", traceback.len());
    error
}

fn log_of(attack: &str) -> String {
    let fortress = ARENA.enter();
    let task = fortress.attack("endings", &json!({ "attack": attack }));
    let path = format!("/tasks/{}/logs", task["task_id"].as_str().unwrap());
    fortress.client.get(&path).expect(200).text()
}

#[test]
fn a_segmentation_fault_is_told_and_its_line_is_in_the_log() {
    error(json!({ "attack": "segfault" }), "killed", &["SIGSEGV", "invalid memory access"]);
    let log = log_of("segfault");
    assert!(log.contains("Segmentation fault") && log.contains("in segfault"), "{log}");
}

#[test]
fn an_abort_is_told_as_one() {
    // The kernel spares process 1, and libc would end it by SIGSEGV.
    error(json!({ "attack": "abort" }), "killed", &["SIGABRT", "called abort"]);
    let log = log_of("abort");
    assert!(log.contains("Aborted") && log.contains("in abort"), "{log}");
}

#[test]
fn an_illegal_instruction_is_told() {
    error(json!({ "attack": "illegal" }), "killed", &["SIGILL", "illegal instruction"]);
}

#[test]
fn a_crash_is_told_in_french_too() {
    let fortress = ARENA.enter();
    let task = fortress.attack("endings", &json!({ "attack": "segfault" }));
    let path = format!("/tasks/{}", task["task_id"].as_str().unwrap());
    let french = [("accept-language", "fr")];
    let answer = fortress.client.send("GET".parse().unwrap(), &path, &french, Vec::<u8>::new());
    let message = answer.expect(200).json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("SIGSEGV (accès mémoire invalide)"), "{message}");
}

#[test]
fn an_exit_is_no_result_whatever_its_code() {
    for code in [0, 1, 137, 255] {
        let says = format!("exit code {code} ");
        let inputs = json!({ "attack": "exits", "code": code });
        error(inputs, "invalid_output", &[&says, "return a dict"]);
    }
}

#[test]
fn sys_exit_is_the_users_error() {
    let inputs = json!({ "attack": "leaves", "code": 0 });
    let error = error(inputs, "user_error", &["sys.exit(0)", "return a result instead"]);
    assert_eq!(error["exception"], "SystemExit");
    let own = ARENA.enter().result("endings", &json!({ "attack": "leaves_from_a_thread" }));
    assert_eq!(own, json!({ "own": true }));
}

#[test]
fn an_exception_that_can_t_be_written_is_still_told() {
    let error = error(json!({ "attack": "unspeakable" }), "user_error", &["__str__ raised"]);
    assert_eq!(error["exception"], "Unspeakable");
    assert!(error["traceback"].as_str().unwrap().contains("raise Unspeakable"), "{error:#}");
}

#[test]
fn a_message_of_100_mb_is_cut() {
    let error = error(json!({ "attack": "long_message" }), "user_error", &["xxxx"]);
    assert_eq!(error["exception"], "ValueError");
    assert!(error["traceback"].as_str().unwrap().contains("in long_message"), "{error:#}");
}

#[test]
fn an_endless_traceback_is_cut() {
    let endless = error(json!({ "attack": "endless_causes" }), "user_error", &["99999"]);
    let traceback = endless["traceback"].as_str().unwrap();
    assert!(traceback.contains("ValueError: 99999"), "{traceback}");
    assert!(traceback.contains("direct cause"), "{traceback}");
    error(json!({ "attack": "circular_causes" }), "user_error", &["first"]);
    error(json!({ "attack": "deep_group" }), "user_error", &["group"]);
}

#[test]
fn recursion_is_the_users_error_and_past_the_c_stack_a_crash() {
    let error_of = |attack: &str| error(json!({ "attack": attack }), "user_error", &["recursion"]);
    assert_eq!(error_of("recursion")["exception"], "RecursionError");
    error(json!({ "attack": "recursion_in_c" }), "killed", &["SIGSEGV"]);
}

#[test]
fn open_files_are_bounded_and_the_limit_is_told() {
    let result = ARENA.enter().result("endings", &json!({ "attack": "descriptors" }));
    assert_eq!(result["error"], 24, "EMFILE");
    assert!(result["opened"].as_u64().unwrap() < 1024, "{result}");
    error(json!({ "attack": "descriptors_uncaught" }), "user_error", &["1024 files", "close"]);
}

/// The error of a handler that can't be used, and of nothing else.
fn unusable(name: &str, handler: &str, kind: &str, says: &[&str]) -> Value {
    let fortress = ARENA.enter();
    let archive = Archive::new(name, handler).set("runtime.timeout", json!(1));
    fortress.deploy(&archive);
    let error = fortress.error(name, &json!({}), kind);
    let message = error["message"].as_str().unwrap();
    assert!(says.iter().all(|part| message.contains(part)), "{message}");
    error
}

/// What a deployment is refused with, where no run is needed to know.
fn refused(handler: &str) -> String {
    let faults = ARENA.enter().refused(&Archive::new("refused", handler).zip());
    faults.iter().map(|fault| fault["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_missing_calculate_is_told() {
    let message = refused("def compute(inputs):\n    return {}\n");
    assert!(message.contains("calculate"), "{message}");
    let hidden = "def calculate(inputs):\n    return {}\ndel calculate\n";
    unusable("missing", hidden, "user_error", &["defines no function `calculate`", "add"]);
}

#[test]
fn a_calculate_that_is_no_plain_function_is_told() {
    let base = "def calculate(inputs):\n    return {}\n";
    for (name, handler, says) in [
        ("a-class", "class calculate:\n    pass\n", "is a class"),
        ("a-number", "calculate = 5\n", "is a int"),
        ("a-coroutine", "async def calculate(inputs):\n    return {}\n", "async def"),
        ("no-argument", "def calculate():\n    return {}\n", "exactly one positional argument"),
        ("two-arguments", "def calculate(a, b):\n    return {}\n", "exactly one"),
    ] {
        // Behind the static check's back.
        let text = handler.replace('\n', "\\n");
        let handler = format!("{base}exec({text:?}.replace('\\\\n', '\\n'))\n");
        unusable(name, &handler, "user_error", &[says]);
    }
}

#[test]
fn a_generator_is_no_result() {
    let handler = "def calculate(inputs):\n    yield {}\n";
    let archive = Archive::new("a-generator", handler);
    let fortress = ARENA.enter();
    let zip = archive.zip();
    let answer = fortress.client.post_file("/functions?wait=60", "archive", "a.zip", &zip);
    if answer.status != 422 {
        let error = fortress.error("a-generator", &json!({}), "user_error");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("returned a generator"), "{message}");
    }
}

#[test]
fn a_syntax_error_is_refused_with_its_line() {
    let fortress = ARENA.enter();
    let archive = Archive::new("refused", "def calculate(inputs):\n    return {\n");
    let faults = fortress.refused(&archive.zip());
    assert_eq!(faults[0]["file"], "handler.py", "{faults:#?}");
    assert!(faults[0]["line"].is_number(), "{faults:#?}");
}

#[test]
fn a_handler_that_raises_at_import_is_the_users_error() {
    let handler = "1 / 0\ndef calculate(inputs):\n    return {}\n";
    let error = unusable("raises", handler, "user_error", &["division by zero"]);
    assert!(error["traceback"].as_str().unwrap().contains("handler.py\", line 1"), "{error:#}");
}

#[test]
fn a_handler_that_exits_at_import_is_the_users_error() {
    let handler = "import sys\nsys.exit(3)\ndef calculate(inputs):\n    return {}\n";
    unusable("exits", handler, "user_error", &["sys.exit(3)"]);
}

#[test]
fn a_handler_that_loops_at_import_is_ended() {
    let handler = "while True:\n    pass\ndef calculate(inputs):\n    return {}\n";
    unusable("loops", handler, "timeout", &["1 s"]);
}

#[test]
fn ten_megabytes_of_source_are_run_or_refused() {
    let line = "# ten megabytes of remarks, of which Python keeps nothing at all\n";
    let handler =
        format!("{}def calculate(inputs):\n    return {{'ran': True}}\n", line.repeat(160_000));
    let fortress = ARENA.enter();
    let zip = Archive::new("long", &handler).zip();
    let answer = fortress.client.post_file("/functions?wait=60", "archive", "a.zip", &zip);
    match answer.status {
        200 | 201 => assert_eq!(fortress.result("long", &json!({})), json!({ "ran": true })),
        _ => assert!(!answer.expect(422).json()["faults"].as_array().unwrap().is_empty()),
    }
    fortress.stands();
}
