//! `tests/`, all of them in one run of pytest.

use domain::task::{ErrorKind, Measured, TaskError};
use domain::testing::{Outcome, Report, Tested, UnitTest};
use domain::{Text, fault::shown_key};
use engine::{End, TestTeller};
use environment::Log;
use sandbox::{
    Assignment, Error, Event, Events, Job, Ready, Sandbox, Template, TemplateLimits, TemplateSpec,
    TestOutcome,
};
use serde::Deserialize;

use super::{Bench, kept};
use crate::{report, run};

/// pytest itself needs some memory, which is not the function's.
const PYTEST_BYTES: u64 = 64 << 20;
/// What pytest printed is kept up to its last bytes, to explain a crash.
const OUTPUT_BYTES: usize = 4000;
/// The most characters of a test's words that are kept, whoever wrote them.
const TEXT_CHARACTERS: usize = 4200;

/// What pytest says in the end.
#[derive(Deserialize)]
struct Ended {
    exit_status: i64,
}

/// What a run of pytest has told so far.
#[derive(Default)]
struct Told {
    running: Option<String>,
    output: Vec<u8>,
}

impl Bench<'_> {
    /// Runs pytest beside the function's own packages, in a template of its
    /// own; an error only where the platform can't.
    pub(super) async fn unit_tests(
        &self,
        report: &mut Report,
        teller: &TestTeller,
    ) -> Result<(), String> {
        let wall = match self.wall() {
            Ok(wall) => wall,
            Err(error) => {
                report.error = Some(*error);
                return Ok(());
            }
        };
        let wanted = self.builder.wanted(self.version).await?;
        let lock = self.builder.environments.pytest(&wanted.environment.description.lock);
        let pytest = self.builder.build(&lock, &Log::silent()).await;
        let pytest = pytest.map_err(|error| format!("pytest can't be installed: {error}"))?;
        let sandbox = self.builder.supervisor.sandbox().await.map_err(|error| error.to_string())?;
        let spec = TemplateSpec {
            // pytest comes last, so that it never stands in the way of what
            // the function has chosen itself.
            packages: vec![wanted.packages.clone(), pytest.site.clone()],
            preload: wanted.imports.clone(),
            limits: TemplateLimits {
                start: self.builder.settings.template_start,
                ..TemplateLimits::default()
            },
            ..TemplateSpec::new(wanted.interpreter.clone())
        };
        let (template, ready) =
            template(&sandbox, spec).await.map_err(|error| error.to_string())?;
        let archive = async || Ok(self.archive.clone());
        let code = self.builder.code.folder(self.version, &template, archive).await?;
        let runtime = &self.version.manifest.runtime;
        let mut limits = run::limits(runtime, &self.builder.settings.limits, wall);
        limits.memory_bytes += PYTEST_BYTES;
        let mut running = ready.assign(Assignment::new(Job::Pytest, code, limits));
        let mut told = Told::default();
        let events = running.events();
        let (outcome, ()) = tokio::join!(running.outcome(), told.listen(events, report, teller));
        template.stop().await;
        drop((wanted, pytest));
        let error = match report::of(outcome, Measured::default()).end {
            End::Result { json, .. } => match serde_json::from_slice::<Ended>(&json) {
                Ok(ended) => of_status(ended.exit_status, report),
                Err(error) => Some(told.ended_early(&error.to_string(), &error.to_string())),
            },
            End::Failed(error) if error.kind == ErrorKind::Internal => {
                return Err(error.message.en);
            }
            End::Failed(error) => Some(told.failed(error)),
            End::Cancelled | End::HandBack => return Err("the tests were given up".to_owned()),
        };
        if let Some(error) = error {
            report.error = Some(kept(error));
            let output = String::from_utf8_lossy(&told.output).trim().to_owned();
            report.output = Some(output).filter(|output| !output.is_empty());
        }
        Ok(())
    }
}

/// A template with its first run. Where what it has imported keeps runs from
/// being isolated, it is started without.
async fn template(sandbox: &Sandbox, mut spec: TemplateSpec) -> Result<(Template, Ready), Error> {
    loop {
        let template = sandbox.start_template(spec.clone()).await?;
        match template.prepare().await {
            Ok(ready) => return Ok((template, ready)),
            Err(Error::Unfit(_)) if !spec.preload.is_empty() => spec.preload.clear(),
            Err(error) => return Err(error),
        }
    }
}

