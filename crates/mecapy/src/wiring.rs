//! Where components are put together, in one place.

use std::path::Path;

use anyhow::bail;

use crate::console::Console;
use crate::exit::Exit;
use crate::settings::Settings;

/// Starts every component, says that the server is ready, and serves until
/// a signal ends it; `commands::up::ready` says that it listens.
///
/// # Errors
/// When a component can't start, with what to do about it.
pub fn serve(settings: Settings, console: Console) -> anyhow::Result<()> {
    let _ = console;
    bail!("this build has no server yet; data would lie in {}", settings.data.display());
}

/// Checks an archive's folder and runs its test cases in the sandbox, without
/// a server, and prints the report.
///
/// # Errors
/// When the sandbox can't start, with what to do about it.
pub fn test_archive(settings: Settings, folder: &Path, console: Console) -> anyhow::Result<Exit> {
    let _ = (settings, console);
    bail!("this build has no sandbox yet; {} was not tested", folder.display());
}
