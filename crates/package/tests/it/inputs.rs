//! A caller's inputs: what is changed, what is refused, what stays.

use std::borrow::Cow;

use package::Schemas;
use serde_json::{Value, json};

use crate::support::{codes, lignes, lines};

fn schemas() -> Schemas {
    let schema = json!({
        "type": "object",
        "properties": {
            "force": {"type": "number", "unit": "N", "minimum": 0},
            "area": {"type": "number", "unit": "mm²"},
            "count": {"type": "integer", "default": 4},
            "steps": {"type": "integer", "unit": "mm"},
            "grade": {"enum": ["8.8", "10.9"], "default": "8.8"},
            "options": {"type": "object", "default": {}, "properties": {"gamma": {"type": "number", "default": 1.25}}},
            "curve": {"type": "string", "format": "file"},
            "points": {"type": "array", "maxItems": 3, "items": {"type": "number", "unit": "m"}}
        },
        "required": ["force"],
        "additionalProperties": false
    });
    Schemas::compile(&schema, None).unwrap()
}

fn checked(inputs: &str) -> String {
    String::from_utf8(schemas().check_inputs(inputs.as_bytes()).unwrap().json.into_owned()).unwrap()
}

fn refused(inputs: &str) -> Vec<String> {
    lines(&schemas().check_inputs(inputs.as_bytes()).unwrap_err())
}

#[test]
fn what_needs_nothing_stays_the_callers_bytes() {
    let inputs = b" {\"force\" : 1.50e3, \"count\":  7,\n\"grade\": \"10.9\", \"options\": {\"gamma\": 1.0}} ";
    let schemas = schemas();
    let checked = schemas.check_inputs(inputs).unwrap();
    assert!(matches!(checked.json, Cow::Borrowed(bytes) if std::ptr::eq(bytes, inputs.as_slice())));
}

