//! `mecapy user`: the members of one's company, and one's own password.

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::client::{Account, Client, Page, segment};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::prompt;
use crate::settings::Settings;

/// Arguments of `mecapy user`.
#[derive(Debug, Args)]
pub struct Users {
    /// What to do; lists unless given.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What `mecapy user` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the members of the company
    List,
    /// Print a link that lets somebody in, or a member choose a new password
    Invite {
        /// User's name: 1 to 63 characters of a-z, 0-9 and -
        name: String,
        /// Where mail reaches the user
        #[arg(long)]
        email: Option<String>,
        /// Role of a new member: member, company_admin or admin; member unless given
        #[arg(long, value_name = "ROLE", hide_possible_values = true,
              value_parser = ["member", "company_admin", "admin"])]
        role: Option<String>,
    },
    /// Change a member's role, which ends its sessions
    Role {
        /// User's name: 1 to 63 characters of a-z, 0-9 and -
        name: String,
        /// member, company_admin or admin
        #[arg(value_name = "ROLE", hide_possible_values = true,
              value_parser = ["member", "company_admin", "admin"])]
        role: String,
    },
    /// Take a member out of the company, with its tokens
    Remove {
        /// User's name: 1 to 63 characters of a-z, 0-9 and -
        name: String,
    },
    /// Set your own password, which ends your other sessions
    Password,
}

#[derive(Deserialize)]
struct Member {
    user_id: String,
    name: String,
    role: String,
}

#[derive(Deserialize)]
struct Invitation {
    path: Option<String>,
}

impl Users {
    /// Does what is asked.
    ///
    /// # Errors
    /// When the server can't be reached or refuses.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let client = Client::new(settings, console.lang)?;
        let account: Account = client.get("/auth/me")?.read()?;
        let company = format!("/companies/{}", segment(&account.company.company_id));
        match self.action.unwrap_or(Action::List) {
            Action::List => list(&client, console, &company),
            Action::Invite { name, email, role } => {
                let body = serde_json::json!({"name": name, "email": email, "role": role});
                let answer = client.post(&format!("{company}/invitations"), &body.to_string())?;
                if console.json {
                    console.raw(&answer.body);
                    return Ok(Exit::Done);
                }
                let path = answer.read::<Invitation>()?.path.unwrap_or_default();
                console.say(format!("{}{path}", client.url));
                console.note(console.t(
                    "Send this link to its user: it works once, within a week, and is shown this once.",
                    "Envoyez ce lien à son utilisateur : il sert une fois, pendant une semaine, et n’est montré qu’ici.",
                ));
                Ok(Exit::Done)
            }
            Action::Role { name, role } => {
                member(&client, &company, &name)?;
                let body = serde_json::json!({"name": name, "role": role});
                let answer = client.post(&format!("{company}/members"), &body.to_string())?;
                done(console, &answer.body, format!("{name} {role}"))
            }
            Action::Remove { name } => {
                let id = member(&client, &company, &name)?.user_id;
                client.delete(&format!("{company}/members/{}", segment(&id)))?;
                let gone = serde_json::json!({"removed": name}).to_string();
                let said = format!("{name} {}", console.t("removed", "retiré"));
                done(console, gone.as_bytes(), said)
            }
            Action::Password => password(&client, console, &account),
        }
    }
}

fn done(console: Console, document: &[u8], said: String) -> Result<Exit, Failure> {
    if console.json {
        console.raw(document);
    } else {
        console.say(said);
    }
    Ok(Exit::Done)
}

fn list(client: &Client, console: Console, company: &str) -> Result<Exit, Failure> {
    let answer = client.get(&format!("{company}/members"))?;
    if console.json {
        console.raw(&answer.body);
        return Ok(Exit::Done);
    }
    let page: Page<Member> = answer.read()?;
    let rows: Vec<_> = page.items.into_iter().map(|m| vec![m.name, m.role, m.user_id]).collect();
    console.say(console.table(&rows, &[]));
    Ok(Exit::Done)
}

fn member(client: &Client, company: &str, name: &str) -> Result<Member, Failure> {
    let page: Page<Member> = client.get(&format!("{company}/members"))?.read()?;
    page.items.into_iter().find(|member| member.name == name).ok_or_else(|| {
        Failure::usage(
            format!("expected a member of the company, found {name:?}; `mecapy user list` names them, `mecapy user invite {name}` lets somebody in"),
            format!("un membre de l’entreprise était attendu, trouvé : {name:?} ; `mecapy user list` les nomme, `mecapy user invite {name}` fait entrer quelqu’un"),
        )
    })
}

fn password(client: &Client, console: Console, account: &Account) -> Result<Exit, Failure> {
    let present = match account.has_password {
        true => {
            Some(prompt::secret(console, console.t("Present password", "Mot de passe actuel"))?)
        }
        false => None,
    };
    let new = prompt::secret(console, console.t("New password", "Nouveau mot de passe"))?;
    let again = prompt::secret(console, console.t("Once more", "Encore une fois"))?;
    if new != again {
        return Err(Failure::usage(
            "the two new passwords differ; nothing was changed. Try again",
            "les deux nouveaux mots de passe diffèrent ; rien n’a changé. Réessayez",
        ));
    }
    let body = serde_json::json!({"current_password": present, "new_password": new});
    client.post("/auth/password", &body.to_string())?;
    let set = serde_json::json!({"password_set": account.name}).to_string();
    let said =
        format!("{} {}", console.t("Password set for", "Mot de passe fixé pour"), account.name);
    done(console, set.as_bytes(), said)
}
