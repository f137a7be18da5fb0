//! What is refused in a schema, and where it is pointed at.

use package::Schemas;
use serde_json::{Value, json};

use crate::support::{codes, faults, lignes, lines, read_files, with_schema};

fn schema_lines(schema: &str) -> Vec<String> {
    lines(&faults(&[("mecapy.yaml", &with_schema(schema))]))
}

#[test]
fn units_stand_beside_numbers_and_are_known() {
    assert_eq!(
        schema_lines("{properties: {a: {type: string, unit: mm}}}"),
        [
            "mecapy.yaml:4:50 io.inputs_schema.properties.a.unit: `unit` needs `type: number` or `type: integer` beside it; a list carries the unit in its `items`"
        ]
    );
    assert!(
        schema_lines("{properties: {a: {type: number, unit: kNN}}}")[0]
            .contains("unknown unit `kNN`")
    );
    assert!(
        schema_lines("{properties: {a: {type: number, unit: 3}}}")[0]
            .contains("expected a unit as text")
    );
    assert!(
        schema_lines("{properties: {a: {anyOf: [{type: number, unit: mm}]}}}")[0]
            .contains("`unit` has no effect here")
    );
    let good = "{$defs: {l: {type: number, unit: mm}}, properties: {a: {$ref: \"#/$defs/l\"}, b: {type: [number, \"null\"], unit: N/mm²}, c: {type: array, items: {type: number, unit: m}}}}";
    assert!(read_files(&[("mecapy.yaml", &with_schema(good))]).is_ok());
}

#[test]
fn files_are_texts() {
    assert!(
        schema_lines("{properties: {a: {type: number, format: file}}}")[0]
            .contains("`format: file` needs `type: string`")
    );
    assert!(schema_lines("{properties: {a: {format: file}}}")[0].contains("needs `type: string`"));
    assert!(
        read_files(&[(
            "mecapy.yaml",
            &with_schema("{properties: {a: {type: string, format: file}}}")
        )])
        .is_ok()
    );
}

#[test]
fn references_lead_somewhere_and_end() {
    assert_eq!(
        schema_lines("{properties: {a: {$ref: \"#/$defs/b\"}}}"),
        [
            "mecapy.yaml:4:36 io.inputs_schema.properties.a.$ref: \"#/$defs/b\" leads nowhere in this schema"
        ]
    );
    assert!(schema_lines("{$ref: \"#\"}")[0].contains("leads back to itself"));
    assert!(schema_lines("{properties: {a: {$id: x}}}")[0].contains("`$id` inside a schema"));
}

#[test]
fn every_violation_of_the_meta_schema_is_reported() {
    let found = schema_lines("{properties: {a: {minimum: x, required: a, type: numbr}, b: 3}}");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found.iter().all(|line| line.contains("not valid in a JSON Schema: ")));
}

#[test]
fn another_dialect_is_refused() {
    assert!(schema_lines("{$schema: \"http://json-schema.org/draft-07/schema#\"}")[0].contains(
        "expected \"https://json-schema.org/draft/2020-12/schema\" or no `$schema` at all"
    ));
    assert!(
        read_files(&[(
            "mecapy.yaml",
            &with_schema("{$schema: \"https://json-schema.org/draft/2020-12/schema\"}")
        )])
        .is_ok()
    );
}

#[test]
fn misspelt_keywords_and_formats_are_warnings() {
    let yaml = with_schema(
        "{properties: {a: {type: number, minimun: 3}, b: {type: string, format: dat}}, requird: [a]}",
    );
    let package = read_files(&[("mecapy.yaml", &yaml)]).unwrap();
    assert_eq!(
        lignes(&package.warnings),
        [
            "mecapy.yaml:4:50 io.inputs_schema.properties.a.minimun: \"minimun\" n’est pas un mot-clé de JSON Schema et ne vérifie rien ; vouliez-vous dire `minimum` ?",
            "mecapy.yaml:4:81 io.inputs_schema.properties.b.format: le format \"dat\" n’est pas connu et ne vérifie rien ; vouliez-vous dire `date` ?",
            "mecapy.yaml:4:96 io.inputs_schema.requird: \"requird\" n’est pas un mot-clé de JSON Schema et ne vérifie rien ; vouliez-vous dire `required` ?",
        ]
    );
}

