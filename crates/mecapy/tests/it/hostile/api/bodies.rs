//! JSON that is wrong, too much, or too deep.

use serde_json::{Value, json};

use super::{echo, others_are_served, post, problem};
use crate::hostile::Fortress;
use crate::hostile::memory::memory_of;
use crate::hostile::trap::Trap;

const EXECUTE: &str = "/functions/honest/execute";

fn first(body: &Value) -> (&str, &str, &str) {
    let fault = &body["faults"][0];
    let text = |key: &str| fault[key].as_str().unwrap_or_default();
    (text("code"), text("key"), text("message"))
}

#[test]
fn wrong_types_are_refused_with_their_places() {
    let fortress = Fortress::new();
    for body in ["null", "[]", "\"inputs\"", "1", "true"] {
        let refused = problem(&post(&fortress, EXECUTE, body, "en"), 422, "invalid_body");
        assert_eq!(first(&refused), ("body_type", "", "expected a JSON object"), "{body}");
    }
    for (body, key, en, fr) in [
        (
            r#"{"priority": "5"}"#,
            "/priority",
            "expected an integer from 0 to 9 (9 is the most urgent), found \"5\"",
            "attendu : un entier de 0 à 9 (9 est le plus urgent) ; reçu : \"5\"",
        ),
        (
            r#"{"timeout": [1]}"#,
            "/timeout",
            "expected a number of seconds, found [1]",
            "attendu : un nombre de secondes ; reçu : [1]",
        ),
    ] {
        for (language, message) in [("en", en), ("fr", fr)] {
            let refused = problem(&post(&fortress, EXECUTE, body, language), 422, "invalid_body");
            assert_eq!(first(&refused), ("body_value", key, message));
            assert_eq!(refused["faults"][0]["line"], 1);
        }
    }
    for inputs in ["null", "[]", "\"x\"", "1e400"] {
        let body = format!("{{\"inputs\": {inputs}}}");
        let refused = problem(&post(&fortress, EXECUTE, body, "en"), 422, "invalid_inputs");
        assert!(["input_syntax", "input_number_range"].contains(&first(&refused).0), "{refused:#}");
    }
    fortress.stands();
}

#[test]
fn missing_and_unknown_fields_are_named() {
    let fortress = Fortress::new();
    let refused = problem(&post(&fortress, "/tokens", "{}", "en"), 422, "invalid_body");
    let (code, key, message) = first(&refused);
    assert_eq!((code, key), ("body_missing", "/name"));
    assert_eq!(message, "the field `name` is missing: 1 to 100 characters");
    let refused = post(&fortress, EXECUTE, r#"{"inptus": {}, "x": 1}"#, "fr");
    let refused = problem(&refused, 422, "invalid_body");
    let (code, key, message) = first(&refused);
    assert_eq!((code, key), ("body_unknown_field", "/inptus"));
    assert_eq!(message, "champ inconnu `inptus` ; vouliez-vous dire `inputs` ?");
    assert_eq!(refused["faults"].as_array().map(Vec::len), Some(2));
    let twice = post(&fortress, EXECUTE, r#"{"inputs": {"force": 1}, "inputs": {}}"#, "en");
    assert_eq!(first(&problem(&twice, 422, "invalid_body")).0, "body_duplicate_field");
    fortress.deploy(&echo("strict").inputs_schema(json!({
        "type": "object", "properties": { "force": { "type": "number" } },
        "required": ["force"], "additionalProperties": false,
    })));
    let refused = post(&fortress, "/functions/strict/execute", r#"{"inputs": {"forse": 1}}"#, "en");
    let refused = problem(&refused, 422, "invalid_inputs");
    let faults = refused["faults"].as_array().unwrap();
    let find = |key: &str| faults.iter().find(|fault| fault["key"] == key).unwrap();
    assert_eq!(find("/force")["message"], "the mandatory property \"force\" is missing");
    let unknown = find("/forse")["message"].as_str().unwrap();
    assert_eq!(unknown, "\"forse\" is not known here; did you mean \"force\"?");
    fortress.stands();
}

#[test]
fn a_million_unknown_fields_keep_nobody_waiting() {
    let mut fortress = Fortress::new();
    fortress.deploy(&echo("strict").inputs_schema(json!({
        "type": "object", "properties": {}, "additionalProperties": false,
    })));
    let members: String = (0..1_000_000).map(|number| format!("\"k{number}\":1,")).collect();
    let members = members.trim_end_matches(',');
    let of_body = format!("{{{members}}}");
    let of_inputs = format!("{{\"inputs\":{of_body}}}");
    let refuse = |fortress: &Fortress| {
        // Several at once, as one alone would not be noticed.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let refused = post(fortress, EXECUTE, of_body.clone(), "en");
                    let refused = problem(&refused, 422, "invalid_body");
                    let (code, _, message) = first(&refused);
                    assert_eq!(code, "body_too_many_fields");
                    let starts = "expected at most 100 fields, found more";
                    assert!(message.starts_with(starts), "{message}");
                });
            }
        });
        let refused = post(fortress, "/functions/strict/execute", of_inputs.clone(), "en");
        let refused = problem(&refused, 422, "invalid_inputs");
        assert_eq!(first(&refused).0, "input_violation");
        assert!(refused["faults"].as_array().unwrap().len() <= 100);
    };
    others_are_served(&fortress, || refuse(&fortress));
    // The allocator keeps some of the memory for each thread that was at it,
    // and needs no more the next time.
    for _ in 0..3 {
        refuse(&fortress);
    }
    fortress.rebase();
    refuse(&fortress);
    fortress.stands();
}

