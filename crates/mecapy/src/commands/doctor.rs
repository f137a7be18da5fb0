//! `mecapy doctor`: whether this machine can run calculations.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::console::Console;
use crate::doctor::{examine, show};
use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::telemetry;

/// Arguments of `mecapy doctor`.
#[derive(Debug, Args)]
pub struct Doctor {}

/// Threads for what waits; one that hangs must not hold up the others.
const THREADS: usize = 4;

impl Doctor {
    /// Prints a line for each check; [`Exit::Failed`] where one failed.
    ///
    /// # Errors
    /// When this process can't even have threads.
    pub fn run(self, settings: &Settings, console: Console) -> Result<Exit, Failure> {
        // What components log stands in the findings.
        let level = settings.log_level.unwrap_or(tracing::Level::ERROR);
        telemetry::start(level, settings.environment, "mecapy");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)?;
        let examined = runtime.block_on(async {
            let mut interrupted = signal(SignalKind::interrupt())?;
            let mut terminated = signal(SignalKind::terminate())?;
            // Dropped early, it removes its temporary folder and its sandbox.
            tokio::select! {
                report = examine(settings) => Ok::<_, anyhow::Error>(Some(report)),
                _ = interrupted.recv() => Ok(None),
                _ = terminated.recv() => Ok(None),
            }
        });
        // A thread that hangs in the kernel is left behind.
        runtime.shutdown_background();
        let Some(report) = examined? else { return Ok(Exit::Interrupted) };
        if console.json {
            console.value(&show::json(&report, console.lang));
        } else {
            console.say(show::text(&report, console));
        }
        Ok(if report.can_run() { Exit::Done } else { Exit::Failed })
    }
}
