//! `mecapy completions SHELL`: what a shell completes words by.

use clap::{Args, ValueEnum};
use clap_complete::{Shell, generate};

use crate::cli;
use crate::console::Console;
use crate::exit::Exit;

/// Arguments of `mecapy completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell: bash, zsh or fish
    #[arg(value_enum, hide_possible_values = true)]
    pub shell: Word,
}

/// A shell.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Word {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

impl Completions {
    /// Prints the shell's own script.
    #[must_use]
    pub fn run(self, console: Console) -> Exit {
        let shell = match self.shell {
            Word::Bash => Shell::Bash,
            Word::Zsh => Shell::Zsh,
            Word::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        generate(shell, &mut cli::command(console.lang), "mecapy", &mut script);
        console.raw(&script);
        Exit::Done
    }
}
