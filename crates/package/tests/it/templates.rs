//! What `mecapy init` writes.

use domain::Lang;
use domain::limits::Limits;
use package::{Policy, compare};

#[test]
fn the_template_passes_without_a_warning_in_both_languages_and_every_policy() {
    for lang in [Lang::En, Lang::Fr] {
        for policy in [Policy::DenyList, Policy::AllowList, Policy::Off] {
            let files = package::template("beam", lang);
            let zip = package::zip(&files).unwrap();
            let package = package::read(&zip, &Limits::default(), policy).unwrap();
            assert_eq!(package.warnings, []);
            assert_eq!(package.manifest.metadata.name, "beam");
            assert_eq!(package.manifest.test_cases.len(), 1);
            assert!(package.imports.is_empty());
        }
    }
}

#[test]
fn the_templates_test_case_is_the_known_answer() {
    // 10 kN/m over 6 m, E 210 GPa, I 8.356e-5 m⁴: f = 9.6167 mm, M = 45 kN·m.
    let files = package::template("beam", Lang::En);
    let zip = package::zip(&files).unwrap();
    let package = package::read(&zip, &Limits::default(), Policy::default()).unwrap();
    let case = &package.manifest.test_cases[0];
    let (load, span, stiffness) = (10e3_f64, 6.0_f64, 210e9 * 8356e-8);
    let deflection = 5.0 * load * span.powi(4) / (384.0 * stiffness) * 1e3;
    let moment = load * span.powi(2) / 8.0 / 1e3;
    let got = format!("{{\"deflection\": {deflection}, \"moment\": {moment}}}");
    let rel = case.rel_tolerance;
    assert_eq!(compare(&case.expected_outputs, got.as_bytes(), rel, None).unwrap(), []);
}

/// The files below a folder, with paths relative to it.
fn files_below(folder: &std::path::Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if package::ignored(&path) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            files_below(&entry.path(), &format!("{path}/"), files);
        } else {
            files.push((path, std::fs::read(entry.path()).unwrap()));
        }
    }
}

#[test]
fn the_examples_pass_without_a_warning() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        files_below(&folder, "", &mut files);
        let package = package::read_dir(files, &Limits::default(), Policy::DenyList);
        let package = package.map_err(|refused| crate::support::lines(&refused.faults));
        assert_eq!(package.unwrap().warnings, [], "{}", folder.display());
        seen += 1;
    }
    assert!(seen >= 6, "found {seen} examples");
}
