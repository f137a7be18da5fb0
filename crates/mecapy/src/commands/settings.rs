//! `mecapy settings`: the settings page of the documentation.

use clap::Args;

use crate::console::Console;
use crate::exit::Exit;
use crate::settings;

/// Arguments of `mecapy settings`.
#[derive(Debug, Args)]
pub struct Reference {}

impl Reference {
    /// Prints the page in the console's language.
    pub fn run(self, console: Console) -> Exit {
        console.say(settings::page(console.lang).trim_end());
        Exit::Done
    }
}
