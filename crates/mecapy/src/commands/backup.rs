//! `mecapy backup [FILE|-]`: everything that the server keeps, in one file.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use backup::{Manifest, Options, Passphrase, Places};
use clap::Args;
use domain::{Clock as _, Text, Timestamp, clock};
use serde_json::{Value, json};
use store::url::Location;

use super::progress;
use crate::console::{Console, bytes, duration};
use crate::exit::{Exit, Failure};
use crate::settings::Settings;

/// Arguments of `mecapy backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// File to write, or - for standard output; a new one here unless given
    #[arg(value_name = "FILE|-")]
    pub file: Option<PathBuf>,
    /// Encrypt with the passphrase on the first line of this file
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Check this backup from its beginning to its end instead of writing one
    #[arg(long, value_name = "BACKUP", conflicts_with = "file")]
    pub verify: Option<PathBuf>,
}

impl Backup {
    /// Writes a backup, or verifies one.
    ///
    /// # Errors
    /// When it can't be written, or is not what it should be.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        let passphrase = self.passphrase_file.as_deref().map(Passphrase::from_file).transpose()?;
        match &self.verify {
            Some(file) => verify(file, passphrase.as_ref(), console),
            None => write(self.file, passphrase, settings, console),
        }
    }
}

/// Where the server of these settings keeps what a backup holds.
///
/// # Errors
/// Where that is on PostgreSQL, which has tools of its own.
pub(super) fn places(settings: &Settings) -> Result<Places, Failure> {
    let blobs = settings.data.join("blobs");
    match &settings.database {
        Location::Sqlite(database) => Ok(Places { database: database.clone(), blobs }),
        Location::Postgres(_) => {
            let blobs = blobs.display();
            Err(Failure::usage(
                format!(
                    "DATABASE_URL names a PostgreSQL, which `mecapy` neither backs up nor restores. Back it up with `pg_dump --format=custom` first and copy {blobs} after it; restore with `pg_restore` and the copy, while no server runs"
                ),
                format!(
                    "DATABASE_URL désigne un PostgreSQL, que `mecapy` ne sauvegarde ni ne restaure. Sauvegardez-le avec `pg_dump --format=custom` d’abord, puis copiez {blobs} ; restaurez avec `pg_restore` et la copie, sans serveur en marche"
                ),
            ))
        }
    }
}

/// What programs read of a backup.
pub(super) fn summary(manifest: &Manifest, more: Value) -> Value {
    let head = &manifest.head;
    let mut summary = json!({
        "program": head.program,
        "revision": head.revision,
        "created_at": head.created_at,
        "database_bytes": head.database_bytes,
        "objects": head.objects,
        "objects_bytes": head.objects_bytes,
        "rows": manifest.rows,
        "missing": manifest.missing,
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut summary, more) {
        all.extend(more);
    }
    summary
}

/// What people read of a backup's size.
pub(super) fn content(manifest: &Manifest, console: Console) -> String {
    let head = &manifest.head;
    let (database, objects) =
        (bytes(head.database_bytes, console.lang), bytes(head.objects_bytes, console.lang));
    let rows: u64 = manifest.rows.values().sum();
    match console.lang {
        domain::Lang::En => {
            format!("{rows} rows in {database}, {} objects in {objects}", head.objects)
        }
        domain::Lang::Fr => {
            format!("{rows} lignes en {database}, {} objets en {objects}", head.objects)
        }
    }
}

/// Says what was missing already when the backup was taken, and whether that
/// makes the call a failed one.
pub(super) fn whole(manifest: &Manifest, console: Console) -> Exit {
    const SHOWN: usize = 10;
    let count = manifest.missing.len();
    if count == 0 {
        return Exit::Done;
    }
    let some = manifest.missing.iter().take(SHOWN).map(String::as_str);
    let some = some.collect::<Vec<_>>().join(", ");
    console.warn(&Text::new(
        format!("{count} objects that rows refer to were not there when the backup was taken: {some}. Keep the earlier backups, which may have them"),
        format!("{count} objets auxquels des lignes renvoient étaient absents au moment de la sauvegarde : {some}. Gardez les sauvegardes antérieures, qui les ont peut-être"),
    ));
    Exit::Failed
}

fn write(
    file: Option<PathBuf>,
    passphrase: Option<Passphrase>,
    settings: &Settings,
    console: Console,
) -> Result<Exit, Failure> {
    let places = places(settings)?;
    let begun = Instant::now();
    let now = clock::System.now();
    let encrypted = passphrase.is_some();
    let file = file.unwrap_or_else(|| name(now, encrypted).into());
    let options = Options { program: env!("CARGO_PKG_VERSION").to_owned(), now, passphrase };
    let bar = progress::bar(console, console.t("backup", "sauvegarde"));
    let mut moved = progress::moved(&bar);
    if file == Path::new("-") {
        stdout_takes_it(console)?;
        let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
        let manifest = backup::write(&places, &options, out, &mut moved)?;
        bar.finish_and_clear();
        console.note(content(&manifest, console));
        return Ok(whole(&manifest, console));
    }
    let written = Written::begin(&file)?;
    let out = BufWriter::with_capacity(1 << 20, written.file.as_file());
    let manifest = backup::write(&places, &options, out, &mut moved)?;
    bar.finish_and_clear();
    let size = written.finish(&file)?;
    if console.json {
        let more = json!({ "file": file, "bytes": size, "encrypted": encrypted });
        console.value(&summary(&manifest, more));
    } else {
        let (size, time) = (bytes(size, console.lang), duration(begun.elapsed()));
        let content = content(&manifest, console);
        let shown = file.display();
        let colon = console.colon();
        let line = match console.lang {
            domain::Lang::En => format!("backed up in {time} to {shown} ({size}){colon} {content}"),
            domain::Lang::Fr => {
                format!("sauvegardé en {time} dans {shown} ({size}){colon} {content}")
            }
        };
        console.say(console.good(&line));
    }
    Ok(whole(&manifest, console))
}

fn verify(file: &Path, passphrase: Option<&Passphrase>, console: Console) -> Result<Exit, Failure> {
    let bar = progress::bar(console, console.t("verify", "vérification"));
    let from = open(file)?;
    let scratch = std::env::temp_dir();
    let manifest = backup::verify(from, passphrase, &scratch, &mut progress::moved(&bar))?;
    bar.finish_and_clear();
    if console.json {
        console.value(&summary(&manifest, json!({ "file": file, "verified": true })));
    } else {
        let content = content(&manifest, console);
        let (head, shown) = (&manifest.head, file.display());
        let line = match console.lang {
            domain::Lang::En => {
                format!("{shown} is whole: {content}, taken at {}", head.created_at)
            }
            domain::Lang::Fr => {
                format!("{shown} est intacte : {content}, prise le {}", head.created_at)
            }
        };
        console.say(console.good(&line));
    }
    Ok(whole(&manifest, console))
}

/// Opens a backup, `-` for standard input.
pub(super) fn open(file: &Path) -> Result<Box<dyn io::Read>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|error| crate::client::unreadable(file, &error))?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, opened)))
}

