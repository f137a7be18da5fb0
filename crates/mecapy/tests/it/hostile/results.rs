//! Results that no reader could take, and those that must come out exactly.

use serde_json::{Value, json};

use super::Fortress;
use super::arena::Arena;
use super::arsenal;

static ARENA: Arena = Arena::new(|| {
    let fortress = Fortress::new();
    let handler = include_str!("handlers/resources.py");
    let archive = arsenal("results", handler).set("runtime.memory_limit", json!(1024));
    fortress.deploy(&archive);
    fortress
});

/// The error of a returned value that has no JSON form, in both languages.
fn refused(value: &str) -> Value {
    let inputs = json!({ "attack": "odd_result", "value": value });
    ARENA.enter().error("results", &inputs, "invalid_output")
}

fn assert_points(error: &Value, pointer: &str, says: &str) {
    assert_eq!(error["pointer"], pointer, "{error:#}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(says), "{message}");
}

#[test]
fn bytes_sets_and_objects_are_refused_with_their_place() {
    assert_points(&refused("bytes"), "/list/1", "bytes");
    assert_points(&refused("set"), "/list/1", "sorted");
    assert_points(&refused("nothing"), "/list/1", "object");
    assert_points(&refused("function"), "/list/1", "function");
    assert_points(&refused("generator"), "/list/1", "list(");
    assert_points(&refused("key"), "/list/1", "keys are strings");
}

#[test]
fn a_cycle_is_refused_with_its_place() {
    assert_points(&refused("cycle"), "/list/1/a/0", "contains itself");
}

#[test]
fn a_lone_surrogate_is_refused_with_its_place() {
    assert_points(&refused("surrogate"), "/list/1", "surrogate");
}

#[test]
fn a_result_that_raises_while_it_is_read_is_the_users_error() {
    let inputs = json!({ "attack": "odd_result", "value": "raises" });
    let error = ARENA.enter().error("results", &inputs, "user_error");
    assert_eq!(error["message"], "not today");
}

#[test]
fn a_result_a_hundred_thousand_levels_deep_is_refused() {
    let inputs = json!({ "attack": "deep_result" });
    let error = ARENA.enter().error("results", &inputs, "invalid_output");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("500 levels") && message.contains("flatter"), "{message}");
    assert!(message.len() < 1000, "{} bytes", message.len());
    assert!(error["pointer"].as_str().unwrap().len() < 1000);
}

#[test]
fn a_hundred_megabytes_arrive_whole_and_more_is_refused() {
    let fortress = ARENA.enter();
    let task = fortress.attack("results", &json!({ "attack": "large_result", "mib": 100 }));
    assert_eq!(task["status"], "completed", "{task:#}");
    assert_eq!(task["result"], Value::Null);
    let body = fortress.client.get(task["result_url"].as_str().unwrap()).expect(200).body;
    assert_eq!(body.len(), (100 << 20) + r#"{"text":""}"#.len());
    assert!(body[9..body.len() - 2].iter().all(|byte| *byte == b'x'));
    drop(body);
    let inputs = json!({ "attack": "large_result", "mib": 140 });
    let error = fortress.error("results", &inputs, "output_too_large");
    assert_eq!(error["limit"].as_f64(), Some(134_217_728.0));
    assert!(error["measured"].as_f64().unwrap() > 134_217_728.0);
    assert!(error["message"].as_str().unwrap().contains("134217728 bytes"), "{error:#}");
}

#[test]
fn numbers_arrive_exactly() {
    let fortress = ARENA.enter();
    let id = fortress.attack("results", &json!({ "attack": "exact_result" }))["task_id"].clone();
    let path = format!("/tasks/{}", id.as_str().unwrap());
    // As text: no reader's numbers come between.
    let text = fortress.client.get(&path).expect(200).text();
    let large = format!("1{}", "0".repeat(5000));
    let small = format!("-{}", "9".repeat(5000));
    let wanted = format!(
        "{{\"large\":{large},\"small\":{small},\"minus_zero\":-0.0,\"least\":5e-324,\
         \"most\":1.7976931348623157e+308,\"third\":0.3333333333333333,\"nan\":\"NaN\",\
         \"infinities\":[\"Infinity\",\"-Infinity\"]}}"
    );
    assert!(text.contains(&wanted), "{text}");
    let places = r#""non_finite":["/nan","/infinities/0","/infinities/1"]"#;
    assert!(text.contains(places), "{text}");
}

#[test]
fn a_field_without_a_finite_number_arrives_with_all_places() {
    let fortress = ARENA.enter();
    let count = 200_000;
    let task = fortress.attack("results", &json!({ "attack": "many_not_finite", "count": count }));
    assert_eq!(task["status"], "completed", "{:#}", task["error"]);
    let places = task["non_finite"].as_array().unwrap();
    assert_eq!(places.len(), count);
    assert_eq!(places[count - 1], format!("/field/{}", count - 1));
}

#[test]
fn what_is_no_object_is_no_crash() {
    for (value, wanted) in
        [("none", Value::Null), ("list", json!([1])), ("number", json!(5)), ("text", json!("up"))]
    {
        let inputs = json!({ "attack": "returned", "value": value });
        assert_eq!(ARENA.enter().result("results", &inputs), wanted);
    }
}
