//! `mecapy restore FILE`: a backup, into an empty data folder.

use std::path::{Path, PathBuf};
use std::time::Instant;

use backup::Passphrase;
use clap::Args;
use serde_json::json;

use super::backup::{content, open, places, summary, whole};
use super::progress;
use crate::console::{Console, duration};
use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::wiring;

/// Arguments of `mecapy restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// Backup to restore, or - for standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// Decrypt with the passphrase on the first line of this file
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl Restore {
    /// Restores it, after everything in it was checked.
    ///
    /// # Errors
    /// When the data folder is not empty, or the backup is not what it should
    /// be; nothing is there then that wasn't before.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let passphrase = self.passphrase_file.as_deref().map(Passphrase::from_file).transpose()?;
        let places = places(settings)?;
        let from = open(&self.file)?;
        empty(&settings.data, &places.database)?;
        let _held = wiring::hold(&settings.data).map_err(anyhow::Error::from)?;
        let bar = progress::bar(console, console.t("restore", "restauration"));
        let mut moved = progress::moved(&bar);
        let manifest = backup::restore(from, passphrase.as_ref(), &places, &mut moved)?;
        bar.finish_and_clear();
        let data = settings.data.display();
        if console.json {
            console.value(&summary(&manifest, json!({ "data": settings.data })));
        } else {
            let (content, time) = (content(&manifest, console), duration(begun.elapsed()));
            let (line, next) = match console.lang {
                domain::Lang::En => (
                    format!("restored in {time} to {data}: {content}"),
                    format!(
                        "Start it with `mecapy up --data {data}`. Settings and the administrator's token are not part of a backup: a new token is written to {data}/admin.token"
                    ),
                ),
                domain::Lang::Fr => (
                    format!("restauré en {time} dans {data} : {content}"),
                    format!(
                        "Démarrez-le avec `mecapy up --data {data}`. Les réglages et le jeton d’administration ne font pas partie d’une sauvegarde : un nouveau jeton est écrit dans {data}/admin.token"
                    ),
                ),
            };
            console.say(console.good(&line));
            console.say(next);
        }
        Ok(whole(&manifest, console))
    }
}

/// A restoration never overwrites.
fn empty(data: &Path, database: &Path) -> Result<(), Failure> {
    let shown = data.display();
    let occupied = wiring::occupied_by(data)
        .map_err(|reason| backup::Error::Place { path: data.to_owned(), reason })?;
    if let Some(name) = occupied {
        return Err(Failure::usage(
            format!(
                "the data folder {shown} is not empty: it holds {name}. A restoration overwrites nothing: name an empty folder with --data, or move this one away"
            ),
            format!(
                "le dossier de données {shown} n’est pas vide : il contient {name}. Une restauration n’écrase rien : donnez un dossier vide avec --data, ou déplacez celui-ci"
            ),
        ));
    }
    if database.symlink_metadata().is_ok() {
        let database = database.display();
        return Err(Failure::usage(
            format!(
                "there is a database at {database}. A restoration overwrites nothing: name another one with DATABASE_URL, or move this one away"
            ),
            format!(
                "il y a une base de données à {database}. Une restauration n’écrase rien : donnez-en une autre avec DATABASE_URL, ou déplacez celle-ci"
            ),
        ));
    }
    Ok(())
}
