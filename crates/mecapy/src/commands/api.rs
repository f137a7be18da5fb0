//! `mecapy api`: requests, beside workers on other machines.

use clap::Args;

use super::up;
use crate::cli::values;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::wiring::Role;

/// Arguments of `mecapy api`.
#[derive(Debug, Args)]
pub struct Api {
    /// Port to listen on, 0 for a free one; 8000 unless given
    #[arg(long, value_parser = values::whole(0..=u16::MAX))]
    pub port: Option<u16>,
}

impl Api {
    /// Serves until a signal ends it.
    ///
    /// # Errors
    /// When the server can't start.
    pub fn run(self, settings: Settings, console: Console) -> Result<Exit, Failure> {
        up::serve(settings, console, Role::Api)
    }
}