#[test]
fn inputs_of_10_mb_come_back_as_they_were() {
    let fortress = Fortress::new();
    fortress.deploy(&echo("echo"));
    let text = "0123456789".repeat(1 << 20);
    let body = format!("{{\"inputs\": {{\"text\": \"{text}\"}}}}");
    let task = post(&fortress, "/functions/echo/execute?wait=60", body, "en").expect(200).json();
    assert_eq!(task["status"], "completed", "{task:#}");
    let result = fortress.client.get(task["result_url"].as_str().unwrap()).expect(200).json();
    assert!(result["text"] == text, "another text came back");
    fortress.stands();
}

#[test]
fn inputs_beyond_the_limit_are_refused_in_words_that_reach_the_caller() {
    let fortress = Fortress::new();
    for (language, detail) in [
        ("en", "The body is larger than 16842752 bytes, which is the limit here."),
        ("fr", "Le corps dépasse 16842752 octets, la limite ici."),
    ] {
        let body = format!("{{\"inputs\": {{\"a\": \"{}\"}}}}", "x".repeat(40 << 20));
        let refused = problem(&post(&fortress, EXECUTE, body, language), 413, "payload_too_large");
        assert_eq!(refused["detail"], detail);
    }
    fortress.stands();
}

#[test]
fn json_of_100_000_levels_overflows_no_stack() {
    let fortress = Fortress::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let body = format!("{{\"inputs\": {{\"a\": {deep}}}}}");
        let refused = problem(&post(&fortress, EXECUTE, body, "en"), 422, "invalid_inputs");
        let (code, key, message) = first(&refused);
        assert_eq!(code, "input_too_deep");
        assert_eq!(message, "expected at most 100 levels of nesting, found more");
        assert!(key.len() < 1100, "{}", key.len());
        let body = format!("{{\"priority\": {deep}}}");
        let refused = problem(&post(&fortress, EXECUTE, body, "en"), 422, "invalid_body");
        assert_eq!(first(&refused).1, "/priority");
        // As a whole body, and never closed.
        for path in [EXECUTE, "/tokens", "/functions"] {
            let answer = post(&fortress, path, open.repeat(100_000), "en");
            assert!(matches!(answer.status, 400 | 422), "{}", answer.text());
        }
    }
    fortress.stands();
}

