//! What holds for every archive and every input, found by random search.

use std::io::{Cursor, Write};

use domain::limits::Limits;
use package::{Policy, Schemas, read, read_dir};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::support::folder;

/// A ZIP in the given order, with the given time and method.
fn zipped(files: &[(String, Vec<u8>)], year: u16, method: CompressionMethod) -> Vec<u8> {
    let time = DateTime::from_date_and_time(year, 1, 2, 3, 4, 6).unwrap();
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(time)
        .unix_permissions(0o600 + u32::from(year % 64));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        writer.start_file(path.as_str(), options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Any JSON value whose numbers are written in every way.
fn any_json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:?}")),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:e}")),
        any::<i128>().prop_map(|x| x.to_string()),
        "-?[1-9][0-9]{0,60}",
        "-?[0-9]\\.[0-9]{1,20}[eE][+-]?[0-9]{1,2}",
    ];
    let text = any::<String>().prop_map(|text| Value::String(text).to_string());
    let leaf =
        prop_oneof![number, text, Just("null".into()), Just("true".into()), Just("false".into())];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(" ,"))),
            btree_map(any::<String>(), inner, 0..6).prop_map(|members| {
                let members =
                    members.iter().map(|(k, v)| format!("{} : {v}", Value::String(k.clone())));
                format!("{{{}}}", members.collect::<Vec<_>>().join(",\n"))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_digest_depends_on_paths_and_contents_alone(
        extra in btree_map("[a-z]{1,8}(/[a-z]{1,8}){0,2}\\.txt", vec(any::<u8>(), 0..200), 0..6),
        seed in any::<u64>(),
        year in 1980_u16..2100,
    ) {
        let mut files = folder(&[]);
        files.extend(extra);
        let plain = read_dir(files.clone(), &Limits::default(), Policy::DenyList);
        let sorted = zipped(&files, 1980, CompressionMethod::Stored);
        let turn = (seed % files.len() as u64) as usize;
        files.rotate_left(turn);
        let turned = zipped(&files, year, CompressionMethod::Deflated);
        let digest = |zip: &[u8]| read(zip, &Limits::default(), Policy::DenyList).map(|p| p.digest).ok();
        prop_assert_eq!(digest(&sorted), plain.map(|p| p.digest).ok());
        prop_assert_eq!(digest(&sorted), digest(&turned));
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, &Limits::default(), Policy::DenyList);
    }

    #[test]
    fn a_damaged_zip_makes_nothing_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut zip = package::zip(&folder(&[("data/a.csv", "1;2;3")])).unwrap();
        let at = at.index(zip.len());
        zip[at] = byte;
        let _ = read(&zip, &Limits::default(), Policy::DenyList);
    }

    #[test]
    fn no_manifest_makes_reading_panic(text in "[-a-z0-9:&*\\[\\]{}\"'#!|>,. \n]{0,300}") {
        let _ = crate::support::read_files(&[("mecapy.yaml", &text)]);
        let with_head = format!("{}{text}", crate::support::MANIFEST);
        let _ = crate::support::read_files(&[("mecapy.yaml", &with_head)]);
        let files = vec![("pyproject.toml".to_owned(), text.into_bytes())];
        let _ = read_dir(files, &Limits::default(), Policy::DenyList);
    }

    #[test]
    fn no_python_makes_reading_panic(text in "[a-z0-9()\\[\\]{}:=.,'\"\\\\@ \n]{0,300}") {
        let _ = crate::support::read_files(&[("handler.py", &text)]);
    }

    #[test]
    fn no_schema_makes_compiling_panic(schema in any_json()) {
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let properties = json!({"properties": {"a": schema}, "$defs": schema, "allOf": [schema]});
        let _ = Schemas::compile(&properties, None);
    }

    #[test]
    fn inputs_that_need_nothing_come_out_as_the_same_bytes(value in any_json()) {
        let schema = json!({"properties": {
            "other": {"type": "number", "unit": "mm"}, "x": {"description": "anything"}}});
        let schemas = Schemas::compile(&schema, None).unwrap();
        let inputs = format!("{{ \"x\" : {value} }}");
        let checked = schemas.check_inputs(inputs.as_bytes()).unwrap();
        prop_assert!(matches!(checked.json, std::borrow::Cow::Borrowed(_)));
        prop_assert_eq!(&*checked.json, inputs.as_bytes());
    }

    #[test]
    fn numbers_beside_a_default_and_a_conversion_keep_their_text(value in any_json()) {
        let schema = json!({"properties": {
            "length": {"type": "number", "unit": "mm"}, "n": {"default": 1}, "x": {}}});
        let schemas = Schemas::compile(&schema, None).unwrap();
        let inputs = format!("{{\"length\": \"3 cm\", \"x\": {value}}}");
        let checked = schemas.check_inputs(inputs.as_bytes()).unwrap();
        let expected = format!("{{\"length\": 30.0, \"x\": {value}, \"n\": 1}}");
        prop_assert_eq!(std::str::from_utf8(&checked.json).unwrap(), expected);
    }

    #[test]
    fn every_float_and_integer_equals_itself_in_a_test_case(value in any_json()) {
        let expected: Value = serde_json::from_str(&value).unwrap();
        let same = package::compare(&expected, value.as_bytes(), Some(0.0), None).unwrap();
        prop_assert_eq!(same, []);
    }
}
