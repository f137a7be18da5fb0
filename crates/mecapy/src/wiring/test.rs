//! `mecapy test`: an archive's checks and test cases, without a server.

use std::sync::Arc;

use domain::{Clock, Fault, Text, clock};
use package::Package;
use serde_json::json;
use worker::{Tested, TestedArchive};

use crate::console::{Console, duration};
use crate::exit::Exit;
use crate::settings::Settings;

/// Checks the files of an archive and runs its test cases in the sandbox,
/// without a server, and prints the report.
///
/// # Errors
/// When the sandbox can't start, with what to do about it.
pub fn test_archive(
    settings: Settings,
    files: Vec<(String, Vec<u8>)>,
    console: Console,
) -> anyhow::Result<Exit> {
    let has_tests = files.iter().any(|(path, _)| path.starts_with("tests/"));
    let read = package::read_dir(files, &settings.limits, settings.static_check.parse()?);
    let package = match read {
        Ok(package) => package,
        Err(refused) => return Ok(report_faults(console, &refused.faults)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tested = runtime.block_on(run(&settings, &package))?;
    Ok(match tested {
        Ok(tested) => report(console, &package, &tested, has_tests),
        Err(faults) => report_faults(console, &faults),
    })
}

async fn run(
    settings: &Settings,
    package: &Package,
) -> anyhow::Result<Result<TestedArchive, Vec<Fault>>> {
    let clock: Arc<dyn Clock> = Arc::new(clock::System);
    // Environments are shared with a server that may run beside: their folder
    // is made for that. Everything else is this process's own.
    let environments =
        environment::Environments::open(super::environments(settings), clock).await?;
    let own = tempfile::Builder::new().prefix("mecapy-test-").tempdir()?;
    let worker_settings =
        worker::Settings { root: own.path().join("worker"), ..super::worker(settings) };
    let instance = format!("mecapy-test-{}", std::process::id());
    let builder = super::builder(instance, environments, worker_settings).await?;
    let log = Box::new(|line: &str| tracing::info!("{line}"));
    let tested = worker::run_test_cases(&builder, package, log).await;
    builder.close().await;
    Ok(tested)
}

fn report_faults(console: Console, faults: &[Fault]) -> Exit {
    if console.json {
        console.value(&json!({ "passed": false, "faults": faults }));
    } else {
        for fault in faults {
            console.say(console.fault(fault));
        }
    }
    Exit::Failed
}

fn report(console: Console, package: &Package, tested: &TestedArchive, has_tests: bool) -> Exit {
    let warnings: Vec<&Fault> = package.warnings.iter().chain(&tested.warnings).collect();
    let tested = &tested.cases;
    let passed = tested.iter().filter(|case| case.passed()).count();
    let all = passed == tested.len();
    if console.json {
        let cases: Vec<_> = tested.iter().map(case_json).collect();
        console.value(&json!({ "passed": all, "warnings": warnings, "cases": cases }));
    } else {
        for warning in warnings {
            console.say(console.fault(warning));
        }
        for case in tested {
            say_case(console, case);
        }
        let line = match console.lang {
            domain::Lang::En => format!("{passed} of {} test cases passed", tested.len()),
            domain::Lang::Fr => format!("{passed} cas de test réussis sur {}", tested.len()),
        };
        console.say(if all { console.good(&line) } else { console.bad(&line) });
    }
    if has_tests {
        console.warn(&Text::new(
            "the folder tests/ was not run: a later release runs it with pytest; use pytest yourself until then",
            "le dossier tests/ n’a pas été exécuté : une version ultérieure l’exécutera avec pytest ; utilisez pytest vous-même d’ici là",
        ));
    }
    if all { Exit::Done } else { Exit::Failed }
}

fn say_case(console: Console, case: &Tested) {
    let word = match case.passed() {
        true => console.good("✓"),
        false => console.bad("✗"),
    };
    let time = std::time::Duration::from_secs_f64(case.measured.execution_ms / 1e3);
    let source = case.source.as_deref().unwrap_or_default();
    console.say(format!("{word} {}  {}  {source}", case.number, console.faint(&duration(time))));
    if let Some(error) = &case.error {
        console.say(format!("    {}", error.message.get(console.lang)));
        if let Some(traceback) = &error.traceback {
            console.say(traceback.trim_end());
        }
    }
    for difference in &case.differences {
        let got = difference
            .got
            .as_ref()
            .map_or_else(|| console.t("nothing", "rien").to_owned(), ToString::to_string);
        let expected = console.t("expected", "attendu");
        let found = console.t("got", "obtenu");
        let mut line = format!(
            "    {}: {expected} {}, {found} {got}",
            difference.pointer, difference.expected
        );
        if let Some(by) = difference.difference {
            line += &format!(" ({} {by:+e})", console.t("difference", "écart"));
        }
        console.say(line);
    }
}

fn case_json(case: &Tested) -> serde_json::Value {
    json!({
        "number": case.number,
        "source": case.source,
        "passed": case.passed(),
        "differences": case.differences,
        "error": case.error,
        "execution_ms": case.measured.execution_ms,
    })
}
