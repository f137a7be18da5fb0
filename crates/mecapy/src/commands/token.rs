//! `mecapy token`: make, list and revoke one's own tokens.

use std::time::Duration;

use clap::{Args, Subcommand};
use domain::Clock as _;
use serde::Deserialize;

use crate::cli::values;
use crate::client::{Client, Page, segment};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Arguments of `mecapy token`.
#[derive(Debug, Args)]
pub struct Tokens {
    /// What to do; lists unless given.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What `mecapy token` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Make a token and print its secret, which is shown this once
    Create {
        /// What to call the token
        name: String,
        /// What it lets through, of read, run, deploy, admin, with commas; everything unless given
        #[arg(long, value_name = "SCOPES", value_delimiter = ',', hide_possible_values = true,
              value_parser = ["read", "run", "deploy", "admin"])]
        scopes: Vec<String>,
        /// Days until it ends; never unless given
        #[arg(long, value_name = "NUMBER", value_parser = values::whole::<u32>(1..=3650))]
        days: Option<u32>,
    },
    /// List tokens, the newest first
    List,
    /// Revoke a token; it is refused from then on
    Revoke {
        /// The token's id
        id: String,
    },
}

#[derive(Deserialize)]
struct Row {
    token_id: String,
    name: String,
    prefix: Option<String>,
    scopes: Vec<String>,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
}

#[derive(Deserialize)]
struct Made {
    secret: Option<String>,
}

impl Tokens {
    /// Does what is asked.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let client = Client::new(settings, console.lang)?;
        match self.action.unwrap_or(Action::List) {
            Action::Create { name, scopes, days } => {
                let day = Duration::from_secs(86_400);
                let ends = days.map(|days| domain::clock::System.now().after(day * days));
                let body = serde_json::json!({
                    "name": name,
                    "scopes": (!scopes.is_empty()).then_some(scopes),
                    "expires_at": ends.map(|ends| ends.to_string()),
                });
                let answer = client.post("/tokens", &body.to_string())?;
                if console.json {
                    console.raw(&answer.body);
                } else {
                    console.say(answer.read::<Made>()?.secret.unwrap_or_default());
                }
            }
            Action::List => {
                let answer = client.get("/tokens")?;
                if console.json {
                    console.raw(&answer.body);
                } else {
                    list(console, answer.read()?);
                }
            }
            Action::Revoke { id } => {
                client.delete(&format!("/tokens/{}", segment(&id)))?;
                if console.json {
                    console.value(&serde_json::json!({"revoked": id}));
                } else {
                    console.say(format!("{id} {}", console.t("revoked", "révoqué")));
                }
            }
        }
        Ok(Exit::Done)
    }
}

fn list(console: Console, page: Page<Row>) {
    let day =
        |instant: Option<String>| instant.map(|text| text.chars().take(10).collect::<String>());
    let rows: Vec<Vec<String>> = page
        .items
        .into_iter()
        .map(|row| {
            let state = match (row.revoked_at, day(row.expires_at)) {
                (Some(_), _) => console.t("revoked", "révoqué").to_owned(),
                (None, Some(day)) => format!("{} {day}", console.t("until", "jusqu’au")),
                (None, None) => console.t("no end", "sans fin").to_owned(),
            };
            let used: String = day(row.last_used_at)
                .unwrap_or_else(|| console.t("never used", "jamais utilisé").to_owned());
            let prefix = row.prefix.map(|prefix| format!("{prefix}…")).unwrap_or_default();
            vec![row.token_id, row.name, prefix, row.scopes.join(","), state, used]
        })
        .collect();
    console.say(console.table(&rows, &[]));
}
