//! Short texts that would cost much: a schema multiplies what inputs hold.

use std::time::{Duration, Instant};

use package::Schemas;
use serde_json::{Value, json};

use crate::support::codes;

/// A schema under which each item of `a` meets `leaf` 2048 times.
fn multiplied(keyword: &str, leaf: Value) -> Value {
    let mut defs = serde_json::Map::new();
    for level in 0..11 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        defs.insert(format!("d{level}"), json!({keyword: [next, next]}));
    }
    defs.insert("d11".into(), leaf);
    json!({"$defs": defs, "properties": {"a": {"items": {"$ref": "#/$defs/d0"}}}})
}

fn list(item: &str, count: usize) -> String {
    format!("{{\"a\": [{}]}}", vec![item; count].join(","))
}

#[test]
fn errors_that_references_multiply_are_not_all_kept() {
    for keyword in ["allOf", "anyOf"] {
        let schemas =
            Schemas::compile(&multiplied(keyword, json!({"type": "string"})), None).unwrap();
        let started = Instant::now();
        let faults = schemas.check_inputs(list("1", 1000).as_bytes()).unwrap_err();
        assert!(faults.iter().all(|fault| fault.code == "input_violation"));
        assert_eq!(faults[0].key.as_deref(), Some("/a/0"));
        assert!(schemas.check_inputs(list("\"x\"", 1000).as_bytes()).is_ok());
        assert!(started.elapsed() < Duration::from_secs(5), "{keyword}: {:?}", started.elapsed());
    }
}

#[test]
fn a_default_that_violates_a_schema_a_million_times_is_one_problem() {
    let mut schema = multiplied("allOf", json!({"type": "string"}));
    schema["properties"]["a"]["default"] = json!(vec![1; 1000]);
    let handler = ("handler.py", crate::support::HANDLER);
    let manifest = crate::support::with_schema(&schema.to_string());
    let started = Instant::now();
    let faults = crate::support::faults(&[("mecapy.yaml", &manifest), handler]);
    assert_eq!(codes(&faults), ["schema_default"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn what_could_take_minutes_is_refused_at_once() {
    let schemas = Schemas::compile(&multiplied("anyOf", json!({"minimum": 3})), None).unwrap();
    let tiny = json!({"properties": {"a": {"items": {"multipleOf": 0.1}}}});
    let tiny = Schemas::compile(&tiny, None).unwrap();
    let started = Instant::now();
    for (schemas, inputs) in [(schemas, list("1", 500_000)), (tiny, list("1.2e-300", 100_000))] {
        let faults = schemas.check_inputs(inputs.as_bytes()).unwrap_err();
        assert!(faults[0].message.en.contains("could take minutes"), "{faults:?}");
        assert!(faults[0].message.fr.contains("des minutes"), "{faults:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn large_plain_inputs_are_checked_whole() {
    let item = json!({"type": "number", "minimum": 0, "maximum": 10, "multipleOf": 0.5});
    let schema = json!({"properties": {"a": {"type": "array", "items": item}}});
    let schemas = Schemas::compile(&schema, None).unwrap();
    let good = list("1.5", 1_000_000);
    assert!(schemas.check_inputs(good.as_bytes()).is_ok());
    let bad = good.replacen("1.5", "11", 1);
    let faults = schemas.check_inputs(bad.as_bytes()).unwrap_err();
    assert_eq!(faults[0].key.as_deref(), Some("/a/0"));
}

#[test]
fn a_warning_does_not_let_a_cycle_pass() {
    let schema = json!({
        "Description": "a misspelt keyword is a warning",
        "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "string"}]}},
        "properties": {"x": {"$ref": "#/$defs/a"}},
    });
    let faults = Schemas::compile(&schema, None).unwrap_err();
    assert_eq!(codes(&faults), ["schema_too_complex"]);
}

#[test]
fn an_anchor_is_looked_for_once() {
    let all = (0..6000).map(|index| (format!("p{index}"), json!({"$ref": "#x"})));
    let all: serde_json::Map<_, _> = all.collect();
    let schema = json!({"$defs": {"z": {"$anchor": "x", "type": "number"}}, "properties": all});
    let started = Instant::now();
    let schemas = Schemas::compile(&schema, None).unwrap();
    assert!(schemas.check_inputs(b"{\"p5999\": \"x\"}").is_err());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
