//! `mecapy migrate`: the schema of the database, up and down.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use store::migrate::{Step, Target};
use store::url::Location;

use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::wiring;

/// Arguments of `mecapy migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// What to do; up unless given.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What is done with the schema.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Show which revisions are applied
    Status,
    /// Apply every revision that is missing
    Up,
    /// Take back the newest revision, with the data it holds
    Down(Agreed),
    /// Go to a revision, whichever way it lies
    To {
        /// The revision to end at, such as 0001_initial
        revision: String,
        /// Whether data may go.
        #[command(flatten)]
        agreed: Agreed,
    },
}

/// Whether the data that a revision holds may go with it.
#[derive(Debug, Default, Args)]
pub struct Agreed {
    /// Agree that the data of revisions that are taken back is lost
    #[arg(long)]
    pub yes: bool,
}

impl Migrate {
    /// Shows or changes the schema.
    ///
    /// # Errors
    /// When a server uses the database, it is of another program, or data
    /// would go and nobody agreed.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let database = &settings.database;
        if let Location::Sqlite(file) = database
            && !file.is_file()
        {
            let shown = file.display();
            return Err(Failure::usage(
                format!(
                    "there is no database at {shown}. `mecapy up` makes it; else name the data folder with --data"
                ),
                format!(
                    "il n’y a pas de base de données à {shown}. `mecapy up` la crée ; sinon indiquez le dossier de données avec --data"
                ),
            ));
        }
        let (target, agreed) = match self.action.unwrap_or(Action::Up) {
            Action::Status => return status(settings, console),
            Action::Up => (Target::Newest, false),
            Action::Down(agreed) => (before_newest(settings)?, agreed.yes),
            Action::To { revision, agreed } => (Target::Revision(revision), agreed.yes),
        };
        let _held = wiring::hold(&settings.data).map_err(anyhow::Error::from)?;
        let steps = wiring::pending(database, &target).map_err(refused)?;
        if !agreed && steps.iter().any(|step| matches!(step, Step::Down(_))) {
            return Err(not_agreed(&steps));
        }
        let copy = wiring::keep_copy(database, &target).map_err(refused)?;
        let steps = wiring::migrate(database, target).map_err(refused)?;
        show(&steps, copy, console);
        Ok(Exit::Done)
    }
}

fn status(settings: &Settings, console: Console) -> Result<Exit, Failure> {
    let applied = wiring::applied(&settings.database).map_err(refused)?;
    let known = store::migrate::of(&settings.database);
    let states =
        known.iter().enumerate().map(|(at, migration)| (migration.revision, at < applied.len()));
    // A history of another program is refused with its remedy.
    wiring::pending(&settings.database, &Target::Newest).map_err(refused)?;
    if console.json {
        let revisions: Vec<_> = states
            .map(|(revision, applied)| json!({ "revision": revision, "applied": applied }))
            .collect();
        console
            .value(&json!({ "database": settings.database.to_string(), "revisions": revisions }));
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = states
        .map(|(revision, applied)| {
            let state = match applied {
                true => console.good(console.t("applied", "appliquée")),
                false => console.doubtful(console.t("missing", "manquante")),
            };
            vec![revision.to_owned(), state]
        })
        .collect();
    console.say(console.table(&rows, &[]));
    if applied.len() < known.len() {
        console.say(console.t(
            "`mecapy migrate up` applies what is missing; so does the next `mecapy up`",
            "`mecapy migrate up` applique ce qui manque ; le prochain `mecapy up` aussi",
        ));
    }
    Ok(Exit::Done)
}

/// The revision before the newest that is applied.
fn before_newest(settings: &Settings) -> Result<Target, Failure> {
    let mut applied = wiring::applied(&settings.database).map_err(refused)?;
    applied.pop();
    Ok(applied.pop().map_or(Target::Empty, |before| Target::Revision(before.revision)))
}

fn show(steps: &[Step], copy: Option<PathBuf>, console: Console) {
    let words = |step: &Step| match step {
        Step::Up(migration) => (migration.revision, "up"),
        Step::Down(migration) => (migration.revision, "down"),
    };
    if console.json {
        let steps: Vec<_> = steps
            .iter()
            .map(words)
            .map(|(revision, way)| json!({ "revision": revision, "direction": way }))
            .collect();
        console.value(&json!({ "steps": steps, "copy": copy }));
        return;
    }
    for (revision, way) in steps.iter().map(words) {
        let word = match way {
            "up" => console.t("applied", "appliquée"),
            _ => console.t("taken back", "annulée"),
        };
        console.say(format!("{} {revision}", console.good(word)));
    }
    if steps.is_empty() {
        console.say(console.t("the schema is there already", "le schéma y est déjà"));
    }
    if let Some(copy) = copy {
        let kept = console.t("the database as it was before", "la base d’avant");
        console.say(format!("{kept}{} {}", console.colon(), copy.display()));
    }
}

fn not_agreed(steps: &[Step]) -> Failure {
    let names = steps.iter().filter_map(|step| match step {
        Step::Down(migration) => Some(migration.revision),
        Step::Up(_) => None,
    });
    let names = names.collect::<Vec<_>>().join(", ");
    Failure::usage(
        format!(
            "{names} would be taken back, and the data with it. Take a backup (`mecapy backup`), then agree with --yes"
        ),
        format!(
            "{names} serait annulée, avec ses données. Faites une sauvegarde (`mecapy backup`), puis acceptez avec --yes"
        ),
    )
}

fn refused(error: store::Error) -> Failure {
    Failure::from(backup::Error::Store(error))
}
