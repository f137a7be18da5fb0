//! What came of an archive's test cases and tests, as callers see it.

use domain::Lang;
use domain::testing::{Case, Difference, Report, UnitTest};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::routes::tasks::view::ErrorBody;

/// What was tested of an archive, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = TestReport)]
pub(crate) struct ReportBody<'a> {
    /// How many passed, test cases and tests together.
    passed: u32,
    /// How many failed.
    failed: u32,
    /// How many tests said that they can't be run here.
    skipped: u32,
    /// The entries of `quality.test_cases`, in their order.
    cases: Vec<CaseBody<'a>>,
    /// The tests in `tests/`, in the order in which they ended.
    unit_tests: Vec<UnitTestBody<'a>>,
    /// How many more were run than are listed.
    left_out: u32,
    /// Why `tests/` gave no whole report: it crashed, ran out of time …
    error: Option<ErrorBody<'a>>,
    /// The end of what pytest printed, where there is an error.
    output: Option<&'a str>,
}

/// One entry of `quality.test_cases`.
#[derive(Serialize, ToSchema)]
#[schema(as = TestCase)]
struct CaseBody<'a> {
    /// Its number in the manifest, from 1.
    number: u32,
    /// Where its answer is known from.
    source: Option<&'a str>,
    /// Whether the result is as expected.
    passed: bool,
    /// Where it is not.
    differences: Vec<DifferenceBody<'a>>,
    /// How many more differences there are than are listed.
    left_out: u32,
    /// Why there is no result.
    error: Option<ErrorBody<'a>>,
    /// How long it took, in seconds.
    duration: f64,
}

/// One place where a result is not as expected.
#[derive(Serialize, ToSchema)]
#[schema(as = Difference)]
struct DifferenceBody<'a> {
    /// JSON Pointer into the result.
    pointer: &'a str,
    /// The expected value; of a long one its beginning as a text.
    #[schema(value_type = Value)]
    expected: &'a Value,
    /// What stands there; null where the key or item is missing.
    #[schema(value_type = Option<Value>)]
    got: Option<&'a Value>,
    /// Got minus expected, where both are numbers.
    difference: Option<f64>,
}

/// One test of `tests/`.
#[derive(Serialize, ToSchema)]
#[schema(as = UnitTest)]
struct UnitTestBody<'a> {
    /// pytest's name for it, such as `tests/test_bolt.py::test_zero[M12]`.
    name: &'a str,
    /// `passed`, `failed`, `error` (its file or a fixture failed) or `skipped`.
    outcome: &'static str,
    /// How long it took with its fixtures, in seconds.
    duration: f64,
    /// The file of the archive in which it failed.
    file: Option<&'a str>,
    /// The line in that file, from 1.
    line: Option<u32>,
    /// What failed, in a line, or why it was skipped.
    message: &'a str,
    /// The traceback and what was printed, cut to its end.
    text: &'a str,
}

impl<'a> ReportBody<'a> {
    /// A report in the caller's language.
    pub(crate) fn of(report: &'a Report, lang: Lang) -> Self {
        Self {
            passed: report.passed,
            failed: report.failed,
            skipped: report.skipped,
            cases: report.cases.iter().map(|case| CaseBody::of(case, lang)).collect(),
            unit_tests: report.unit_tests.iter().map(UnitTestBody::of).collect(),
            left_out: report.left_out,
            error: report.error.as_ref().map(|error| ErrorBody::of(error, lang)),
            output: report.output.as_deref(),
        }
    }
}

impl<'a> CaseBody<'a> {
    fn of(case: &'a Case, lang: Lang) -> Self {
        let shown = |difference: &'a Difference| DifferenceBody {
            pointer: &difference.pointer,
            expected: &difference.expected,
            got: difference.got.as_ref(),
            difference: difference.difference,
        };
        Self {
            number: case.number,
            source: case.source.as_deref(),
            passed: case.passed,
            differences: case.differences.iter().map(shown).collect(),
            left_out: case.left_out,
            error: case.error.as_ref().map(|error| ErrorBody::of(error, lang)),
            duration: case.duration_s,
        }
    }
}

impl<'a> UnitTestBody<'a> {
    fn of(test: &'a UnitTest) -> Self {
        Self {
            name: &test.name,
            outcome: test.outcome.as_str(),
            duration: test.duration_s,
            file: test.file.as_deref(),
            line: test.line,
            message: &test.message,
            text: &test.text,
        }
    }
}