#[test]
fn numbers_beyond_float64_in_a_schema_are_refused() {
    assert_eq!(
        codes(&faults(&[("mecapy.yaml", &with_schema("{properties: {a: {maximum: 1e999}}}"))])),
        ["schema_invalid"]
    );
}

#[test]
fn a_stored_schema_compiles_again() {
    let schema = json!({"properties": {"a": {"type": "number"}}});
    assert!(Schemas::compile(&schema, Some(&Value::Bool(true))).is_ok());
    let found = Schemas::compile(&json!({"type": "x"}), Some(&json!({"type": "y"}))).unwrap_err();
    let keys: Vec<_> = found.iter().filter_map(|fault| fault.key.as_deref()).collect();
    assert_eq!(keys, ["io.inputs_schema.type", "io.outputs_schema.type"]);
}

fn warnings(schema: &Value, result: &str, non_finite: &[&str]) -> Vec<String> {
    let schemas = Schemas::compile(&json!({}), Some(schema)).unwrap();
    let non_finite: Vec<String> = non_finite.iter().map(|p| (*p).to_owned()).collect();
    lines(&schemas.check_outputs(result.as_bytes(), &non_finite))
}

#[test]
fn a_result_that_is_not_as_promised_warns() {
    let schema = json!({"properties": {"stress": {"type": "number", "minimum": 1}}, "required": ["stress", "ok"]});
    assert_eq!(
        warnings(&schema, r#"{"stress": "high"}"#, &[]),
        [
            "/ok: the mandatory property \"ok\" is missing",
            "/stress: expected a number, found \"high\""
        ]
    );
    assert!(warnings(&schema, r#"{"stress": 2.5, "ok": true}"#, &[]).is_empty());
}

#[test]
fn non_finite_numbers_count_as_numbers_and_warn_by_themselves() {
    let schema =
        json!({"properties": {"a": {"type": "number", "minimum": 1}, "b": {"type": "string"}}});
    let found = warnings(&schema, r#"{"a": "NaN", "b": "Infinity"}"#, &["/a", "/b"]);
    assert_eq!(found.len(), 2);
    assert!(found[0].starts_with("/a: 2 numbers of the result are NaN or infinite, at `/a`, `/b`"));
    assert_eq!(found[1], "/b: expected a text, found 0; put it between quotes: \"0\"");
}

#[test]
fn output_files_are_found() {
    let schema = json!({"properties": {
        "plot": {"type": "string", "format": "file"},
        "tables": {"type": "array", "items": {"$ref": "#/$defs/f"}}
    }, "$defs": {"f": {"type": "string", "format": "file"}}});
    let schemas = Schemas::compile(&json!({}), Some(&schema)).unwrap();
    let found = schemas
        .output_files(br#"{"plot": "/out/p.png", "tables": ["/out/a", "/out/b"], "x": "y"}"#);
    let pairs: Vec<_> = found.iter().map(|f| (f.pointer.as_str(), f.reference.as_str())).collect();
    assert_eq!(pairs, [("/plot", "/out/p.png"), ("/tables/0", "/out/a"), ("/tables/1", "/out/b")]);
    let bytes = br#"{"a": 1.50, "plot": "/out/p.png"}"#;
    let plot = package::Replacement { pointer: "/plot".into(), json: "\"art_1\"".into() };
    assert_eq!(package::replace(bytes, &[plot]).unwrap(), br#"{"a": 1.50, "plot": "art_1"}"#);
}

#[test]
fn a_default_must_be_a_valid_input() {
    let found = schema_lines(
        "{properties: {a: {type: number, unit: mm, minimum: 1, default: \"0.5 mm\"}, b: {type: integer, default: x}, c: {type: number, unit: mm, default: \"1 kN\"}, d: {type: number, unit: mm, default: \"1 cm\"}}}",
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].ends_with("io.inputs_schema.properties.a.default: this default is no valid input: expected at least 1, found 0.5"));
    assert!(found[1].ends_with("this default is no valid input: expected an integer, found \"x\""));
    assert!(found[2].contains("expected a length such as mm, found kN"));
}
