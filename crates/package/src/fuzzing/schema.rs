//! Schemas and inputs: nothing is fetched, and every fault names a place of
//! what it is about.

use domain::json::Pointer;
use domain::{Fault, Severity};
use serde_json::Value;

use super::sentences;
use crate::schema::{Schemas, subschemas};

/// Reads a schema, a line `---`, and inputs; compiles the one and checks the
/// other.
///
/// # Panics
/// Where compiling or checking breaks one of its promises.
pub fn schema(bytes: &[u8]) {
    let cut = bytes.windows(5).position(|five| five == b"\n---\n");
    let (schema, inputs) = cut.map_or((bytes, &b"{}"[..]), |at| (&bytes[..at], &bytes[at + 5..]));
    let Ok(schema) = serde_json::from_slice::<Value>(schema) else { return };
    let (schemas, problems) = Schemas::examine(&schema, Some(&schema));
    for problem in &problems {
        assert!(schema.pointer(&problem.pointer).is_some(), "{problem:?} is not in {schema}");
    }
    let faults: Vec<Fault> = problems.into_iter().map(|problem| problem.fault).collect();
    sentences(&faults);
    let refused = faults.iter().any(|fault| fault.severity == Severity::Error);
    assert_eq!(schemas.is_none(), refused, "{faults:?}");
    let Some(schemas) = schemas else { return };
    local(&schema);
    let problems = schemas.check_defaults(&schema);
    for problem in &problems {
        assert!(schema.pointer(&problem.pointer).is_some(), "{problem:?} is not in {schema}");
    }
    sentences(&problems.into_iter().map(|problem| problem.fault).collect::<Vec<_>>());
    checked(&schemas, &schema, inputs);
    returned(&schemas, inputs);
}

/// No reference of a schema that was accepted leads out of it.
fn local(schema: &Value) {
    let mut open = vec![(Pointer::root(), schema)];
    while let Some((at, schema)) = open.pop() {
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(Value::String(reference)) = schema.get(keyword) {
                assert!(reference.starts_with('#'), "{at} refers to {reference}");
            }
        }
        open.extend(subschemas(schema, &at).into_iter().map(|(_, _, at, child)| (at, child)));
    }
}

/// Inputs that were accepted are accepted again as they then are.
fn checked(schemas: &Schemas, schema: &Value, inputs: &[u8]) {
    match schemas.check_inputs(inputs) {
        Ok(first) => {
            let read: Value = serde_json::from_slice(&first.json).expect("it is JSON");
            for file in &first.files {
                let value = read.pointer(&file.pointer).and_then(Value::as_str);
                assert_eq!(value, Some(file.reference.as_str()), "{}", file.pointer);
            }
            let second = schemas.check_inputs(&first.json);
            let second = second.unwrap_or_else(|faults| panic!("{read} is refused: {faults:?}"));
            assert_eq!(second.json, first.json);
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            sentences(&faults);
            for fault in &faults {
                placed(fault, schema, inputs);
            }
        }
    }
}

/// A fault's place is in the text, and its pointer in the document: a member
/// may be missing, or come from a default; anything else must be there.
fn placed(fault: &Fault, schema: &Value, inputs: &[u8]) {
    let text = String::from_utf8_lossy(inputs);
    if let (Some(line), Some(column)) = (fault.line, fault.column) {
        let there = text.split('\n').nth(line as usize - 1).expect("the line is there");
        assert!(column as usize <= there.chars().count() + 1, "{fault:?}");
    }
    let pointer = fault.key.as_deref().expect("a fault of inputs has a key");
    assert!(pointer.is_empty() || pointer.starts_with('/'), "{fault:?}");
    let unclear = ["input_syntax", "input_duplicate_key", "input_number_range", "input_too_deep"];
    // What is too long to be shown is cut off, and so leads nowhere.
    if unclear.contains(&fault.code.as_str()) || pointer.contains('…') {
        return;
    }
    let mut here: &Value = &serde_json::from_slice(inputs).expect("it was read");
    let has_defaults = schema.to_string().contains("\"default\"");
    let mut parts = pointer.split('/').skip(1);
    while let Some(part) = parts.next() {
        let name = part.replace("~1", "/").replace("~0", "~");
        match here.pointer(&format!("/{part}")) {
            Some(next) => here = next,
            None => {
                let missing = here.is_object() && here.get(&name).is_none();
                let last = parts.next().is_none();
                assert!(missing && (last || has_defaults), "{fault:?} is not in {text}");
                return;
            }
        }
    }
}

/// Results only earn warnings.
fn returned(schemas: &Schemas, result: &[u8]) {
    let non_finite = ["/a".to_owned(), String::new()];
    for non_finite in [&[][..], &non_finite] {
        let warnings = schemas.check_outputs(result, non_finite);
        assert!(warnings.iter().all(|fault| fault.severity == Severity::Warning), "{warnings:?}");
        sentences(&warnings);
    }
    for file in schemas.output_files(result) {
        let value: Value = serde_json::from_slice(result).expect("it was read");
        assert_eq!(value.pointer(&file.pointer).and_then(Value::as_str), Some(&*file.reference));
    }
}
