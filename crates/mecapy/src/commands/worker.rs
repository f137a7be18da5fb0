//! `mecapy worker`: calculations, beside others on as many machines as wanted.

use clap::Args;

use super::up;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::wiring::Role;

/// Arguments of `mecapy worker`.
#[derive(Debug, Args)]
pub struct Worker {}

impl Worker {
    /// Works until a signal ends it.
    ///
    /// # Errors
    /// When the worker can't start.
    pub fn run(self, settings: Settings, console: Console) -> Result<Exit, Failure> {
        up::serve(settings, console, Role::Worker)
    }
}
