//! Runs what an archive proves itself by: its test cases and `tests/`, each in
//! the sandbox and under the limits of a run.

mod cases;
mod unit_tests;

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::task::{ErrorKind, TaskError};
use domain::testing::{Report, Tested};
use domain::{Fault, Text};
use engine::TestTeller;
use package::Package;
use store::functions::Version;

use crate::SandboxBuilder;

/// What all tests of an archive may take together.
const ALL: Duration = Duration::from_secs(1800);
/// Of a traceback, its end is kept.
const TRACEBACK_CHARACTERS: usize = 4000;

/// What is tested, and where.
struct Bench<'a> {
    builder: &'a SandboxBuilder,
    version: &'a Version,
    package: &'a Package,
    archive: &'a Bytes,
    deadline: Instant,
}

impl SandboxBuilder {
    /// Runs the test cases and `tests/` of a version that was prepared.
    ///
    /// # Errors
    /// Only what the platform broke; nothing is known of the archive then.
    pub(crate) async fn run_tests(
        &self,
        version: &Version,
        package: &Package,
        archive: &Bytes,
        teller: &TestTeller,
    ) -> Result<Report, Vec<Fault>> {
        let deadline = Instant::now() + ALL;
        let bench = Bench { builder: self, version, package, archive, deadline };
        let failed = |reason: String| {
            tracing::error!(function = version.name, "an archive can't be tested: {reason}");
            vec![not_run(&reason)]
        };
        let mut report = Report::default();
        for index in 0..package.manifest.test_cases.len() {
            let tested = Tested::Case(bench.case(index).await.map_err(failed)?);
            teller(&tested);
            report.add(tested);
        }
        if package.has_unit_tests() {
            bench.unit_tests(&mut report, teller).await.map_err(failed)?;
        }
        Ok(report)
    }
}

impl Bench<'_> {
    /// The time that is left for one run; an error where none is.
    fn wall(&self) -> Result<Duration, Box<TaskError>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let limit = ALL.as_secs();
            return Err(Box::new(TaskError::new(
                ErrorKind::Timeout,
                Text::new(
                    format!("it was not run: all tests together took longer than {limit} s"),
                    format!("non exécuté : tous les tests ensemble ont dépassé {limit} s"),
                ),
            )));
        }
        let timeout_s = self.version.manifest.runtime.timeout_s;
        Ok(Duration::from_secs(timeout_s.into()).min(left))
    }
}

/// An error as a report keeps it.
fn kept(mut error: TaskError) -> TaskError {
    if let Some(traceback) = &mut error.traceback
        && let Some((start, _)) = traceback.char_indices().rev().nth(TRACEBACK_CHARACTERS)
    {
        *traceback = format!("…{}", &traceback[start..]);
    }
    error
}

fn not_run(reason: &str) -> Fault {
    Fault::error(
        "tests_not_run",
        Text::new(
            format!(
                "the archive could not be tested: {reason}; nothing is wrong with it: deploy it again, and tell the operator if that fails too"
            ),
            format!(
                "l'archive n'a pas pu être testée : {reason} ; elle n'est pas en cause : déployez-la de nouveau, et prévenez l'exploitant si l'échec se répète"
            ),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_traceback_the_end_is_kept() {
        let long = format!("{}éend", "x".repeat(10_000));
        let error = TaskError::new(ErrorKind::UserError, Text::same("no"));
        let short = kept(TaskError { traceback: Some("short".to_owned()), ..error.clone() });
        assert_eq!(short.traceback.as_deref(), Some("short"));
        let cut = kept(TaskError { traceback: Some(long), ..error }).traceback.unwrap();
        assert!(cut.starts_with("…x") && cut.ends_with("xéend"));
        assert_eq!(cut.chars().count(), TRACEBACK_CHARACTERS + 2);
    }
}
