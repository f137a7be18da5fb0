//! `mecapy functions`: list, show and delete deployed functions.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};
use domain::Lang;
use serde_json::Value;

use crate::client::{Client, Function, Page, segment};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::prompt;
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
    /// Delete a function with all its versions; on a terminal it is asked first
    Delete {
        /// Function: `name` or its id
        function: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
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
            Action::Delete { function, yes } => delete(&client, console, &function, yes),
        }
    }
}

fn delete(client: &Client, console: Console, function: &str, yes: bool) -> Result<Exit, Failure> {
    let path = format!("/functions/{}", segment(function));
    let missing = |refused| client.no_function(function, refused);
    if !yes && console.interactive && std::io::stdin().is_terminal() {
        let versions = client.get(&format!("{path}/versions?limit=200")).map_err(missing)?;
        let versions = versions.read::<Page<Value>>()?.items.len();
        let question = match console.lang {
            Lang::En => format!("Delete {function} with its {versions} version(s)? y or n"),
            Lang::Fr => format!("Supprimer {function} avec ses {versions} version(s) ? o ou n"),
        };
        let answer = prompt::line(console, &question)?;
        if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "o" | "oui") {
            return Err(Failure::usage("nothing was deleted", "rien n’a été supprimé"));
        }
    }
    client.delete(&path).map_err(missing)?;
    if console.json {
        console.value(&serde_json::json!({"deleted": function}));
    } else {
        console.say(format!("{function} {}", console.t("deleted", "supprimée")));
    }
    Ok(Exit::Done)
}

fn list(client: &Client, console: Console, search: Option<&str>) -> Result<Exit, Failure> {
    let search = search.map_or(String::new(), |text| format!("&text={}", segment(text)));
    let (mut rows, mut documents, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/functions?limit=100{search}{cursor}"))?;
        let page: Page<Value> = answer.read()?;
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
    let answer = client.get(&format!("/functions/{}", segment(reference)));
    let answer = answer.map_err(|refused| client.no_function(reference, refused))?;
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
    let inputs = Table { console, says_required: true };
    let outputs = Table { console, says_required: false };
    for (title, table, schema) in [
        (console.t("Inputs", "Entrées"), inputs, &function.inputs_schema),
        (console.t("Outputs", "Sorties"), outputs, &function.outputs_schema),
    ] {
        let rows = schema.as_ref().map(|schema| table.rows(schema)).unwrap_or_default();
        if !rows.is_empty() {
            console.say(format!("\n{title}\n{}", console.table(&rows, &[])));
        }
    }
    Ok(Exit::Done)
}

/// The table of the properties of a schema.
#[derive(Clone, Copy)]
struct Table {
    console: Console,
    /// Whether it is said which ones may be left out.
    says_required: bool,
}

impl Table {
    /// One row each, without columns that are empty in all.
    fn rows(self, schema: &Value) -> Vec<Vec<String>> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = |name: &str| {
            let list = schema.get("required").and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|required| required == name))
        };
        let rows = properties.into_iter().flatten();
        let rows: Vec<[String; 6]> = rows
            .map(|(name, property)| {
                let presence = self.presence(property, required(name));
                let about = text(property, "description");
                let about = if about.is_empty() { text(property, "title") } else { about };
                let kind = text(property, "type");
                [
                    format!("  {name}"),
                    kind,
                    text(property, "unit"),
                    presence,
                    self.values(property),
                    about,
                ]
            })
            .collect();
        let is_used = |column: usize| rows.iter().any(|row| !row[column].is_empty());
        let used: Vec<usize> = (0..6).filter(|column| is_used(*column)).collect();
        rows.iter().map(|row| used.iter().map(|column| row[*column].clone()).collect()).collect()
    }

    /// Whether a value must be given, and what stands for it where it isn't.
    fn presence(self, property: &Value, required: bool) -> String {
        let console = self.console;
        match property.get("default") {
            _ if !self.says_required => String::new(),
            Some(default) => format!("{} {}", console.t("default", "défaut"), bare(default)),
            None if required => console.t("required", "obligatoire").to_owned(),
            None => console.t("optional", "facultatif").to_owned(),
        }
    }

    /// Which values are taken: `8.8 | 10.9`, `> 0, ≤ 100`.
    fn values(self, property: &Value) -> String {
        let mut parts = Vec::new();
        if let Some(options) = property.get("enum").and_then(Value::as_array) {
            parts.push(options.iter().map(bare).collect::<Vec<_>>().join(" | "));
        }
        let (characters, items) =
            (self.console.t("characters", "caractères"), self.console.t("items", "éléments"));
        for (key, sign, of) in [
            ("const", "=", ""),
            ("minimum", "≥", ""),
            ("exclusiveMinimum", ">", ""),
            ("maximum", "≤", ""),
            ("exclusiveMaximum", "<", ""),
            ("minLength", "≥", characters),
            ("maxLength", "≤", characters),
            ("minItems", "≥", items),
            ("maxItems", "≤", items),
            ("pattern", "~", ""),
            ("format", "", ""),
        ] {
            if let Some(limit) = property.get(key) {
                parts.push(format!("{sign} {} {of}", bare(limit)).trim().to_owned());
            }
        }
        parts.join(", ")
    }
}

/// A value as it is typed on the command line.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(property: &Value, key: &str) -> String {
    property.get(key).map_or(String::new(), |value| match value {
        Value::Array(several) => several.iter().map(bare).collect::<Vec<_>>().join(" | "),
        other => bare(other),
    })
}

#[cfg(test)]
mod tests {
    use domain::Lang;
    use serde_json::json;

    use super::*;
    use crate::settings::Variables;

    #[test]
    fn an_input_says_whether_it_is_needed_and_what_it_takes() {
        let schema = json!({"required": ["force", "grade"], "properties": {
            "force": {"type": "number", "unit": "kN", "minimum": 0, "maximum": 500, "title": "Force"},
            "grade": {"type": "string", "enum": ["8.8", "10.9"]},
            "gamma": {"type": ["number", "null"], "default": 1.25, "exclusiveMinimum": 1},
            "signal": {"type": "string", "format": "file"},
        }});
        let rows = |lang, says_required| {
            let console = Console::new(lang, true, &Variables::default());
            Table { console, says_required }.rows(&schema)
        };
        assert_eq!(
            rows(Lang::En, true),
            [
                ["  force", "number", "kN", "required", "≥ 0, ≤ 500", "Force"],
                ["  grade", "string", "", "required", "8.8 | 10.9", ""],
                ["  gamma", "number | null", "", "default 1.25", "> 1", ""],
                ["  signal", "string", "", "optional", "file", ""],
            ]
        );
        let french: Vec<String> =
            rows(Lang::Fr, true).into_iter().map(|row| row[3].clone()).collect();
        assert_eq!(french, ["obligatoire", "obligatoire", "défaut 1.25", "facultatif"]);
        assert_eq!(rows(Lang::En, false)[0], ["  force", "number", "kN", "≥ 0, ≤ 500", "Force"]);
    }
}
