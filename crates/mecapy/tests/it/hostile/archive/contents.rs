//! Manifests, schemas and patterns that take more than they give.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::archive::Archive;

use super::zip::{Entry, good, zip};
use super::{only, refused};
use crate::hostile::Fortress;
use crate::hostile::memory::memory_of;
use crate::hostile::trap::Trap;
use crate::server::execute;

/// An archive whose manifest has this text.
fn with_manifest(text: impl AsRef<[u8]>) -> Vec<u8> {
    zip(&[Entry::deflated("mecapy.yaml", text), good().remove(1)])
}

/// A function that gives its inputs back, with this schema of them.
fn with_schema(schema: Value) -> Archive {
    Archive::new("victim", "def calculate(inputs):\n    return inputs\n").inputs_schema(schema)
}

#[test]
fn an_anchor_bomb_is_counted_and_not_expanded() {
    let fortress = Fortress::new();
    let mut of_lists = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let previous = format!("*a{}, ", level - 1).repeat(10);
        of_lists.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
    }
    // One text of half a megabyte, 40,000 times.
    let of_text = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), "*a, ".repeat(40_000));
    for bomb in [of_lists, of_text] {
        let taken = memory_of(&fortress, || {
            let said = only(&fortress, &with_manifest(bomb), "manifest_too_large");
            assert_eq!(said.file, "mecapy.yaml");
            assert!(said.en.contains("50000 values") && said.en.contains("aliases counted"));
            assert!(said.en.contains("Move tables to `data/`"), "{}", said.en);
            assert!(said.fr.contains("chaque alias comptant à chaque emploi"), "{}", said.fr);
        });
        assert!(taken < 64 << 10, "{taken} KiB");
    }
}