impl Told {
    async fn listen(&mut self, events: Option<Events>, report: &mut Report, teller: &TestTeller) {
        let Some(mut events) = events else { return };
        while let Some(event) = events.next().await {
            match event {
                Event::Test(test) => self.test(test, report, teller),
                Event::TestsCut { tests } => {
                    report.left_out =
                        report.left_out.saturating_add(u32::try_from(tests).unwrap_or(u32::MAX));
                }
                Event::Log { bytes, .. } => {
                    self.output.extend(bytes);
                    let surplus = self.output.len().saturating_sub(OUTPUT_BYTES);
                    self.output.drain(..surplus);
                }
                Event::Cut { .. } | Event::Progress { .. } => {}
            }
        }
    }

    fn test(&mut self, test: sandbox::UnitTest, report: &mut Report, teller: &TestTeller) {
        let name = shown_key(test.name);
        let outcome = match test.outcome {
            TestOutcome::Started => {
                self.running = Some(name);
                return;
            }
            TestOutcome::Passed => Outcome::Passed,
            TestOutcome::Failed => Outcome::Failed,
            TestOutcome::Error => Outcome::Error,
            TestOutcome::Skipped => Outcome::Skipped,
        };
        self.running = None;
        let tested = Tested::UnitTest(UnitTest {
            name,
            outcome,
            // Seconds by the word of user code, which may say anything.
            duration_s: test.duration_s.clamp(0.0, 1e9),
            file: test.file.map(shown_key),
            line: test.line,
            message: cut(test.message),
            text: cut(test.text),
        });
        teller(&tested);
        report.add(tested);
    }

    /// Why pytest gave no report, in words about tests.
    fn failed(&self, error: TaskError) -> TaskError {
        let text = match error.kind {
            ErrorKind::Timeout => {
                let limit = error.limit.unwrap_or_default();
                self.while_running(
                    &format!(
                        "tests/ took longer than {limit} s, the `runtime.timeout` that all of it has together"
                    ),
                    &format!(
                        "tests/ a dépassé {limit} s, le `runtime.timeout` dont il dispose en tout"
                    ),
                )
            }
            ErrorKind::OutOfMemory => {
                // Byte counts are far below 2⁵³.
                let limit_mb = error.limit.unwrap_or_default() / f64::from(1 << 20);
                let own_mb = PYTEST_BYTES >> 20;
                self.while_running(
                    &format!(
                        "tests/ needed more than its {limit_mb} MB of memory, `runtime.memory_limit` and {own_mb} MB for pytest"
                    ),
                    &format!(
                        "tests/ a dépassé ses {limit_mb} Mo de mémoire, `runtime.memory_limit` et {own_mb} Mo pour pytest"
                    ),
                )
            }
            ErrorKind::InvalidOutput | ErrorKind::OutputTooLarge => {
                return self.ended_early(
                    "its process ended, or wrote to file 4, before pytest was through; a test or what it calls may use os._exit",
                    "son processus s'est terminé, ou a écrit dans le fichier 4, avant la fin de pytest ; un test ou ce qu'il appelle utilise peut-être os._exit",
                );
            }
            _ => self.while_running(&error.message.en, &error.message.fr),
        };
        TaskError { message: text, ..error }
    }

    fn ended_early(&self, en: &str, fr: &str) -> TaskError {
        let text = self.while_running(
            &format!("tests/ gave no whole report: {en}"),
            &format!("tests/ n'a pas donné de rapport complet : {fr}"),
        );
        TaskError::new(ErrorKind::InvalidOutput, text)
    }

    fn while_running(&self, en: &str, fr: &str) -> Text {
        match &self.running {
            Some(test) => Text::new(format!("{en} (in {test})"), format!("{fr} (dans {test})")),
            None => Text::new(en, fr),
        }
    }
}

/// What pytest's own verdict says beyond the tests that were told of.
fn of_status(status: i64, report: &Report) -> Option<TaskError> {
    let (en, fr) = match status {
        // All passed, or there was none to run.
        0 | 5 => return None,
        1 | 2 if report.failed > 0 => return None,
        1 => ("tests failed", "des tests ont échoué"),
        2 => ("pytest was interrupted", "pytest a été interrompu"),
        3 => ("pytest met an error of its own", "pytest a rencontré une erreur interne"),
        4 => (
            "pytest can't use its options or configuration",
            "pytest ne peut pas utiliser ses options ou sa configuration",
        ),
        _ => ("a plugin ended pytest", "une extension a arrêté pytest"),
    };
    Some(TaskError::new(
        ErrorKind::UserError,
        Text::new(
            format!("{en} (its exit status is {status}); what it printed says more"),
            format!("{fr} (son code de sortie est {status}) ; ce qu'il a affiché en dit plus"),
        ),
    ))
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
