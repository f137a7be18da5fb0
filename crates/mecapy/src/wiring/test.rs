//! `mecapy test`: an archive's checks, test cases and tests, without a server.

use std::sync::Arc;

use domain::testing::{Report, Tested};
use domain::{Clock, Fault, Severity, clock};
use engine::TestTeller;
use package::Package;
use serde_json::json;
use worker::TestedArchive;

use crate::client::{TestCase, TestReport};
use crate::commands::tested;
use crate::console::Console;
use crate::exit::Exit;
use crate::settings::Settings;

/// Checks the files of an archive and runs its test cases and `tests/` in the
/// sandbox, without a server, and prints the report.
///
/// # Errors
/// When the sandbox can't start, with what to do about it.
pub fn test_archive(
    settings: Settings,
    files: Vec<(String, Vec<u8>)>,
    console: Console,
) -> anyhow::Result<Exit> {
    let read = package::read_dir(files, &settings.limits, settings.static_check.parse()?);
    let package = match read {
        Ok(package) => package,
        Err(refused) => return Ok(report_faults(console, &refused.faults)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tested = runtime.block_on(run(&settings, &package, console))?;
    Ok(match tested {
        Ok(tested) => report(console, &package, tested),
        Err(faults) => report_faults(console, &faults),
    })
}

async fn run(
    settings: &Settings,
    package: &Package,
    console: Console,
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
    let tested = worker::test_archive(&builder, package, log, teller(console)).await;
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

fn report(console: Console, package: &Package, tested: TestedArchive) -> Exit {
    let TestedArchive { warnings, report } = tested;
    let of_tests = engine::test_faults(&report, package);
    let of_tests = of_tests.iter().filter(|fault| fault.severity == Severity::Warning);
    let warnings: Vec<&Fault> = package.warnings.iter().chain(&warnings).chain(of_tests).collect();
    let is_good = report.is_good();
    if console.json {
        let Report { passed, failed, skipped, .. } = report;
        console.value(&json!({
            "passed": is_good,
            "counts": { "passed": passed, "failed": failed, "skipped": skipped },
            "warnings": warnings,
            "cases": report.cases,
            "unit_tests": report.unit_tests,
            "left_out": report.left_out,
            "error": report.error,
            "output": report.output,
        }));
    } else {
        for warning in warnings {
            console.say(console.fault(warning));
        }
        tested::say_end(console, &TestReport::of(report, console.lang));
    }
    if is_good { Exit::Done } else { Exit::Failed }
}

/// Says what came of each as soon as it has ended.
fn teller(console: Console) -> TestTeller {
    Box::new(move |tested| match tested {
        _ if console.json => {}
        Tested::Case(case) => {
            tested::say_case(console, &TestCase::of(case.clone(), console.lang));
        }
        Tested::UnitTest(test) => tested::say_test(console, test),
    })
}