#[test]
fn a_manifest_of_100_mb_is_refused_unread() {
    let fortress = Fortress::new();
    // Comments that differ now and then, so that it is no bomb by its ratio.
    let line = |number: u64| {
        format!("# {:016x} a comment\n", (number / 30).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    };
    let text: String = (0..3_600_000).map(line).collect();
    assert!(text.len() > 100_000_000, "{}", text.len());
    let said = only(&fortress, &with_manifest(text), "manifest_too_large");
    assert!(said.en.contains("the limit is 1048576"), "{}", said.en);
    assert!(said.fr.contains("la limite est de 1048576"), "{}", said.fr);
    // What packs better is refused before it is unpacked.
    let text = "# a comment like any other\n".repeat(4_000_000);
    let taken = memory_of(&fortress, || {
        only(&fortress, &with_manifest(text), "archive_ratio");
    });
    assert!(taken < 96 << 10, "{taken} KiB");
}

#[test]
fn a_schema_10_000_levels_deep_is_refused() {
    let fortress = Fortress::new();
    for (open, close) in [("{\"allOf\":[", "]}"), ("{\"properties\":{\"a\":", "}}")] {
        let deep = format!("{}{{}}{}", open.repeat(10_000), close.repeat(10_000));
        let manifest = format!(
            "{{\"version\":\"1.0\",\"metadata\":{{\"name\":\"deep\"}},\
             \"io\":{{\"inputs_schema\":{deep}}}}}"
        );
        let said = only(&fortress, &with_manifest(manifest), "manifest_too_large");
        assert!(said.en.contains("90 levels") && said.en.contains("to `$defs`"), "{}", said.en);
        assert!(said.fr.contains("90 niveaux"), "{}", said.fr);
    }
    // Within what YAML may have, the schema's own bound holds.
    let deep = (0..70).fold(json!({}), |inner, _| json!({ "not": inner }));
    let said = only(&fortress, &with_schema(deep).zip(), "schema_too_complex");
    assert!(said.en.starts_with("a schema has at most 64 levels"), "{}", said.en);
    assert!(said.key.starts_with("io.inputs_schema.not.not"), "{}", said.key);
}

#[test]
fn a_long_key_above_many_values_takes_no_memory() {
    let fortress = Fortress::new();
    let inner: serde_json::Map<String, Value> =
        (0..5000).map(|number| (format!("a{number}"), json!({}))).collect();
    let toml = format!(
        "[project]\nname = \"victim\"\nversion = \"1.0.0\"\n\
         [tool.mecapy.io.inputs_schema.properties.{}.properties]\n{}",
        "k".repeat(100_000),
        inner.keys().map(|key| format!("{key} = {{}}\n")).collect::<String>()
    );
    let archive = zip(&[Entry::new("pyproject.toml", toml), good().remove(1)]);
    let taken = memory_of(&fortress, || {
        let said = only(&fortress, &archive, "schema_too_complex");
        assert!(said.en.ends_with("Shorten its keys"), "{}", said.en);
        assert!(said.key.len() < 1100, "{}", said.key.len());
    });
    assert!(taken < 64 << 10, "{taken} KiB");
}

#[test]
fn references_to_urls_and_files_are_not_followed() {
    let fortress = Fortress::new();
    let trap = Trap::set();
    let secret = fortress.folder().join("secret.json");
    std::fs::write(&secret, "{\"const\": \"secret\"}").unwrap();
    let (url, file) = (trap.url("schema.json"), format!("file://{}", secret.display()));
    for reference in [url.as_str(), &file, "secret.json", &trap.url("x")[5..]] {
        let schema = json!({ "type": "object", "properties": { "a": { "$ref": reference } } });
        let said = only(&fortress, &with_schema(schema).zip(), "schema_ref");
        assert_eq!(said.key, "io.inputs_schema.properties.a.$ref");
        assert!(said.line.is_some(), "{said:?}");
        assert!(said.en.contains(&format!("found \"{reference}\"")), "{}", said.en);
        assert!(said.en.ends_with("never fetched from a URL or a file; copy it under `$defs`"));
        assert!(said.fr.contains(&format!("« {reference} »")) || said.fr.contains(reference));
    }
    trap.untouched();
}

#[test]
fn a_catastrophic_pattern_takes_time_in_proportion() {
    let fortress = Fortress::new();
    for (pattern, inputs) in
        [("^(a+)+$", "a".repeat(1_000_000) + "!"), ("^(a|aa|a.)*b$", "a".repeat(1_000_000))]
    {
        let schema = json!({ "properties": { "text": { "type": "string", "pattern": pattern } } });
        fortress.deploy(&with_schema(schema));
        let began = Instant::now();
        let problem = execute(&fortress.client, "victim", &json!({ "text": inputs }));
        let problem = problem.expect(422).json();
        assert!(began.elapsed() < Duration::from_secs(5), "{pattern}: {:?}", began.elapsed());
        assert_eq!(problem["faults"][0]["code"], "input_violation");
        assert_eq!(problem["faults"][0]["key"], "/text");
        let message = problem["faults"][0]["message"].as_str().unwrap();
        let expected = format!("expected a text that matches the pattern {pattern}, found");
        assert!(message.starts_with(&expected), "{message}");
    }
    // What needs backtracking is no pattern here.
    let schema = json!({ "properties": { "text": { "pattern": "(a+)\\1" } } });
    let said = only(&fortress, &with_schema(schema).zip(), "schema_pattern");
    assert!(said.en.contains("look-around and back-references are not available"), "{}", said.en);
}

#[test]
fn a_pattern_that_would_take_minutes_is_refused_while_others_are_served() {
    let fortress = Fortress::new();
    // Its automaton has two to the power of 3000 states.
    let pattern = "(?:a|b)*a(?:a|b){3000}c";
    let schema = json!({ "properties": { "text": { "type": "string", "pattern": pattern } } });
    fortress.deploy(&with_schema(schema));
    let text = |length: usize| {
        // Without a period, so that no state comes again.
        let bits = (0..length as u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63);
        bits.map(|bit| if bit == 0 { 'a' } else { 'b' }).collect::<String>()
    };
    let problem = execute(&fortress.client, "victim", &json!({ "text": text(1_000_000) }));
    let problem = problem.expect(422).json();
    assert_eq!(problem["faults"][0]["code"], "input_too_large", "{problem:#}");
    let message = problem["faults"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("these inputs hold 1000004 bytes of text"), "{message}");
    assert!(message.contains("shorten the texts, pass them as a file"), "{message}");
    // Within the bound it takes its time, which is nobody else's.
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            execute(&fortress.client, "victim", &json!({ "text": text(20_000) })).expect(422).json()
        });
        while !slow.is_finished() {
            let began = Instant::now();
            let task = execute(&fortress.client, "honest", &json!({ "force": 245.0 })).json();
            assert_eq!(task["result"], json!({ "stress": 1.0 }), "{task:#}");
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        }
        assert_eq!(slow.join().unwrap()["faults"][0]["code"], "input_violation");
    });
    fortress.stands();
}

#[test]
fn a_thousand_large_patterns_are_refused_before_they_are_compiled() {
    let fortress = Fortress::new();
    let pattern = |number: u32| {
        (format!("p{number}"), json!({ "pattern": format!("^(?:\\w{{12}}|x{number})$") }))
    };
    let properties: serde_json::Map<String, Value> = (0..2000).map(pattern).collect();
    let began = Instant::now();
    let schema = json!({ "type": "object", "properties": properties });
    let said = only(&fortress, &with_schema(schema).zip(), "schema_pattern");
    assert!(
        said.en.contains("the patterns of a schema have at most 2000000 ranges"),
        "{}",
        said.en
    );
    assert!(said.en.contains("`maxLength` in place of"), "{}", said.en);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_manifest_of_9000_faults_is_answered_with_a_hundred() {
    let fortress = Fortress::new();
    let properties: serde_json::Map<String, Value> =
        (0..9000).map(|number| (format!("p{number}"), json!({ "$ref": "other.json" }))).collect();
    let faults = refused(&fortress, &with_schema(json!({ "properties": properties })).zip());
    assert_eq!(faults.len(), 101);
    assert_eq!(faults[100].code, "archive_more_faults");
}
