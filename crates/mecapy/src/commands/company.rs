//! `mecapy company`: companies, for the platform's administrators.

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::client::{Client, Page, segment};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Arguments of `mecapy company`.
#[derive(Debug, Args)]
pub struct Companies {
    /// What to do; lists unless given.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What `mecapy company` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List all companies
    List,
    /// Create a company and print the token of its first administrator
    Create {
        /// Company's name: 1 to 63 characters of a-z, 0-9 and -
        name: String,
        /// Name of its first administrator; NAME-admin unless given
        #[arg(long)]
        admin: Option<String>,
    },
}

#[derive(Deserialize)]
struct Company {
    company_id: String,
    name: String,
}

#[derive(Deserialize)]
struct Created {
    admin_token: Made,
}

#[derive(Deserialize)]
struct Made {
    secret: Option<String>,
}

impl Companies {
    /// Does what is asked.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let client = Client::new(settings, console.lang)?;
        match self.action.unwrap_or(Action::List) {
            Action::List => list(&client, console),
            Action::Create { name, admin } => {
                let body = serde_json::json!({"name": name, "admin": admin});
                let answer = client.post("/companies", &body.to_string())?;
                if console.json {
                    console.raw(&answer.body);
                } else {
                    let created: Created = answer.read()?;
                    console.say(created.admin_token.secret.unwrap_or_default());
                }
                Ok(Exit::Done)
            }
        }
    }
}

fn list(client: &Client, console: Console) -> Result<Exit, Failure> {
    let (mut documents, mut cursor) = (Vec::<serde_json::Value>::new(), String::new());
    loop {
        let page: Page<serde_json::Value> =
            client.get(&format!("/companies?limit=200{cursor}"))?.read()?;
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
    let rows: Vec<_> = documents
        .into_iter()
        .filter_map(|document| serde_json::from_value::<Company>(document).ok())
        .map(|company| vec![company.name, company.company_id])
        .collect();
    console.say(console.table(&rows, &[]));
    Ok(Exit::Done)
}
