//! Checks of the repository itself, and what is generated in it.
//!
//! `cargo xtask check` says everything that is wrong and ends with 1;
//! `cargo xtask generate` writes the generated pages anew.

mod dependencies;
mod documents;
mod faults;
mod generate;
mod lengths;
mod machine;
mod reference;
mod repository;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;
use repository::Repository;

fn main() -> anyhow::Result<ExitCode> {
    let repository = Repository::open()?;
    let task = std::env::args().nth(1);
    match task.as_deref() {
        Some("check") => check(&repository),
        Some("generate") => generate::generate(&repository).map(|()| ExitCode::SUCCESS),
        other => {
            let found = other.unwrap_or("nothing");
            anyhow::bail!("expected `check` or `generate`, found {found}")
        }
    }
}

fn check(repository: &Repository) -> anyhow::Result<ExitCode> {
    let mut found = dependencies::check(repository).context("the dependency table")?;
    found.extend(lengths::check(repository)?);
    found.extend(documents::check(repository)?);
    found.extend(faults::check(repository)?);
    found.extend(machine::check(repository)?);
    found.extend(reference::check(repository)?);
    let mut out = std::io::stderr().lock();
    for fault in &found {
        writeln!(out, "{fault}")?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
