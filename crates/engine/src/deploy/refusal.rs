//! What a failed test says to the author of an archive: each fault with its
//! place, what was expected and what came.

use domain::testing::{Case, Difference, Report, UnitTest};
use domain::{Fault, Text};
use package::Package;
use serde_json::Value;

use crate::remedy::remedied;

/// Faults beyond this many add nothing for whoever reads them.
const MOST_FAULTS: usize = 100;

/// The faults for which a report refuses its archive, and what it warns of;
/// none of the first kind where it is good.
#[must_use]
pub fn faults(report: &Report, package: &Package) -> Vec<Fault> {
    let failed = report.cases.iter().filter(|case| !case.passed);
    let mut faults: Vec<Fault> = failed.flat_map(|case| of_case(case, package)).collect();
    faults.extend(report.unit_tests.iter().filter(|test| test.outcome.is_failure()).map(of_test));
    if let Some(error) = &report.error {
        faults.push(Fault::error("tests_ended", error.message.clone()).in_file("tests"));
    }
    if faults.len() > MOST_FAULTS || (report.left_out > 0 && !faults.is_empty()) {
        faults.truncate(MOST_FAULTS);
        let failed = report.failed;
        faults.push(Fault::error(
            "tests_failed",
            Text::new(
                format!("{failed} test cases and tests failed in all; not every one is listed"),
                format!(
                    "{failed} cas de test et tests ont échoué en tout ; ils ne sont pas tous listés"
                ),
            ),
        ));
    }
    let ran_none = report.unit_tests.is_empty() && report.error.is_none() && report.left_out == 0;
    if package.has_unit_tests() && ran_none {
        faults.push(
            Fault::warning(
                "tests_none",
                Text::new(
                    "pytest found no test in tests/; it looks for functions `test_…` in files `test_….py`",
                    "pytest n'a trouvé aucun test dans tests/ ; il cherche des fonctions `test_…` dans des fichiers `test_….py`",
                ),
            )
            .in_file("tests"),
        );
    }
    faults
}

fn of_case(case: &Case, package: &Package) -> Vec<Fault> {
    let index = case.number as usize - 1;
    let (en, fr) = case.source.as_ref().map_or_else(Default::default, |source| {
        let source: String = source.chars().take(200).collect();
        (format!(" ({source})"), format!(" ({source})"))
    });
    let (en, fr) =
        (format!("test case {}{en}", case.number), format!("cas de test {}{fr}", case.number));
    let fault = |text: Text, pointer: Option<&str>| {
        package.test_cases.fault(Fault::error("test_case_failed", text), index, pointer)
    };
    if let Some(error) = &case.error {
        let error = &remedied(error.clone(), package.manifest.runtime.base_image);
        let exception = error.exception.as_deref().map(|name| format!("{name}: "));
        let exception = exception.unwrap_or_default();
        let text = Text::new(
            format!("{en} gave no result: {exception}{}", error.message.en),
            format!("{fr} : pas de résultat : {exception}{}", error.message.fr),
        );
        return vec![fault(text, None)];
    }
    let differs = |difference: &Difference| {
        let Difference { pointer, expected, got, .. } = difference;
        let (got_en, got_fr) = match got {
            Some(got) => (got.to_string(), got.to_string()),
            None => ("nothing".to_owned(), "rien".to_owned()),
        };
        let (by_en, by_fr) = difference.by().map_or_else(Default::default, |by| {
            (format!(" (difference {by})"), format!(" (écart {by})"))
        });
        let text = Text::new(
            format!("{en}: expected {expected}, got {got_en}{by_en}"),
            format!("{fr} : attendu {expected}, obtenu {got_fr}{by_fr}"),
        );
        fault(text, Some(pointer))
    };
    case.differences.iter().map(differs).collect()
}

fn of_test(test: &UnitTest) -> Fault {
    let message = test.message.lines().next().unwrap_or_default();
    let (en, fr) = match message {
        "" => ("it failed".to_owned(), "il a échoué".to_owned()),
        message => (message.to_owned(), message.to_owned()),
    };
    let (path, within) = test.name.split_once("::").unwrap_or((&test.name, ""));
    let file = test.file.as_deref().unwrap_or(path);
    let fault = Fault::error("unit_test_failed", Text::new(en, fr)).in_file(file);
    let fault = match test.line {
        Some(line) => Fault { line: Some(line), ..fault },
        None => fault,
    };
    // Where it failed in the handler, its whole name says which test it was.
    fault.at_key(if file == path { within } else { &test.name })
}