#[test]
fn what_is_no_utf8_is_told_with_its_place() {
    let fortress = Fortress::new();
    for bytes in [b"\xff".as_slice(), b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"] {
        let body = [b"{\n \"inputs\": {\"a\": \"", bytes, b"\"}}"].concat();
        let refused = problem(&post(&fortress, EXECUTE, body.clone(), "en"), 400, "malformed_json");
        assert_eq!(refused["detail"], "Line 2, column 19: invalid UTF-8.");
        let refused = problem(&post(&fortress, EXECUTE, body, "fr"), 400, "malformed_json");
        assert_eq!(refused["detail"], "Ligne 2, colonne 19 : UTF-8 invalide.");
    }
    let lone = r#"{"inputs": {"a": "\ud800"}}"#;
    let answer = post(&fortress, EXECUTE, lone, "en");
    assert!(matches!(answer.status, 400 | 422), "{}", answer.text());
    fortress.stands();
}

#[test]
fn faults_under_a_key_of_4_mb_are_told_in_few_words() {
    let fortress = Fortress::new();
    fortress.deploy(&echo("numbers").inputs_schema(json!({
        "type": "object",
        "additionalProperties": { "type": "object", "additionalProperties": { "type": "number" } },
    })));
    let key = "k".repeat(4 << 20);
    let twice = vec!["\"a\": 1"; 150].join(",");
    let wrong = (0..150).map(|number| format!("\"a{number}\": \"x\"")).collect::<Vec<_>>();
    for (members, faults) in [(twice, 100), (wrong.join(","), 1)] {
        let body = format!("{{\"inputs\": {{\"{key}\": {{{members}}}}}}}");
        let taken = memory_of(&fortress, || {
            let answer = post(&fortress, "/functions/numbers/execute", body, "en");
            let refused = problem(&answer, 422, "invalid_inputs");
            assert_eq!(refused["faults"].as_array().map(Vec::len), Some(faults), "{refused:#}");
            assert!(answer.body.len() < 1 << 20, "{} bytes", answer.body.len());
            if faults == 1 {
                let message = first(&refused).2;
                assert!(message.ends_with("too long to say where; shorten them"), "{message}");
            }
        });
        assert!(taken < 128 << 10, "{taken} KiB");
    }
    fortress.stands();
}

#[test]
fn a_hundred_thousand_files_are_not_looked_for() {
    let fortress = Fortress::new();
    fortress.deploy(&echo("reader").inputs_schema(json!({
        "type": "object",
        "properties": { "all": { "type": "array", "items": { "type": "string", "format": "file" } } },
    })));
    let body =
        json!({ "inputs": { "all": vec!["0198f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506"; 100_000] } });
    let refused = post(&fortress, "/functions/reader/execute", body.to_string(), "en");
    let refused = problem(&refused, 422, "invalid_inputs");
    let (code, key, message) = first(&refused);
    assert_eq!((code, key), ("input_too_large", "/all/1000"));
    assert!(message.starts_with("expected at most 1000 files in one set of inputs"), "{message}");
    fortress.stands();
}

#[test]
fn a_webhook_to_a_private_address_is_not_offered_and_not_called() {
    let (fortress, trap) = (Fortress::new(), Trap::set());
    // A redirect to a private address begins with a call, too.
    for hook in [json!(trap.url("hook")), json!({ "url": trap.url("redirect?to=hook") })] {
        let body = json!({ "inputs": { "force": 1 }, "webhook": hook }).to_string();
        let refused = problem(&post(&fortress, EXECUTE, body.clone(), "en"), 422, "not_offered");
        let (code, key, message) = first(&refused);
        assert_eq!((code, key), ("not_offered", "/webhook"));
        assert!(message.ends_with("wait with ?wait= or follow /tasks/{id}/events"), "{message}");
        let refused = problem(&post(&fortress, EXECUTE, body, "fr"), 422, "not_offered");
        assert!(first(&refused).2.starts_with("les webhooks viendront plus tard"));
    }
    let git = json!({ "git_url": trap.url("evil.git"), "ref": "main" }).to_string();
    problem(&post(&fortress, "/functions", git, "en"), 422, "git_url_refused");
    fortress.stands();
    trap.untouched();
}
