//! How test cases and the tests of `tests/` are shown, by `mecapy test` and
//! `mecapy deploy`.

use std::time::Duration;

use domain::Lang;
use domain::testing::{Difference, Outcome, UnitTest};

use crate::client::{TestCase, TestReport};
use crate::console::{Console, duration, shown};

/// One line for a test case, and below it what is not as expected.
pub(crate) fn say_case(console: Console, case: &TestCase) {
    let mark = if case.passed { console.good("✓") } else { console.bad("✗") };
    let name = match console.lang {
        Lang::En => format!("test case {}", case.number),
        Lang::Fr => format!("cas de test {}", case.number),
    };
    let source = case.source.as_deref().unwrap_or_default();
    let line = format!("{mark} {name}  {}  {source}", console.faint(&time(case.duration)));
    console.say(line.trim_end());
    if let Some(error) = &case.error {
        console.say(format!("    {} ({})", shown(&error.sentence()), error.kind));
        if let Some(traceback) = &error.traceback {
            console.say(indented(traceback));
        }
    }
    for difference in &case.differences {
        console.say(format!("    {}", differs(console, difference)));
    }
    if case.left_out > 0 {
        let more = console.t("further differences", "autres écarts");
        console.say(format!("    … {} {more}", case.left_out));
    }
}

/// `/stress: expected 100, got 90.5 (difference -9.5)`.
fn differs(console: Console, difference: &Difference) -> String {
    let Difference { pointer, expected, got, .. } = difference;
    let got =
        got.as_ref().map_or_else(|| console.t("nothing", "rien").to_owned(), ToString::to_string);
    let (wanted, found) = (console.t("expected", "attendu"), console.t("got", "obtenu"));
    let place = match pointer.as_str() {
        "" => console.t("the result", "le résultat"),
        pointer => pointer,
    };
    let mut line = format!("{place}{} {wanted} {expected}, {found} {got}", console.colon());
    if let Some(by) = difference.by() {
        line += &format!(" ({} {by})", console.t("difference", "écart"));
    }
    line
}

/// One line for a test, and below it why it failed.
pub(crate) fn say_test(console: Console, test: &UnitTest) {
    let mark = match test.outcome {
        Outcome::Passed => console.good("✓"),
        Outcome::Skipped => console.faint("-"),
        Outcome::Failed | Outcome::Error => console.bad("✗"),
    };
    let mut line = format!("{mark} {}  {}", test.name, console.faint(&time(test.duration_s)));
    if test.outcome == Outcome::Skipped && !test.message.is_empty() {
        line += &format!("  {}", test.message.lines().next().unwrap_or_default());
    }
    console.say(line);
    if test.outcome.is_failure() {
        let why = if test.text.is_empty() { &test.message } else { &test.text };
        console.say(indented(why));
    }
}

/// Why there is no whole report, and how many passed.
pub(crate) fn say_end(console: Console, report: &TestReport) {
    if let Some(error) = &report.error {
        console.say(format!("{} {}", console.bad("✗"), error.message.0));
        if let Some(traceback) = &error.traceback {
            console.say(indented(traceback));
        }
        if let Some(output) = &report.output {
            console.say(indented(output));
        }
    }
    let TestReport { passed, failed, skipped, left_out, .. } = report;
    let mut line = match console.lang {
        Lang::En => format!("{passed} of {} tests passed", passed + failed),
        Lang::Fr => format!("tests réussis : {passed} sur {}", passed + failed),
    };
    if *skipped > 0 {
        line += &format!(", {skipped} {}", console.t("skipped", "ignorés"));
    }
    if *left_out > 0 {
        line += &format!(", {left_out} {}", console.t("not listed", "non listés"));
    }
    let is_good = *failed == 0 && report.error.is_none();
    console.say(if is_good { console.good(&line) } else { console.bad(&line) });
}

fn time(seconds: f64) -> String {
    duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn indented(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| format!("    {}", shown(line)));
    lines.collect::<Vec<_>>().join("\n")
}
