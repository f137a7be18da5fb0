//! `mecapy man`: the manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man as Page;
use domain::Text;

use crate::cli;
use crate::console::Console;
use crate::exit::{Exit, Failure};

/// Arguments of `mecapy man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Folder to write the pages into, such as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
}

impl Man {
    /// Prints the program's page, or writes that of every command.
    ///
    /// # Errors
    /// When the folder can't be written.
    pub fn run(self, console: Console) -> Result<Exit, Failure> {
        let mut command = cli::command(console.lang).disable_help_subcommand(true);
        command.build();
        let Some(folder) = self.into else {
            console.raw(&page(&command)?);
            return Ok(Exit::Done);
        };
        std::fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
        let mut names = Vec::new();
        for (name, page) in pages(&command)? {
            let file = folder.join(format!("{name}.1"));
            std::fs::write(&file, page).map_err(|error| unwritable(&file, &error))?;
            names.push(file);
        }
        if console.json {
            console.value(&serde_json::json!({ "pages": names }));
        } else {
            names.iter().for_each(|name| console.say(name.display().to_string()));
        }
        Ok(Exit::Done)
    }
}

/// The page of a command and those of the commands below it, by the names
/// that clap gave them: `mecapy-tasks-list`.
fn pages(command: &Command) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut all = vec![(name, page(command)?)];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        all.extend(pages(below)?);
    }
    Ok(all)
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Page::new(command.clone()).render(&mut page).map_err(anyhow::Error::from)?;
    Ok(page)
}

fn unwritable(place: &std::path::Path, error: &std::io::Error) -> Failure {
    let shown = place.display();
    Failure::new(
        Exit::Failed,
        Text::new(
            format!("{shown} can't be written: {error}. Name a folder of yours with --into"),
            format!(
                "{shown} ne peut pas être écrit : {error}. Donnez un dossier à vous avec --into"
            ),
        ),
    )
}
