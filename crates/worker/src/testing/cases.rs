//! The entries of `quality.test_cases`, one after another, each a run like any
//! other.

use bytes::Bytes;
use domain::manifest::TestCase;
use domain::task::{ErrorKind, Measured, TaskError};
use domain::testing::{Case, Difference};
use engine::{End, INPUTS_FOLDER, shown_value};
use package::FileRef;
use sandbox::{Assignment, Job};
use tempfile::TempDir;

use super::{Bench, kept};
use crate::{report, run};

/// Differences of one case that are listed.
const MOST_DIFFERENCES: usize = 20;
/// What the platform broke is tried so often.
const ATTEMPTS: usize = 2;

impl Bench<'_> {
    /// Runs one case; an error only where the platform can't.
    pub(super) async fn case(&self, index: usize) -> Result<Case, String> {
        let case = &self.package.manifest.test_cases[index];
        let mut tested = Case {
            number: u32::try_from(index + 1).unwrap_or(u32::MAX),
            source: case.source.clone(),
            passed: false,
            differences: Vec::new(),
            left_out: 0,
            error: None,
            duration_s: 0.0,
        };
        let (end, duration_s) = self.calculate(case).await?;
        tested.duration_s = duration_s;
        match end {
            Ok(json) => {
                let differences = package::compare(
                    &case.expected_outputs,
                    &json,
                    case.rel_tolerance,
                    case.abs_tolerance,
                )
                .map_err(|error| error.to_string())?;
                tested.passed = differences.is_empty();
                let more = differences.len().saturating_sub(MOST_DIFFERENCES);
                tested.left_out = u32::try_from(more).unwrap_or(u32::MAX);
                tested.differences =
                    differences.into_iter().take(MOST_DIFFERENCES).map(shortened).collect();
            }
            Err(error) => tested.error = Some(kept(error)),
        }
        Ok(tested)
    }

    /// The result's JSON or why there is none, and how long it took in seconds.
    async fn calculate(&self, case: &TestCase) -> Result<(Result<Bytes, TaskError>, f64), String> {
        let (inputs, files) = self.inputs(case)?;
        let mut attempt = 1;
        loop {
            let wall = match self.wall() {
                Ok(wall) => wall,
                Err(error) => return Ok((Err(*error), 0.0)),
            };
            let start = self.builder.start_run(self.version).await?;
            let template = start.template.template();
            let archive = async || Ok(self.archive.clone());
            let code = self.builder.code.folder(self.version, template, archive).await?;
            let runtime = &self.version.manifest.runtime;
            let limits = run::limits(runtime, &self.builder.settings.limits, wall);
            let assignment = Assignment {
                input_files: files.as_ref().map(|folder| folder.path().to_owned()),
                ..Assignment::new(Job::Calculate { inputs: inputs.clone() }, code, limits)
            };
            let outcome = start.ready.assign(assignment).outcome().await;
            self.builder.templates.refill(&start.template);
            let took = outcome.measured.wall.saturating_sub(outcome.measured.startup);
            let end = match report::of(outcome, Measured::default()).end {
                End::Result { json, .. } => Ok(json),
                End::Failed(error) if error.kind == ErrorKind::Internal => {
                    if attempt == ATTEMPTS {
                        return Err(error.message.en);
                    }
                    attempt += 1;
                    continue;
                }
                End::Failed(error) => Err(error),
                End::Cancelled | End::HandBack => return Err("a run was given up".to_owned()),
            };
            return Ok((end, took.as_secs_f64()));
        }
    }

    /// The inputs as a run gets them, and the folder with its files: paths in
    /// the archive stand for them.
    fn inputs(&self, case: &TestCase) -> Result<(Bytes, Option<TempDir>), String> {
        let json = case.inputs.to_string().into_bytes();
        let checked = self.package.schemas.check_inputs(&json).map_err(|faults| {
            let first = faults.into_iter().next();
            first.map_or_else(|| "its inputs are not valid".to_owned(), |fault| fault.message.en)
        })?;
        if checked.files.is_empty() {
            return Ok((checked.json.into_owned().into(), None));
        }
        let failed = |error: std::io::Error| format!("an input file can't be staged: {error}");
        let root = self.builder.settings.root.join("inputs");
        std::fs::create_dir_all(&root).map_err(failed)?;
        let folder = tempfile::tempdir_in(&root).map_err(failed)?;
        let mut paths = Vec::with_capacity(checked.files.len());
        for (number, FileRef { pointer, reference }) in checked.files.iter().enumerate() {
            let file = self.package.files.iter().find(|file| file.path == *reference);
            let file = file.ok_or_else(|| format!("{reference} is not in the archive"))?;
            let name = file.path.rsplit('/').next().unwrap_or(&file.path);
            let place = folder.path().join(number.to_string());
            std::fs::create_dir(&place).map_err(failed)?;
            std::fs::write(place.join(name), &file.content).map_err(failed)?;
            let shown = format!("{INPUTS_FOLDER}/{number}/{name}");
            let json = serde_json::Value::from(shown).to_string();
            paths.push(package::Replacement { pointer: pointer.clone(), json });
        }
        run::readable(folder.path()).map_err(failed)?;
        let inputs = package::replace(&checked.json, &paths);
        let inputs = inputs.ok_or("the paths of input files can't be put into the inputs")?;
        Ok((inputs.into(), Some(folder)))
    }
}

fn shortened(difference: Difference) -> Difference {
    Difference {
        expected: shown_value(difference.expected),
        got: difference.got.map(shown_value),
        pointer: domain::fault::shown_key(difference.pointer),
        ..difference
    }
}
