//! `mecapy deploy DIR|ZIP` or `--git URL`: send a function to the server, or
//! have it fetched there, and follow how it is checked, built and tested.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use domain::testing::Tested;
use serde_json::json;

use super::folder;
use super::follow::{self, Seen};
use super::login::on_the_command_line;
use super::tested;
use crate::client::{Answer, Client, Deployment, Place, Stage, TestCase, TestReport, unreadable};
use crate::console::{Console, duration};
use crate::exit::{Exit, Failure};
use crate::prompt;
use crate::settings::Settings;

/// Arguments of `mecapy deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// Folder with mecapy.yaml and handler.py, or a ZIP of it; the current one unless given
    #[arg(value_name = "DIR|ZIP", conflicts_with = "git")]
    pub archive: Option<PathBuf>,
    /// The repository to deploy from instead.
    #[command(flatten)]
    pub repository: Repository,
}

/// The repository to deploy from instead.
#[derive(Debug, Args)]
pub struct Repository {
    /// Deploy from this Git repository instead; the server fetches it over https
    #[arg(long, value_name = "URL")]
    pub git: Option<String>,
    /// Branch, tag or whole commit; the default branch unless given
    #[arg(long = "ref", value_name = "REF", requires = "git", conflicts_with = "archive")]
    pub reference: Option<String>,
    /// Folder of the repository; all of it unless given
    #[arg(long, value_name = "DIR", requires = "git", conflicts_with = "archive")]
    pub path: Option<String>,
    /// Read a token that may read the repository from standard input
    #[arg(long, value_name = "-", requires = "git", conflicts_with = "archive")]
    pub git_token: Option<String>,
}

impl Repository {
    /// What the server is asked to fetch, as JSON; none without `--git`.
    fn wanted(&self, console: Console) -> Result<Option<String>, Failure> {
        let Some(url) = &self.git else { return Ok(None) };
        let token = match self.git_token.as_deref() {
            None => None,
            Some("-") => {
                let question = console.t("Token for the repository", "Jeton pour le dépôt");
                Some(prompt::secret(console, question)?)
            }
            // Not shown: it may be the token.
            Some(_) => {
                return Err(on_the_command_line("--git-token"));
            }
        };
        let wanted = json!({
            "git_url": url,
            "ref": self.reference,
            "path": self.path,
            "git_token": token.as_deref().map(str::trim),
        });
        Ok(Some(wanted.to_string()))
    }
}

impl Deploy {
    /// Uploads and follows the stages; every fault is printed.
    ///
    /// # Errors
    /// When the archive can't be read, or the server can't be reached or
    /// refuses.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let wanted = self.repository.wanted(console)?;
        let archive = self.archive.unwrap_or_else(|| PathBuf::from("."));
        if wanted.is_none() {
            folder::check(&archive, "deploy")?;
        }
        let client = Client::new(settings, console.lang)?;
        let started = Instant::now();
        let answer = match wanted {
            Some(wanted) => client.post("/functions", &wanted),
            None => upload(&client, console, &archive)?,
        };
        let answer = answer.map_err(|failure| match failure.exit {
            // What the server refuses of an archive is the archive's failure.
            Exit::Usage => Failure { exit: Exit::Failed, ..failure },
            _ => failure,
        })?;
        let accepted: Deployment = answer.read()?;
        let path = format!("/deployments/{}", accepted.deployment_id);
        let bar = follow::spinner(console);
        let mut shown = HashSet::new();
        let mut told = HashSet::new();
        let ended =
            follow::until(&client, &path, None, Deployment::has_ended, |seen| match seen {
                Seen::Event(event) if event.name == "test" && !console.json => {
                    if let Ok(tested) = serde_json::from_str(&event.data) {
                        bar.suspend(|| show_tested(console, tested, &mut told));
                    }
                }
                Seen::Event(_) => {}
                Seen::State(deployment) => {
                    let failed = deployment.status == "failed";
                    let last = deployment.stages.len();
                    if let Some(stage) = deployment.stages.last() {
                        bar.set_message(stage_name(console, &stage.name).to_owned());
                    }
                    for (at, stage) in deployment.stages.iter().enumerate() {
                        // Only the next stage, or the end, says how a stage ended.
                        let is_last = at + 1 == last;
                        let is_known = !is_last || deployment.has_ended();
                        if is_known && shown.insert(stage.name.clone()) {
                            if let Some(report) = &deployment.tests
                                && stage.name == "tests"
                                && !console.json
                            {
                                bar.suspend(|| show_report(console, report, &mut told));
                            }
                            let good = !(failed && is_last);
                            bar.suspend(|| show_stage(console, stage, good));
                        }
                    }
                }
            })?;
        bar.finish_and_clear();
        let (deployment, body) = ended.expect("there is no deadline that could pass");
        if console.json {
            console.raw(&body);
        } else {
            show_end(console, &deployment, started.elapsed());
        }
        Ok(if deployment.status == "deployed" { Exit::Done } else { Exit::Failed })
    }
}

