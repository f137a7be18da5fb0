//! `mecapy test DIR`: check a function and run its test cases here.

use std::path::PathBuf;

use clap::Args;

use crate::commands::folder;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::{telemetry, wiring};

/// Arguments of `mecapy test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Folder with mecapy.yaml and handler.py; the current one unless given
    #[arg(default_value = ".", hide_default_value = true)]
    pub dir: PathBuf,
}

impl Test {
    /// Prints the report.
    ///
    /// # Errors
    /// When the folder can't be read or the sandbox can't start.
    pub fn run(self, settings: Settings, console: Console) -> Result<Exit, Failure> {
        let level = settings.log_level.unwrap_or(tracing::Level::WARN);
        telemetry::start(level, settings.environment, "mecapy");
        if !self.dir.is_dir() {
            return Err(folder::not_one(&self.dir));
        }
        folder::check(&self.dir, "test")?;
        let files = folder::files(&self.dir)?;
        Ok(wiring::test_archive(settings, files, console)?)
    }
}
