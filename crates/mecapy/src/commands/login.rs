//! `mecapy login`, `mecapy logout`: a token for one server, kept for its user.

use std::time::Duration;

use clap::Args;
use domain::{Clock as _, Text};
use serde::Deserialize;

use crate::client::{Account, Client, Credentials, Kept, is_private};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::prompt;
use crate::settings::{Secret, Settings};

/// How long the token of a login lasts.
const LASTS: Duration = Duration::from_secs(90 * 86_400);

/// Arguments of `mecapy login`.
#[derive(Debug, Args)]
pub struct Login {
    /// User's name; asked for unless given
    #[arg(long)]
    pub name: Option<String>,
    /// Company to act for; that of the last login unless given
    #[arg(long)]
    pub company: Option<String>,
    /// Keep this token instead of asking for a password; `-` reads it from standard input
    #[arg(long, conflicts_with_all = ["name", "company"])]
    pub token: Option<String>,
}

/// Arguments of `mecapy logout`.
#[derive(Debug, Args)]
pub struct Logout {}

#[derive(Deserialize)]
struct Opened {
    csrf_token: String,
}

#[derive(Deserialize)]
struct Made {
    secret: String,
}

impl Login {
    /// Logs in and keeps a token.
    ///
    /// # Errors
    /// When the server can't be reached or refuses, or the token can't be kept.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        // Not shown: it may be the token.
        if self.token.as_deref().is_some_and(|word| word != "-") {
            return Err(on_the_command_line("--token"));
        }
        let url = Client::new(settings, console.lang)?.url;
        if !is_private(&url) {
            console.warn(&Text::new(
                format!("{url} is not encrypted: whoever is on the way can read what you send; use https://"),
                format!("{url} n’est pas chiffré : quiconque est sur le chemin peut lire ce que vous envoyez ; utilisez https://"),
            ));
        }
        let kept = match self.token {
            Some(_) => {
                let token = prompt::secret(console, console.t("Token", "Jeton"))?;
                Kept { token: token.trim().to_owned(), made_here: false }
            }
            None => {
                let token = self.password(&Client::at(url.clone(), None, console.lang), console)?;
                Kept { token, made_here: true }
            }
        };
        let token = Some(Secret::new(kept.token.clone()));
        let account: Account =
            Client::at(url.clone(), token, console.lang).get("/auth/me")?.read()?;
        let mut credentials = Credentials::read(&settings.credentials)?;
        credentials.servers.insert(url.clone(), kept);
        credentials.server = Some(url.clone());
        credentials.write(&settings.credentials)?;
        let Account { name, company, .. } = account;
        if console.json {
            console.value(&serde_json::json!({
                "server": url, "name": name, "company": company.name, "role": company.role,
            }));
        } else {
            let logged_in = console.t("Logged in to", "Connecté à");
            let role = &company.role;
            console.say(format!("{logged_in} {url} ({name}, {}, {role})", company.name));
        }
        Ok(Exit::Done)
    }

    /// A session for a password, a token for the session; the session ends.
    fn password(self, client: &Client, console: Console) -> Result<String, Failure> {
        let name = match self.name {
            Some(name) => name,
            None => prompt::line(console, console.t("Name", "Nom"))?,
        };
        let password = prompt::secret(console, console.t("Password", "Mot de passe"))?;
        let login = serde_json::json!({
            "name": name.trim(), "password": password, "company": self.company,
        });
        let answer = client.post("/auth/login", &login.to_string())?;
        let cookie = answer.header("set-cookie").unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let opened: Opened = answer.read()?;
        let session = [("Cookie", cookie.as_str()), ("X-CSRF-Token", opened.csrf_token.as_str())];
        let ends = domain::clock::System.now().after(LASTS);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let wanted = serde_json::json!({
            "name": format!("mecapy login on {host}"), "expires_at": ends.to_string(),
        });
        let made = client.post_with("/tokens", &wanted.to_string(), &session);
        client.post_with("/auth/logout", "{}", &session)?;
        Ok(made?.read::<Made>()?.secret)
    }
}

/// The refusal of a token that is an argument.
pub(super) fn on_the_command_line(option: &str) -> Failure {
    Failure::usage(
        format!(
            "{option}: expected `-`, and the token on standard input: everybody on this machine can read a command line"
        ),
        format!(
            "{option} : attendu : `-`, et le jeton sur l’entrée standard : chacun sur cette machine peut lire une ligne de commande"
        ),
    )
}

impl Logout {
    /// Forgets the token of the server, and revokes it where a login made it.
    ///
    /// # Errors
    /// When there is none, or it can't be forgotten.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let mut credentials = Credentials::read(&settings.credentials)?;
        let url = settings.api_url.clone().or_else(|| credentials.server.clone());
        let kept = url.and_then(|url| Some((credentials.servers.remove(&url)?, url)));
        let Some((kept, url)) = kept else {
            return Err(Failure::usage(
                "nobody is logged in here. Log in with `mecapy login`",
                "personne n’est connecté ici. Connectez-vous avec `mecapy login`",
            ));
        };
        credentials.server = credentials.server.filter(|server| *server != url);
        credentials.write(&settings.credentials)?;
        if kept.made_here {
            let client = Client::at(url.clone(), Some(Secret::new(kept.token)), console.lang);
            if let Err(failure) = client.post("/auth/logout", "{}")
                && failure.exit != Exit::Denied
            {
                let why = failure.text;
                console.warn(&Text::new(
                    format!("the token is forgotten here and still valid there; revoke it with `mecapy token revoke`: {}", why.en),
                    format!("le jeton est oublié ici et reste valable là-bas ; révoquez-le avec `mecapy token revoke` : {}", why.fr),
                ));
            }
        }
        if console.json {
            console.value(&serde_json::json!({"server": url, "logged_out": true}));
        } else {
            console.say(format!("{} {url}", console.t("Logged out of", "Déconnecté de")));
        }
        Ok(Exit::Done)
    }
}