fn show_tested(console: Console, tested: Tested, told: &mut HashSet<String>) {
    match tested {
        Tested::Case(case) => {
            if told.insert(case.number.to_string()) {
                tested::say_case(console, &TestCase::of(case, console.lang));
            }
        }
        Tested::UnitTest(test) => {
            if told.insert(test.name.clone()) {
                tested::say_test(console, &test);
            }
        }
    }
}

/// What was missed of the tests while they ran, and what came of all.
fn show_report(console: Console, report: &TestReport, told: &mut HashSet<String>) {
    for case in &report.cases {
        if told.insert(case.number.to_string()) {
            tested::say_case(console, case);
        }
    }
    for test in &report.unit_tests {
        if told.insert(test.name.clone()) {
            tested::say_test(console, test);
        }
    }
    tested::say_end(console, report);
}

fn show_stage(console: Console, stage: &Stage, good: bool) {
    if console.json {
        return;
    }
    let time = stage.duration.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_default();
    let mark = if good { console.good("✓") } else { console.bad("✗") };
    console.say(format!("{mark} {:<13} {:>8}", stage_name(console, &stage.name), duration(time)));
}

fn stage_name(console: Console, name: &str) -> &str {
    match name {
        "archive" => "archive",
        "environment" => console.t("environment", "environnement"),
        "prepare" => console.t("prepare", "préparation"),
        "tests" => console.t("tests", "tests"),
        other => other,
    }
}

fn show_end(console: Console, deployment: &Deployment, took: Duration) {
    let of_stages = deployment.stages.iter().flat_map(|stage| &stage.warnings);
    let mut seen = HashSet::new();
    // What the report of the tests says is not said again.
    let is_reported = |fault: &Place| {
        let codes = ["test_case_failed", "unit_test_failed", "tests_ended"];
        deployment.tests.is_some() && codes.contains(&fault.code.as_str())
    };
    for fault in of_stages.chain(&deployment.faults).filter(|fault| !is_reported(fault)) {
        let line = fault.line();
        if !seen.insert(line.clone()) {
            continue;
        }
        let word = if fault.is_error() {
            console.bad(console.t("error", "erreur"))
        } else {
            console.t("warning", "avertissement").to_owned()
        };
        console.say(format!("{word}{} {line}", console.colon()));
    }
    let name = deployment.name.as_deref().unwrap_or("?");
    if deployment.status == "deployed" {
        let version = deployment.version.as_deref().unwrap_or("?");
        let line = match console.lang {
            domain::Lang::En => format!("{name} {version} deployed in {}", duration(took)),
            domain::Lang::Fr => format!("{name} {version} déployé en {}", duration(took)),
        };
        console.say(console.good(&line));
    } else {
        let line = console.t("the deployment was refused", "le déploiement a été refusé");
        console.say(console.bad(line));
    }
}

fn upload(
    client: &Client,
    console: Console,
    archive: &Path,
) -> Result<Result<Answer, Failure>, Failure> {
    let zip = zip(archive)?;
    let length = zip.len() as u64;
    let name = format!("{}.zip", archive.file_stem().unwrap_or_default().to_string_lossy());
    let bar = follow::upload(console, length);
    let answer = client.upload("/functions", "archive", &name, bar.wrap_read(&zip[..]), length);
    bar.finish_and_clear();
    Ok(answer)
}

fn zip(archive: &Path) -> Result<Vec<u8>, Failure> {
    if !archive.is_dir() {
        return std::fs::read(archive).map_err(|error| unreadable(archive, &error));
    }
    package::zip(&folder::files(archive)?).map_err(|error| {
        let shown = archive.display();
        Failure::usage(
            format!("{shown} can't be put into a ZIP: {error}"),
            format!("{shown} ne peut pas être mis dans un ZIP : {error}"),
        )
    })
}