/// `mecapy-20261128T152900Z.tar.zst`
fn name(now: Timestamp, encrypted: bool) -> String {
    let instant = now.to_string();
    let seconds = instant.split(['.', 'Z']).next().unwrap_or_default();
    let instant: String = seconds.chars().filter(|c| !"-:".contains(*c)).collect();
    format!("mecapy-{instant}Z.tar.zst{}", if encrypted { ".age" } else { "" })
}

fn stdout_takes_it(console: Console) -> Result<(), Failure> {
    if console.json {
        return Err(Failure::usage(
            "`-` writes the backup to standard output, where --json writes too. Name a file, or leave --json out",
            "`-` écrit la sauvegarde sur la sortie standard, comme --json. Donnez un fichier, ou retirez --json",
        ));
    }
    if io::stdout().is_terminal() {
        return Err(Failure::usage(
            "a backup is no text for a terminal. Name a file, or send it on: mecapy backup - | …",
            "une sauvegarde n’est pas un texte pour un terminal. Donnez un fichier, ou envoyez-la plus loin : mecapy backup - | …",
        ));
    }
    Ok(())
}

/// A file under a temporary name, beside its place.
struct Written {
    file: tempfile::NamedTempFile,
}

impl Written {
    fn begin(file: &Path) -> Result<Self, Failure> {
        if file.symlink_metadata().is_ok() {
            return Err(taken(file));
        }
        let folder = folder(file);
        let made = tempfile::Builder::new()
            .prefix(".mecapy-backup-")
            .suffix(".partial")
            .tempfile_in(folder);
        let made =
            made.map_err(|reason| backup::Error::Place { path: folder.to_owned(), reason })?;
        Ok(Self { file: made })
    }

    /// Gives it its place; durable when this returns. Its size in bytes.
    fn finish(mut self, file: &Path) -> Result<u64, Failure> {
        let fail = |reason: io::Error| Failure::from(backup::Error::Output(reason));
        self.file.flush().map_err(fail)?;
        self.file.as_file().sync_all().map_err(fail)?;
        let size = self.file.as_file().metadata().map_err(fail)?.len();
        self.file.persist_noclobber(file).map_err(|refused| match refused.error.kind() {
            io::ErrorKind::AlreadyExists => taken(file),
            _ => fail(refused.error),
        })?;
        File::open(folder(file)).and_then(|folder| folder.sync_all()).map_err(fail)?;
        Ok(size)
    }
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn taken(file: &Path) -> Failure {
    let shown = file.display();
    Failure::usage(
        format!("{shown} exists already, and a backup overwrites nothing. Name another file"),
        format!(
            "{shown} existe déjà, et une sauvegarde n’écrase rien. Donnez un autre nom de fichier"
        ),
    )
}
