//! `mecapy functions`: list, show and delete deployed functions.

use clap::{Args, Subcommand};

use crate::client::{Client, Function, Page, segment};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Arguments of `mecapy functions`.
#[derive(Debug, Args)]
pub struct Functions {
    /// What to do; lists unless given.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What `mecapy functions` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List functions
    List {
        /// Only those whose name or description holds this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show one function, its inputs and outputs
    Show {
        /// Function: `name`, `name@1.2.3`, `company:name` or its id
        function: String,
    },
    /// Delete a function, or one version of it
    Delete {
        /// Function: `name`, `name@1.2.3`, `company:name` or its id
        function: String,
    },
}

impl Functions {
    /// Does what is asked.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let client = Client::new(settings, console.lang)?;
        match self.action.unwrap_or(Action::List { search: None }) {
            Action::List { search } => list(&client, console, search.as_deref()),
            Action::Show { function } => show(&client, console, &function),
            Action::Delete { function } => {
                client.delete(&format!("/functions/{}", segment(&function)))?;
                if console.json {
                    console.value(&serde_json::json!({"deleted": function}));
                } else {
                    console.say(format!("{function} {}", console.t("deleted", "supprimée")));
                }
                Ok(Exit::Done)
            }
        }
    }
}

fn list(client: &Client, console: Console, search: Option<&str>) -> Result<Exit, Failure> {
    let search = search.map_or(String::new(), |text| format!("&text={}", segment(text)));
    let (mut rows, mut documents, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/functions?limit=100{search}{cursor}"))?;
        let page: Page<serde_json::Value> = answer.read()?;
        documents.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={}", segment(&next)),
            None => break,
        }
    }
    if console.json {
        console.value(&documents);
        return Ok(Exit::Done);
    }
    for document in documents {
        if let Ok(function) = serde_json::from_value::<Function>(document) {
            let Function { name, version, description, .. } = function;
            rows.push(vec![name, version.unwrap_or_default(), description.unwrap_or_default()]);
        }
    }
    if rows.is_empty() {
        console.say(console.t(
            "no function is deployed yet; begin with `mecapy init`",
            "aucune fonction n’est encore déployée ; commencez par `mecapy init`",
        ));
    } else {
        console.say(console.table(&rows, &[]));
    }
    Ok(Exit::Done)
}

fn show(client: &Client, console: Console, reference: &str) -> Result<Exit, Failure> {
    let answer = client.get(&format!("/functions/{}", segment(reference)))?;
    if console.json {
        console.raw(&answer.body);
        return Ok(Exit::Done);
    }
    let function: Function = answer.read()?;
    let version = function.version.as_deref().unwrap_or_default();
    console.say(format!("{} {version}", function.name));
    if let Some(description) = &function.description {
        console.say(description);
    }
    for (title, schema) in [
        (console.t("Inputs", "Entrées"), &function.inputs_schema),
        (console.t("Outputs", "Sorties"), &function.outputs_schema),
    ] {
        let rows = properties(schema.as_ref());
        if !rows.is_empty() {
            console.say(format!("\n{title}\n{}", console.table(&rows, &[])));
        }
    }
    Ok(Exit::Done)
}

fn properties(schema: Option<&serde_json::Value>) -> Vec<Vec<String>> {
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    let text = |property: &serde_json::Value, key: &str| {
        property.get(key).map_or(String::new(), |value| match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Array(several) => {
                several.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(" | ")
            }
            other => other.to_string(),
        })
    };
    properties
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let about = text(property, "description");
            let about = if about.is_empty() { text(property, "title") } else { about };
            vec![format!("  {name}"), text(property, "type"), text(property, "unit"), about]
        })
        .collect()
}
