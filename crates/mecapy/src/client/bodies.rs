//! The API's documents, as far as the command line reads them.

use std::fmt::Write;

use domain::Lang;
use domain::task::TaskError;
use domain::testing::{self, Difference, UnitTest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A page of a listing.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// What the page holds.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// The caller's own account.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// Whether the user can log in with a password.
    pub has_password: bool,
    /// The company that the token acts for.
    pub company: Membership,
}

/// A company that a user belongs to.
#[derive(Debug, Deserialize)]
pub struct Membership {
    /// The company's id.
    pub company_id: String,
    /// The company's name.
    pub name: String,
    /// The user's role there.
    pub role: String,
}

/// What a server says about one place: a fault, or a warning of a task.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Place {
    /// What is wrong, as a word that never changes.
    #[serde(default)]
    pub code: String,
    /// `error` or `warning`.
    #[serde(default)]
    pub severity: String,
    /// Path of the file inside the archive.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// Path of the key, or JSON Pointer.
    pub key: Option<String>,
    /// A sentence in the language that was asked for.
    pub message: Sentence,
}

impl Place {
    /// `mecapy.yaml:3:7 io: message`, as compilers write it.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.file.clone().unwrap_or_default();
        for number in [self.line, self.column].into_iter().flatten() {
            write!(line, ":{number}").expect("writing to a String succeeds");
        }
        let parts = [line.as_str(), self.key.as_deref().unwrap_or_default()];
        let place = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        if place.is_empty() {
            self.message.0.clone()
        } else {
            format!("{place}: {}", self.message.0)
        }
    }

    /// Whether it refuses what it is about.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity != "warning"
    }
}

/// A sentence in the language that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Sentence(pub String);

/// A deployment.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub deployment_id: String,
    /// The function's name, once the manifest was read.
    pub name: Option<String>,
    /// The version that it became.
    pub version: Option<String>,
    /// `running`, `deployed` or `failed`.
    pub status: String,
    /// The stages that were entered, in order.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// What refused it.
    #[serde(default)]
    pub faults: Vec<Place>,
    /// What came of its test cases and tests.
    pub tests: Option<TestReport>,
}

/// What came of an archive's test cases and tests.
#[derive(Clone, Debug, Deserialize)]
pub struct TestReport {
    /// How many passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// How many said that they can't be run here.
    pub skipped: u32,
    /// The test cases of the manifest.
    pub cases: Vec<TestCase>,
    /// The tests in `tests/`.
    pub unit_tests: Vec<UnitTest>,
    /// How many more were run than are listed.
    pub left_out: u32,
    /// Why `tests/` gave no whole report.
    pub error: Option<TaskFailure>,
    /// The end of what pytest printed.
    pub output: Option<String>,
}

/// One entry of `quality.test_cases`, run.
#[derive(Clone, Debug, Deserialize)]
pub struct TestCase {
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
    pub error: Option<TaskFailure>,
    /// In seconds.
    pub duration: f64,
}

impl TestReport {
    /// What was tested on this machine, in the words of a server.
    #[must_use]
    pub fn of(report: testing::Report, lang: Lang) -> Self {
        Self {
            passed: report.passed,
            failed: report.failed,
            skipped: report.skipped,
            cases: report.cases.into_iter().map(|case| TestCase::of(case, lang)).collect(),
            unit_tests: report.unit_tests,
            left_out: report.left_out,
            error: report.error.map(|error| TaskFailure::of(error, lang)),
            output: report.output,
        }
    }
}

impl TestCase {
    /// A case as it is told of live.
    #[must_use]
    pub fn of(case: testing::Case, lang: Lang) -> Self {
        Self {
            number: case.number,
            source: case.source,
            passed: case.passed,
            differences: case.differences,
            left_out: case.left_out,
            error: case.error.map(|error| TaskFailure::of(error, lang)),
            duration: case.duration_s,
        }
    }
}

impl TaskFailure {
    fn of(error: TaskError, lang: Lang) -> Self {
        Self {
            kind: error.kind.as_str().to_owned(),
            message: Sentence(error.message.get(lang).to_owned()),
            exception: error.exception,
            traceback: error.traceback,
            pointer: error.pointer,
            limit: error.limit,
            measured: error.measured,
            unit: error.unit,
        }
    }
}

impl Deployment {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "deployed" | "failed")
    }
}

