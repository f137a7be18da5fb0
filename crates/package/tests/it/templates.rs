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