#[test]
fn defaults_are_filled_in_behind_what_was_given() {
    assert_eq!(
        checked(r#"{"force": 10.0 }"#),
        r#"{"force": 10.0 , "count": 4, "grade": "8.8", "options": {"gamma": 1.25}}"#
    );
    let empty = Schemas::compile(&json!({"properties": {"a": {"default": 1e-3}}}), None).unwrap();
    assert_eq!(&*empty.check_inputs(b"{}").unwrap().json, br#"{"a": 0.001}"#);
}

#[test]
fn quantities_become_numbers_in_the_units_of_the_schema() {
    let filled = r#""count": 1, "grade": "8.8", "options": {"gamma": 1}}"#;
    for (given, expected) in [
        (r#"{"force": "2 kN", "#, r#"{"force": 2000.0, "#),
        (r#"{"force": {"value": 2, "unit": "kN"}, "#, r#"{"force": 2000.0, "#),
        (r#"{"force": 1, "area": "12 cm²", "#, r#"{"force": 1, "area": 1200.0, "#),
        (
            r#"{"force": 1, "area": {"unit": "mm²", "value": 1.50}, "#,
            r#"{"force": 1, "area": 1.50, "#,
        ),
        (r#"{"force": 1, "steps": "2 cm", "#, r#"{"force": 1, "steps": 20, "#),
        (r#"{"force": 1, "points": [1, "250 cm"], "#, r#"{"force": 1, "points": [1, 2.5], "#),
    ] {
        assert_eq!(checked(&format!("{given}{filled}")), format!("{expected}{filled}"));
    }
}

#[test]
fn a_wrong_dimension_is_refused_with_the_unit_that_would_do() {
    let found = schemas().check_inputs(br#"{"force": "12 mm", "area": "12 cmm"}"#).unwrap_err();
    assert_eq!(codes(&found), ["input_unit", "input_unit"]);
    assert_eq!(
        lines(&found)[0],
        "/force: expected a force such as N, found mm (length). Give a number in N, {\"value\": 12, \"unit\": \"N\"} or \"12 N\""
    );
    assert!(lignes(&found)[1].starts_with("/area: unité inconnue `cmm`"));
}

#[test]
fn every_violation_is_reported_with_its_pointer() {
    assert_eq!(
        refused(
            r#"{"force": -1, "grade": "4.6", "count": 2.5, "points": [1, 2, 3, "x"], "colour": 1}"#
        )
        .iter()
        .map(|line| line.split(':').next().unwrap())
        .collect::<Vec<_>>(),
        ["/points/3", "/force", "/grade", "/count", "/points", "/colour"]
    );
    assert_eq!(refused("{}"), ["/force: the mandatory property \"force\" is missing"]);
    assert_eq!(
        refused(r#"{"force": 1, "aera": 2, "zzz": 3}"#),
        [
            "/aera: \"aera\" is not known here; did you mean \"area\"?",
            "/zzz: \"zzz\" is not known here; take it out or check its spelling",
        ]
    );
    assert_eq!(
        refused(r#"{"force": "1000", "grade": "8.8"}"#),
        [
            "/force: expected a number in N or a quantity, found \"1000\" without a unit. Take off the quotes or write \"1000 N\""
        ]
    );
}

#[test]
fn violations_read_well_in_both_languages() {
    let schema = json!({"properties": {
        "a": {"type": "number", "exclusiveMinimum": 0, "maximum": 10},
        "b": {"type": "string", "minLength": 2, "pattern": "^[a-z]+$"},
        "c": {"type": ["integer", "null"]},
        "d": {"oneOf": [{"type": "number"}, {"const": "auto"}]},
        "e": {"type": "array", "minItems": 2, "uniqueItems": true}
    }});
    let schemas = Schemas::compile(&schema, None).unwrap();
    let found = schemas
        .check_inputs(r#"{"a": "3", "b": "É", "c": 1.5, "d": "manual", "e": [1]}"#.as_bytes())
        .unwrap_err();
    assert_eq!(
        lines(&found),
        [
            "/a: expected a number, found \"3\"; take off the quotes",
            "/b: expected a text of at least 2 character(s), found \"É\"",
            "/b: expected a text that matches the pattern ^[a-z]+$, found \"É\"",
            "/c: expected an integer or null, found 1.5",
            "/d: \"manual\" fits none of the 2 alternatives; the nearest one says: expected a number, found \"manual\"",
            "/e: expected at least 2 item(s), found 1",
        ]
    );
    assert_eq!(lignes(&found)[3], "/c: attendu : un entier ou null ; trouvé : 1.5");
    assert_eq!(lignes(&found)[5], "/e: au moins 2 élément(s) attendu(s), trouvé 1");
}

#[test]
fn numbers_that_are_not_finite_need_a_schema_that_admits_them() {
    let number = Schemas::compile(&json!({"properties": {"a": {"type": "number"}}}), None).unwrap();
    let found = number.check_inputs(br#"{"a": "NaN"}"#).unwrap_err();
    assert_eq!(
        lines(&found),
        [
            "/a: expected a number, found \"NaN\"; this schema does not admit a number that is not finite"
        ]
    );
    let admits = json!({"properties": {"a": {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity"]}]}}});
    let admits = Schemas::compile(&admits, None).unwrap();
    assert!(admits.check_inputs(br#"{"a": "NaN"}"#).is_ok());
    assert!(admits.check_inputs(br#"{"a": NaN}"#).is_err());
    assert_eq!(
        refused(r#"{"force": "Infinity"}"#),
        [
            "/force: expected a number, found \"Infinity\"; this schema does not admit a number that is not finite"
        ]
    );
}

#[test]
fn broken_json_names_line_and_column() {
    assert_eq!(
        refused("{\"force\": 1,\n  force: 2}"),
        ["2:3: expected a key in double quotes, found `f`"]
    );
    assert_eq!(
        refused("[1]"),
        ["expected a JSON object such as {\"force\": 1000}, found a value of type array"]
    );
    assert_eq!(
        refused(r#"{"force": 1, "force": 2}"#),
        ["1:14: the key \"force\" stands twice in this object; keep one"]
    );
    assert_eq!(
        refused(r#"{"force": 1e400}"#),
        [
            "1:11 /force: 1e400 is beyond the range of a 64-bit float (about ±1.8e308); give a smaller number"
        ]
    );
    assert!(
        refused(&format!("{{\"force\": {}", "[".repeat(5000)))[0]
            .ends_with("expected at most 100 levels of nesting, found more")
    );
}

#[test]
fn integers_of_any_size_survive() {
    let schema =
        Schemas::compile(&json!({"properties": {"n": {"type": "integer", "minimum": 1}}}), None)
            .unwrap();
    let inputs = format!("{{\"n\": {}}}", "9".repeat(5000));
    assert_eq!(&*schema.check_inputs(inputs.as_bytes()).unwrap().json, inputs.as_bytes());
}

#[test]
fn tiny_and_long_decimals_cost_nothing() {
    let schema = json!({"properties": {"n": {"type": "number", "multipleOf": 0.1, "maximum": 3}}});
    let schema = Schemas::compile(&schema, None).unwrap();
    let started = std::time::Instant::now();
    for number in [
        "1e-1000000",
        "1e-99999999999",
        &format!("0.{}1", "0".repeat(100_000)),
        &"9".repeat(100_000),
    ] {
        let _ = schema.check_inputs(format!("{{\"n\": {number}}}").as_bytes());
    }
    assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());
}

#[test]
fn file_references_are_collected() {
    let schemas = schemas();
    let checked = schemas
        .check_inputs(br#"{"force": 1, "curve": "file_123", "count": 1, "grade": "8.8", "options": {"gamma": 1}}"#)
        .unwrap();
    assert_eq!(checked.files.len(), 1);
    assert_eq!(
        (checked.files[0].pointer.as_str(), checked.files[0].reference.as_str()),
        ("/curve", "file_123")
    );
}

#[test]
fn recursive_defaults_end() {
    let schema = json!({"$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n", "default": {}}}}}, "$ref": "#/$defs/n"});
    let schemas = Schemas::compile(&schema, None).unwrap();
    let found = schemas.check_inputs(b"{}").unwrap_err();
    assert!(codes(&found).contains(&"input_too_large"));
    let wide: Value = json!({"$defs": {"n": {"type": "object", "properties": {
        "l": {"$ref": "#/$defs/n", "default": {}}, "r": {"$ref": "#/$defs/n", "default": {}}}}}, "$ref": "#/$defs/n"});
    let schemas = Schemas::compile(&wide, None).unwrap();
    assert!(codes(&schemas.check_inputs(b"{}").unwrap_err()).contains(&"input_too_large"));
}

#[test]
fn the_deepest_inputs_in_the_longest_chain_overflow_no_stack() {
    let mut defs = serde_json::Map::new();
    for level in 0..30 {
        defs.insert(format!("d{level}"), json!({"$ref": format!("#/$defs/d{}", level + 1)}));
    }
    defs.insert("d30".into(), json!({"properties": {"a": {"$ref": "#/$defs/d0"}}}));
    let schemas = Schemas::compile(&json!({"$defs": defs, "$ref": "#/$defs/d0"}), None).unwrap();
    let inputs = "{\"a\": ".repeat(98) + "{}" + &"}".repeat(98);
    // A thread of the asynchronous runtime has two megabytes.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let check = || assert!(schemas.check_inputs(inputs.as_bytes()).is_ok());
        thread.spawn_scoped(scope, check).unwrap().join().unwrap();
    });
}

#[test]
fn a_million_wrong_items_are_told_in_few_words_and_little_time() {
    let schema = json!({"properties": {
        "a": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"enum": [1, 2]}]}},
        "b": {"type": "array", "items": {"type": "number", "unit": "mm"}}}});
    let schemas = Schemas::compile(&schema, None).unwrap();
    let started = std::time::Instant::now();
    let wrong = format!("{{\"a\": [{}1]}}", "true,".repeat(1 << 20));
    let found = schemas.check_inputs(wrong.as_bytes()).unwrap_err();
    assert_eq!((found.len(), found[0].key.as_deref()), (100, Some("/a/0")));
    let last = format!("{{\"a\": [{}true]}}", "1,".repeat(1 << 20));
    let found = schemas.check_inputs(last.as_bytes()).unwrap_err();
    assert!(lines(&found)[0].starts_with("the schema is violated beyond the first 200 items"));
    let units = format!("{{\"b\": [{}1]}}", "\"1 kN\",".repeat(1 << 18));
    assert_eq!(schemas.check_inputs(units.as_bytes()).unwrap_err().len(), 100);
    let quantities = format!("{{\"b\": [{}1]}}", "\"1 cm\",".repeat(60_000));
    let found = schemas.check_inputs(quantities.as_bytes()).unwrap_err();
    assert_eq!(codes(&found)[0], "input_too_large");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn one_mistake_is_one_fault_with_what_to_do() {
    let schema = json!({"properties": {
        "grade": {"type": "string", "enum": ["8.8", "10.9"]},
        "force": {"type": "number"},
        "load": {"type": "number", "unit": "kN"},
    }});
    let schemas = Schemas::compile(&schema, None).unwrap();
    let inputs = br#"{"grade": 8.8, "force": "50 kN", "load": "50 KN"}"#;
    let mut found = schemas.check_inputs(inputs).unwrap_err();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    let give = "Give a number in kN, {\"value\": 12, \"unit\": \"kN\"} or \"12 kN\"";
    assert_eq!(
        lines(&found),
        [
            "/force: expected a number, found \"50 kN\"; no unit is converted here: give the number alone".to_owned(),
            "/grade: expected a text, found 8.8; put it between quotes: \"8.8\"".to_owned(),
            format!("/load: unknown unit `KN`: did you mean `kN`? {give}"),
        ]
    );
    let french = lignes(&found);
    assert!(french[0].ends_with("aucune unité n’est convertie ici : donnez le nombre seul"));
    assert!(french[1].ends_with("mettez-le entre guillemets : \"8.8\""));
    assert!(french[2].contains("vouliez-vous dire `kN` ? Donnez un nombre en kN"));
}
