//! What came of a function's known answers and of its `tests/`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::task::TaskError;

/// Listed of those that passed or were skipped; further ones are counted.
const MOST_PASSED: usize = 500;
/// Listed of those that failed; further ones are counted.
const MOST_FAILED: usize = 50;

/// What was tested of an archive, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How many passed, test cases and tests together.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// How many tests said that they can't be run here.
    pub skipped: u32,
    /// The test cases of the manifest, in its order.
    pub cases: Vec<Case>,
    /// The tests in `tests/`, in the order in which they ended.
    pub unit_tests: Vec<UnitTest>,
    /// How many more were run than are listed.
    pub left_out: u32,
    /// Why `tests/` gave no whole report: it crashed, ran out of time …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
    /// The end of what pytest printed, where there is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// One entry of `quality.test_cases`, run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its number in the manifest, from 1.
    pub number: u32,
    /// Where its answer is known from.
    pub source: Option<String>,
    /// Whether the result is as expected.
    pub passed: bool,
    /// Where it is not.
    pub differences: Vec<Difference>,
    /// How many more differences there are than are listed.
    pub left_out: u32,
    /// Why there is no result.
    pub error: Option<TaskError>,
    /// From the first line of the handler to its end, in seconds.
    #[serde(rename = "duration")]
    pub duration_s: f64,
}

/// One place where a result is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// JSON Pointer into the result.
    pub pointer: String,
    /// The expected value.
    pub expected: Value,
    /// What stands there; nothing where the key or item is missing.
    pub got: Option<Value>,
    /// Got minus expected, where both are numbers.
    pub difference: Option<f64>,
}

impl Difference {
    /// By how much it differs, with its sign: `-9.5`, `+2e-17`.
    #[must_use]
    pub fn by(&self) -> Option<String> {
        self.difference.map(|by| match by.abs() {
            1e-4..1e7 => format!("{by:+}"),
            _ => format!("{by:+e}"),
        })
    }
}

/// One test of `tests/`, as pytest told of it. The tests run in the same
/// process as pytest, so what they say of themselves proves nothing to anybody
/// but their author.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitTest {
    /// pytest's name for it, such as `tests/test_bolt.py::test_zero[M12]`.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// With its fixtures, in seconds.
    #[serde(rename = "duration")]
    pub duration_s: f64,
    /// The file of the archive in which it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What failed, in a line, or why it was skipped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The traceback and what was printed, cut to its end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As expected.
    Passed,
    /// It failed.
    Failed,
    /// Its file can't be imported, or a fixture failed.
    Error,
    /// It said that it can't be run here, or its failure was expected (`xfail`).
    Skipped,
}

/// What is told as soon as it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tested {
    /// A test case.
    Case(Case),
    /// A test of `tests/`.
    UnitTest(UnitTest),
}

impl Outcome {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }

    /// Whether it refuses the archive.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

impl Report {
    /// Whether nothing stands against the archive.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.error.is_none()
    }

    /// Counts something that has ended, and lists it where there is room.
    pub fn add(&mut self, tested: Tested) {
        let outcome = match &tested {
            Tested::Case(Case { passed: true, .. }) => Outcome::Passed,
            Tested::Case(_) => Outcome::Failed,
            Tested::UnitTest(test) => test.outcome,
        };
        let counted = match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Failed | Outcome::Error => &mut self.failed,
        };
        *counted += 1;
        let failed_listed = self.cases.iter().filter(|case| !case.passed).count()
            + self.unit_tests.iter().filter(|test| test.outcome.is_failure()).count();
        let has_room = match outcome.is_failure() {
            true => failed_listed < MOST_FAILED,
            false => self.cases.len() + self.unit_tests.len() - failed_listed < MOST_PASSED,
        };
        match tested {
            _ if !has_room => self.left_out += 1,
            Tested::Case(case) => self.cases.push(case),
            Tested::UnitTest(test) => self.unit_tests.push(test),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(outcome: Outcome) -> Tested {
        Tested::UnitTest(UnitTest {
            name: "tests/test_a.py::test_b".to_owned(),
            outcome,
            duration_s: 0.5,
            file: None,
            line: None,
            message: String::new(),
            text: String::new(),
        })
    }

    #[test]
    fn all_are_counted_and_failures_are_listed_however_many_passed_before() {
        let mut report = Report::default();
        for _ in 0..600 {
            report.add(test(Outcome::Passed));
        }
        assert!(report.is_good());
        for _ in 0..70 {
            report.add(test(Outcome::Error));
        }
        assert!(!report.is_good());
        assert_eq!((report.passed, report.failed, report.left_out), (600, 70, 120));
        let failures = report.unit_tests.iter().filter(|test| test.outcome.is_failure());
        assert_eq!(failures.count(), MOST_FAILED);
    }

    #[test]
    fn a_difference_is_written_as_a_person_would() {
        let by = |difference| {
            let (pointer, expected) = ("/x".to_owned(), Value::Null);
            Difference { pointer, expected, got: None, difference }.by()
        };
        assert_eq!(by(Some(-9.5)).as_deref(), Some("-9.5"));
        assert_eq!(by(Some(1.0)).as_deref(), Some("+1"));
        assert_eq!(by(Some(2e-17)).as_deref(), Some("+2e-17"));
        assert_eq!(by(Some(-3e9)).as_deref(), Some("-3e9"));
        assert_eq!(by(None), None);
    }

    #[test]
    fn what_is_told_live_says_what_it_is() {
        let told = serde_json::to_value(test(Outcome::Skipped)).unwrap();
        assert_eq!(told["unit_test"]["outcome"], "skipped");
        assert_eq!(told["unit_test"]["duration"], 0.5);
        assert_eq!(serde_json::from_value::<Tested>(told).unwrap(), test(Outcome::Skipped));
    }
}
