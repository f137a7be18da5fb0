//! The data folder: one server at a time, and the administrator's token.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use engine::Engine;

use super::Role;
use crate::exit::Told;
use crate::settings::Settings;

/// The file whose lock says that a server uses the folder.
const LOCK: &str = "lock";

/// The data folder while this process has it to itself.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "the lock ends with the file")] File);

/// Makes the folder where it is missing and takes it.
pub(crate) fn hold(data: &Path) -> Result<Held, Told> {
    let shown = data.display();
    let unusable = |error: io::Error| {
        Told::new(
            format!(
                "the data folder {shown} can't be used: {error}. Give it to this user, or choose another folder with --data"
            ),
            format!(
                "le dossier de données {shown} n’est pas utilisable : {error}. Donnez-le à cet utilisateur, ou choisissez un autre dossier avec --data"
            ),
        )
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(unusable)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(data.join(LOCK))
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(Held(lock)),
        Err(fs::TryLockError::WouldBlock) => Err(Told::new(
            format!(
                "another server uses the data folder {shown}; stop it, or choose another folder with --data"
            ),
            format!(
                "un autre serveur utilise le dossier de données {shown} ; arrêtez-le, ou choisissez un autre dossier avec --data"
            ),
        )),
        Err(fs::TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// What may lie in a data folder that nothing was ever kept in: the lock, the
/// operator's settings, what a file system puts at its root, and what a
/// restoration left that was cut off.
pub(crate) fn occupied_by(data: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let harmless = [LOCK, "mecapy.toml", "lost+found"].contains(&name.as_str());
        if !harmless && !name.starts_with("restoring-") {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The administrator that a new database is given. Processes that start at once
/// on one database may all try; one makes it, and the others find it.
async fn first(
    engine: &Engine,
    role: Role,
) -> Result<Option<engine::access::Minted>, engine::Error> {
    const TRIES: u32 = 5;
    for _ in 1..TRIES {
        match engine.found().await {
            Err(engine::Error::NameTaken { .. }) if role == Role::Api => {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            answer => return answer,
        }
    }
    engine.found().await
}

/// Makes sure that there is an administrator and that its token lies in
/// `admin.token`, readable for the owner alone. Of processes that share a
/// database only the one that makes the administrator has the token.
pub(super) async fn admin_token(
    engine: &Engine,
    settings: &Settings,
    role: Role,
) -> anyhow::Result<()> {
    let file = settings.admin_token_file();
    let minted = match first(engine, role).await? {
        Some(minted) => minted,
        None if file.is_file() || role != Role::Whole => return Ok(()),
        None => engine.new_admin_token().await?,
    };
    let beside = file.with_extension("token.new");
    let mut open = OpenOptions::new();
    let mut written = open
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)
        .with_context(|| format!("{} can't be written", beside.display()))?;
    writeln!(written, "{}", minted.secret)?;
    written.sync_all()?;
    fs::rename(&beside, &file).with_context(|| format!("{} can't be written", file.display()))
}
