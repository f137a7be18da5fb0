//! `mecapy init NAME|DIR`: write a new function to begin with.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::console::Console;
use crate::exit::{Exit, Failure};

/// Arguments of `mecapy init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Folder to make; its last part names the function
    #[arg(value_name = "NAME|DIR")]
    pub dir: PathBuf,
}

impl Init {
    /// Writes the files; nothing that exists is touched.
    ///
    /// # Errors
    /// When the name can't be a function's, or a file can't be written.
    pub fn run(self, console: Console) -> Result<Exit, Failure> {
        let name = name_of(&self.dir)?;
        let files = package::template(&name, console.lang);
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| self.dir.join(path)).collect();
        if let Some(there) = paths.iter().find(|path| path.exists()) {
            let shown = there.display();
            return Err(Failure::usage(
                format!("expected a new folder, found {shown}. Choose another name, or remove it"),
                format!(
                    "un nouveau dossier était attendu, trouvé : {shown}. Choisissez un autre nom, ou supprimez-le"
                ),
            ));
        }
        for (path, (_, text)) in paths.iter().zip(&files) {
            write(path, text.as_bytes())?;
        }
        if console.json {
            console.value(&serde_json::json!({"name": name, "files": paths}));
            return Ok(Exit::Done);
        }
        for path in &paths {
            console.say(path.display().to_string());
        }
        let dir = self.dir.display();
        console.say(match console.lang {
            domain::Lang::En => format!("\nNext: mecapy test {dir}, then mecapy deploy {dir}"),
            domain::Lang::Fr => format!("\nEnsuite : mecapy test {dir}, puis mecapy deploy {dir}"),
        });
        Ok(Exit::Done)
    }
}

fn name_of(dir: &Path) -> Result<String, Failure> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    if domain::function::is_name(&name) {
        return Ok(name.into_owned());
    }
    Err(Failure::usage(
        format!(
            "expected a name of 1 to 63 characters a–z, 0–9 and -, such as bolt-stress, found `{name}`"
        ),
        format!(
            "un nom de 1 à 63 caractères a–z, 0–9 et -, tel que bolt-stress, était attendu, trouvé : `{name}`"
        ),
    ))
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let written = match path.parent() {
        Some(folder) => std::fs::create_dir_all(folder),
        None => Ok(()),
    };
    written.and_then(|()| std::fs::write(path, content)).map_err(|error| {
        let shown = path.display();
        Failure::usage(
            format!("{shown} can't be written: {error}. Go to a folder of yours first"),
            format!(
                "{shown} ne peut pas être écrit : {error}. Allez d’abord dans un dossier à vous"
            ),
        )
    })
}
