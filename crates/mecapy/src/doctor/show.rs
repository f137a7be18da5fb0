//! A report for people, and as JSON.

use domain::{Lang, Text};
use serde_json::{Value, json};

use super::{Finding, Problem, Report, Status};
use crate::console::Console;

/// A line for each check; below it what is wrong and how to mend it.
#[must_use]
pub fn text(report: &Report, console: Console) -> String {
    let label = |finding: &Finding| finding.check.label().get(console.lang).to_owned();
    let width = report.findings.iter().map(|f| label(f).chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for finding in &report.findings {
        let found = finding.found.get(console.lang);
        lines.push(format!(
            "{} {:width$}  {found}",
            mark(finding.status(), console),
            label(finding)
        ));
        for problem in &finding.problems {
            below(problem, console, &mut lines);
        }
        for detail in &finding.details {
            lines.push(console.faint(&format!("      {}", detail.get(console.lang))));
        }
    }
    lines.push(String::new());
    let summary = summary(report);
    let summary = summary.get(console.lang);
    lines.push(if report.can_run() { console.good(summary) } else { console.bad(summary) });
    lines.join("\n")
}

fn mark(status: Status, console: Console) -> String {
    match status {
        Status::Ok => console.good("✓"),
        Status::Warning => console.doubtful("!"),
        Status::Failed => console.bad("✗"),
    }
}

fn below(problem: &Problem, console: Console, lines: &mut Vec<String>) {
    lines.push(format!("    {}", problem.missing.get(console.lang)));
    lines.push(format!("    → {}", problem.remedy.get(console.lang)));
    lines.extend(problem.commands.iter().map(|command| format!("        {command}")));
}

fn summary(report: &Report) -> Text {
    let (all, failed) = (report.findings.len(), report.count(Status::Failed));
    match (failed, report.count(Status::Warning)) {
        (0, 0) => Text::new(
            "Calculations can run on this machine",
            "Les calculs peuvent s’exécuter sur cette machine",
        ),
        (0, 1) => Text::new(
            "Calculations can run on this machine; there is 1 warning",
            "Les calculs peuvent s’exécuter sur cette machine ; il y a 1 avertissement",
        ),
        (0, warnings) => Text::new(
            format!("Calculations can run on this machine; there are {warnings} warnings"),
            format!(
                "Les calculs peuvent s’exécuter sur cette machine ; il y a {warnings} avertissements"
            ),
        ),
        (1, _) => Text::new(
            format!("Calculations can't run on this machine: 1 of {all} checks failed"),
            format!(
                "Les calculs ne peuvent pas s’exécuter sur cette machine : 1 contrôle sur {all} a échoué"
            ),
        ),
        (failed, _) => Text::new(
            format!("Calculations can't run on this machine: {failed} of {all} checks failed"),
            format!(
                "Les calculs ne peuvent pas s’exécuter sur cette machine : {failed} contrôles sur {all} ont échoué"
            ),
        ),
    }
}

/// One object: `checks`, and the `summary` of them.
#[must_use]
pub fn json(report: &Report, lang: Lang) -> Value {
    let checks: Vec<Value> = report.findings.iter().map(|finding| of(finding, lang)).collect();
    json!({
        "checks": checks,
        "summary": {
            "can_run": report.can_run(),
            "ok": report.count(Status::Ok),
            "warnings": report.count(Status::Warning),
            "failed": report.count(Status::Failed),
        },
    })
}

/// `missing` and `remedy` are null where all is well; of several problems
/// each has its lines.
fn of(finding: &Finding, lang: Lang) -> Value {
    let joined = |lines: Vec<String>| (!lines.is_empty()).then(|| lines.join("\n"));
    let missing = finding.problems.iter().map(|p| p.missing.get(lang).to_owned()).collect();
    let remedy = finding
        .problems
        .iter()
        .flat_map(|p| std::iter::once(p.remedy.get(lang).to_owned()).chain(p.commands.clone()))
        .collect();
    let details: Vec<&str> = finding.details.iter().map(|line| line.get(lang)).collect();
    json!({
        "name": finding.check.name(),
        "status": finding.status().word(),
        "found": finding.found.get(lang),
        "details": details,
        "missing": joined(missing),
        "remedy": joined(remedy),
    })
}
