//! `mecapy tasks`: list, follow and cancel calculations, fetch what they made.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::{follow, report};
use crate::cli::values;
use crate::client::{Client, Page, Task, segment};
use crate::console::{Console, bytes};
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Arguments of `mecapy tasks`.
#[derive(Debug, Args)]
pub struct Tasks {
    /// What to do; lists unless given.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What `mecapy tasks` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List calculations, the newest first
    List {
        /// Only those that are queued, running, completed, failed or cancelled
        #[arg(long, value_name = "STATUS", hide_possible_values = true,
              value_parser = ["queued", "running", "completed", "failed", "cancelled"])]
        status: Option<String>,
        /// How many at most; 20 unless given
        #[arg(long, value_name = "NUMBER", default_value_t = 20, hide_default_value = true,
              value_parser = values::whole::<u32>(1..=100))]
        limit: u32,
    },
    /// Show one calculation whole, as JSON
    Show {
        /// The calculation's id
        id: String,
    },
    /// Print what a calculation wrote
    Logs {
        /// The calculation's id
        id: String,
    },
    /// Cancel a calculation, queued or running
    Cancel {
        /// The calculation's id
        id: String,
    },
    /// Wait for a calculation and print its result
    Result {
        /// The calculation's id
        id: String,
    },
    /// List the files that a calculation produced, or fetch them
    Artifacts {
        /// The calculation's id
        id: String,
        /// Folder to save them in; they are only listed unless given
        #[arg(long, value_name = "DIR")]
        save: Option<PathBuf>,
    },
}

impl Tasks {
    /// Does what is asked.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let client = Client::new(settings, console.lang)?;
        let action = self.action.unwrap_or(Action::List { status: None, limit: 20 });
        let id = action.id().map(str::to_owned);
        action.run(&client, console).map_err(|refused| match id {
            Some(id) => client.no_task(&id, refused),
            None => refused,
        })
    }
}

impl Action {
    /// The calculation that it is about.
    fn id(&self) -> Option<&str> {
        match self {
            Self::List { .. } => None,
            Self::Show { id }
            | Self::Logs { id }
            | Self::Cancel { id }
            | Self::Result { id }
            | Self::Artifacts { id, .. } => Some(id),
        }
    }

    fn run(self, client: &Client, console: Console) -> Result<Exit, Failure> {
        let path = |id: &str| format!("/tasks/{}", segment(id));
        match self {
            Action::List { status, limit } => list(client, console, status.as_deref(), limit),
            Action::Show { id } => {
                let answer = client.get(&path(&id))?;
                if console.json {
                    console.raw(&answer.body);
                } else {
                    console.value(&answer.read::<serde_json::Value>()?);
                }
                Ok(Exit::Done)
            }
            Action::Logs { id } => logs(client, console, &path(&id)),
            Action::Cancel { id } => {
                let answer = client.post(&format!("{}/cancel", path(&id)), "{}")?;
                if console.json {
                    console.raw(&answer.body);
                } else {
                    console.say(format!("{id} {}", console.t("is cancelled", "est annulée")));
                }
                Ok(Exit::Done)
            }
            Action::Result { id } => {
                let ended = follow::task(client, console, &path(&id), None)?;
                let (task, body) = ended.expect("there is no deadline that could pass");
                report::ended(client, console, &task, &body)
            }
            Action::Artifacts { id, save } => {
                artifacts(client, console, &format!("{}/artifacts", path(&id)), save.as_deref())
            }
        }
    }
}

fn list(
    client: &Client,
    console: Console,
    status: Option<&str>,
    limit: u32,
) -> Result<Exit, Failure> {
    let status = status.map_or(String::new(), |status| format!("&status={status}"));
    let answer = client.get(&format!("/tasks?limit={limit}{status}"))?;
    if console.json {
        console.raw(&answer.body);
        return Ok(Exit::Done);
    }
    let page: Page<Task> = answer.read()?;
    let rows: Vec<Vec<String>> = page
        .items
        .into_iter()
        .map(|task| {
            let what = match (task.function, task.version) {
                (Some(function), Some(version)) => format!("{function}@{version}"),
                (function, _) => function.or(task.name).unwrap_or_default(),
            };
            vec![task.task_id, task.status, what, task.created_at.unwrap_or_default()]
        })
        .collect();
    if rows.is_empty() {
        console.say(console.t("no calculation yet", "aucun calcul pour le moment"));
    } else {
        console.say(console.table(&rows, &[]));
    }
    Ok(Exit::Done)
}

fn logs(client: &Client, console: Console, path: &str) -> Result<Exit, Failure> {
    let answer = client.get(&format!("{path}/logs"))?;
    if console.json {
        console.value(&serde_json::json!({"log": String::from_utf8_lossy(&answer.body)}));
        return Ok(Exit::Done);
    }
    console.written(answer.body.trim_ascii_end());
    Ok(Exit::Done)
}

/// A file that a calculation produced.
#[derive(Debug, Deserialize)]
struct Artifact {
    artifact_id: String,
    name: String,
    size: u64,
    url: String,
}

fn artifacts(
    client: &Client,
    console: Console,
    path: &str,
    save: Option<&Path>,
) -> Result<Exit, Failure> {
    let answer = client.get(path)?;
    let page: Page<Artifact> = answer.read()?;
    if let Some(folder) = save {
        for artifact in &page.items {
            store(client, folder, artifact)?;
        }
    }
    if console.json {
        console.raw(&answer.body);
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = page
        .items
        .iter()
        .map(|artifact| {
            vec![
                artifact.name.clone(),
                bytes(artifact.size, console.lang),
                artifact.artifact_id.clone(),
            ]
        })
        .collect();
    if rows.is_empty() {
        console.say(
            console.t("the calculation produced no file", "le calcul n’a produit aucun fichier"),
        );
    } else {
        console.say(console.table(&rows, &[1]));
    }
    Ok(Exit::Done)
}

fn store(client: &Client, folder: &Path, artifact: &Artifact) -> Result<(), Failure> {
    // The name was chosen by a calculation: it may not lead out of the folder.
    let inside = Path::new(&artifact.name)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    let target = folder.join(&artifact.name);
    let shown = target.display();
    let refused = |en: &str, fr: &str| {
        Failure::usage(
            format!("{shown} can't be written: {en}"),
            format!("{shown} ne peut pas être écrit : {fr}"),
        )
    };
    if !inside {
        return Err(refused("it would lie outside the folder", "il serait hors du dossier"));
    }
    if target.exists() {
        return Err(refused(
            "it is there already. Remove it, or name another folder with --save",
            "il existe déjà. Supprimez-le, ou nommez un autre dossier avec --save",
        ));
    }
    let content = client.get(&artifact.url)?.body;
    let made = target.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(&target, content)).map_err(|error| {
        let why = error.to_string();
        refused(&why, &why)
    })
}