/// The longest JSON text of a value that a report shows.
const LONGEST_VALUE: usize = 300;

/// A value as a report shows it: a table of a thousand numbers says no more
/// than its beginning.
#[must_use]
pub fn shown(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= LONGEST_VALUE {
        return value;
    }
    let cut: String = text.chars().take(LONGEST_VALUE).collect();
    Value::String(cut + "…")
}

#[cfg(test)]
mod tests {
    use domain::limits::Limits;
    use domain::task::{ErrorKind, TaskError};
    use domain::testing::{Outcome, Tested};
    use serde_json::json;

    use super::*;

    const MANIFEST: &str = "\
version: \"1.0\"
metadata: {name: bolt}
io: {inputs_schema: {type: object}}
quality:
  test_cases:
    - inputs: {}
      expected_outputs: {stress: 100}
";

    fn package() -> Package {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        let files = vec![
            file("mecapy.yaml", MANIFEST),
            file("handler.py", "def calculate(inputs):\n    return {}\n"),
            file("tests/test_bolt.py", "def test_a():\n    pass\n"),
        ];
        package::read_dir(files, &Limits::default(), package::Policy::Off).unwrap()
    }

    fn case() -> Case {
        Case {
            number: 1,
            source: Some("EN 1993".to_owned()),
            passed: false,
            differences: vec![Difference {
                pointer: "/stress".to_owned(),
                expected: json!(100),
                got: Some(json!(90.5)),
                difference: Some(-9.5),
            }],
            left_out: 0,
            error: None,
            duration_s: 0.1,
        }
    }

    fn test(name: &str, file: Option<&str>) -> UnitTest {
        UnitTest {
            name: name.to_owned(),
            outcome: Outcome::Failed,
            duration_s: 0.0,
            file: file.map(str::to_owned),
            line: Some(7),
            message: "assert 1 == 2\nand more".to_owned(),
            text: String::new(),
        }
    }

    fn told(report: &Report) -> Vec<String> {
        let faults = faults(report, &package());
        faults.iter().map(|fault| fault.display(domain::Lang::En).to_string()).collect()
    }

    #[test]
    fn a_failed_case_shows_expected_got_and_difference_at_its_line() {
        let mut report = Report::default();
        report.add(Tested::Case(case()));
        report.add(Tested::UnitTest(test("tests/test_bolt.py::test_a", None)));
        assert_eq!(
            told(&report),
            [
                "mecapy.yaml:7:7 quality.test_cases[0].expected_outputs.stress: test case 1 \
                 (EN 1993): expected 100, got 90.5 (difference -9.5)",
                "tests/test_bolt.py:7 test_a: assert 1 == 2",
            ]
        );
    }

    #[test]
    fn a_case_without_result_and_a_run_cut_off_say_why() {
        let error = TaskError {
            exception: Some("ZeroDivisionError".to_owned()),
            ..TaskError::new(ErrorKind::UserError, Text::same("division by zero"))
        };
        let mut report = Report { error: Some(error.clone()), ..Report::default() };
        report.add(Tested::Case(Case { error: Some(error), differences: vec![], ..case() }));
        report.add(Tested::UnitTest(test("tests/test_bolt.py::test_a", Some("handler.py"))));
        assert_eq!(
            told(&report),
            [
                "mecapy.yaml:7:7 quality.test_cases[0]: test case 1 (EN 1993) gave no result: \
                 ZeroDivisionError: division by zero",
                "handler.py:7 tests/test_bolt.py::test_a: assert 1 == 2",
                "tests: division by zero",
            ]
        );
    }

    #[test]
    fn tests_without_a_test_are_only_a_warning_and_many_failures_are_counted() {
        let none = faults(&Report::default(), &package());
        assert_eq!(none[0].code, "tests_none");
        assert_eq!(none[0].severity, domain::Severity::Warning);
        let mut report = Report::default();
        for _ in 0..60 {
            report.add(Tested::UnitTest(test("tests/test_bolt.py::test_a", None)));
        }
        let told = told(&report);
        assert_eq!(told.len(), 51);
        assert!(told[50].starts_with("60 test cases and tests failed"), "{}", told[50]);
    }

    #[test]
    fn long_values_are_shown_by_their_beginning() {
        assert_eq!(shown(json!([1, 2])), json!([1, 2]));
        let Value::String(text) = shown(json!(vec![1; 1000])) else { panic!("it was not cut") };
        assert!(text.starts_with("[1,1,") && text.ends_with('…'));
    }
}