/// A stage of a deployment.
#[derive(Clone, Debug, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// How long it took, in seconds; `None` while it runs.
    pub duration: Option<f64>,
    /// What it warned of.
    #[serde(default)]
    pub warnings: Vec<Place>,
}

/// A deployed function.
#[derive(Clone, Debug, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its newest version.
    pub version: Option<String>,
    /// What it computes.
    pub description: Option<String>,
    /// JSON Schema of its outputs, where units stand.
    pub outputs_schema: Option<serde_json::Value>,
    /// JSON Schema of its inputs.
    pub inputs_schema: Option<serde_json::Value>,
}

impl Function {
    /// The units of the properties of one of its schemas, by name.
    #[must_use]
    pub fn units(schema: Option<&serde_json::Value>) -> Vec<(String, String)> {
        let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
        properties
            .into_iter()
            .flatten()
            .filter_map(|(key, property)| {
                Some((key.clone(), property.get("unit")?.as_str()?.to_owned()))
            })
            .collect()
    }
}

/// What is sent to run a function.
#[derive(Debug, Serialize)]
pub struct Execute<'a> {
    /// The inputs, their bytes as the user wrote them.
    pub inputs: &'a RawValue,
    /// 0 to 9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// What is sent to run code that is not deployed.
#[derive(Debug, Serialize)]
pub struct RunCode<'a> {
    /// What the task is called.
    pub name: Option<String>,
    /// The module with `calculate`.
    pub code: String,
    /// Packages beyond the base image's.
    pub requirements: &'a [String],
    /// The base image; the server's default where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_image: Option<&'a str>,
    /// The Python version; the server's default where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_version: Option<&'a str>,
    /// What it is run with.
    #[serde(flatten)]
    pub execute: Execute<'a>,
}

/// A task. What only has to be shown again keeps its bytes.
#[derive(Debug, Deserialize)]
pub struct Task {
    /// Its id.
    pub task_id: String,
    /// What it is called; absent in the short answer of a submission.
    pub name: Option<String>,
    /// The function's name; absent there, too, and for code that is not deployed.
    pub function: Option<String>,
    /// The version's number.
    pub version: Option<String>,
    /// `queued`, `running`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// Tasks ahead of it.
    pub queue_position: Option<u64>,
    /// The result's own bytes; absent where there is none or it is large.
    pub result: Option<Box<RawValue>>,
    /// Path of the result's exact bytes.
    pub result_url: Option<String>,
    /// Why it failed.
    pub error: Option<TaskFailure>,
    /// Warnings on its result.
    #[serde(default)]
    pub warnings: Vec<Place>,
    /// When it was accepted.
    pub created_at: Option<String>,
    /// Seconds from acceptance to its start.
    pub queue_time: Option<f64>,
    /// Seconds from its start to the first line of the function.
    pub startup_time: Option<f64>,
    /// Seconds from the first line of the function to its end.
    pub execution_time: Option<f64>,
    /// Most memory it held, in bytes.
    pub peak_memory: Option<u64>,
    /// Whether it ran in a process that was prepared ahead.
    pub warm: Option<bool>,
    /// Whether its result was taken from an earlier run with the same inputs.
    #[serde(default)]
    pub cached: bool,
}

impl Task {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }
}

/// Why a task failed.
#[derive(Clone, Debug, Deserialize)]
pub struct TaskFailure {
    /// `user_error`, `timeout` …
    pub kind: String,
    /// What happened and what to do.
    pub message: Sentence,
    /// The Python exception's type, for `user_error`.
    pub exception: Option<String>,
    /// The function's own frames.
    pub traceback: Option<String>,
    /// JSON Pointer into the result.
    pub pointer: Option<String>,
    /// The limit that was hit.
    pub limit: Option<f64>,
    /// What was measured.
    pub measured: Option<f64>,
    /// `s` or `bytes`.
    pub unit: Option<String>,
}

impl TaskFailure {
    /// `KeyError: 'force'`, as Python says it: a key alone tells nobody what
    /// went wrong. A `ValueError` is what authors raise to say it themselves.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.exception.as_deref() {
            Some(exception)
                if exception != "ValueError" && !self.message.0.starts_with(exception) =>
            {
                format!("{exception}: {}", self.message.0)
            }
            _ => self.message.0.clone(),
        }
    }
}

/// An uploaded file.
#[derive(Debug, Deserialize)]
pub(super) struct Uploaded {
    /// What stands for it in inputs.
    #[serde(rename = "ref")]
    pub(super) reference: String,
}
