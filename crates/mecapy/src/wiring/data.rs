//! The data folder: one server at a time, and the administrator's token.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use engine::Engine;

use crate::settings::Settings;

/// The data folder while this process has it to itself.
pub(super) struct Held(#[expect(dead_code, reason = "the lock ends with the file")] File);

/// Makes the folder where it is missing and takes it.
pub(super) fn hold(data: &Path) -> anyhow::Result<Held> {
    let shown = data.display();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("the data folder {shown} can't be made"))?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(data.join("lock"))
        .with_context(|| format!("the data folder {shown} can't be written"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Held(lock)),
        Err(fs::TryLockError::WouldBlock) => bail!(
            "another server uses the data folder {shown}; stop it, or choose another folder with --data"
        ),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("the data folder {shown} can't be locked"))
        }
    }
}

/// Makes sure that there is an administrator and that its token lies in
/// `admin.token`, readable for the owner alone.
pub(super) async fn admin_token(engine: &Engine, settings: &Settings) -> anyhow::Result<()> {
    let file = settings.admin_token_file();
    let minted = match engine.found().await? {
        Some(minted) => minted,
        None if file.is_file() => return Ok(()),
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
