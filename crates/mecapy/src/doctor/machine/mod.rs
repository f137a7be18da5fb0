//! Reads the facts. Nothing here changes the machine, waits without a
//! deadline, or depends on anything else being there.

mod clock;
mod disk;
mod host;

use std::future::Future;
use std::time::Duration;

use domain::Text;
use environment::Interpreters;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::facts::{Calculation, Facts, NoUv, Python, Pythons, Seen, Unseen, Uv};
use super::{Obstacle, Report};
use crate::settings::Settings;
use crate::wiring;

/// For files; even a busy disk answers.
const FILES: Duration = Duration::from_secs(5);
/// For programs that are asked who they are, which have 10 s each.
const PROGRAMS: Duration = Duration::from_secs(15);
/// For the calculation with all that it needs.
const CALCULATION: Duration = Duration::from_secs(60);

/// Reads everything, calculates, and decides.
pub async fn examine(settings: &Settings) -> Report {
    let watch = clock::Watch::start();
    let own = settings.clone();
    let disk = blocking(move || disk::read(&own));
    let search_path = settings.python.search_path.clone();
    let host = blocking(move || host::read(search_path.as_deref()));
    let (pythons, uv) = (interpreters(settings), uv(settings));
    let (host, (interpreters, pythons), uv, disk, synchronised) =
        tokio::join!(host, pythons, uv, disk, clock::synchronised());
    let calculation = calculation(interpreters.as_ref()).await;
    let clock = Ok(watch.stop(synchronised));
    Report::of(&Facts { host, pythons, uv, disk, clock, calculation })
}

/// Work that waits for the disk, on a thread of its own: one that hangs in
/// the kernel can't be ended, only left behind.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Seen<T> {
    in_time(FILES, tokio::task::spawn_blocking(read)).await
}

/// Work that asks programs, on a task of its own for the same reason.
async fn apart<T: Send + 'static>(asking: impl Future<Output = T> + Send + 'static) -> Seen<T> {
    in_time(PROGRAMS, TaskTracker::new().spawn(asking)).await
}

async fn in_time<T>(limit: Duration, task: tokio::task::JoinHandle<T>) -> Seen<T> {
    match timeout(limit, task).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(broken)) => Err(Unseen::Broken(broken.to_string())),
        Err(_) => Err(Unseen::Late(limit)),
    }
}

async fn interpreters(settings: &Settings) -> (Option<Interpreters>, Seen<Pythons>) {
    let places = wiring::pythons(settings);
    let (managed, mirror) = (places.managed.clone(), places.mirror.clone());
    let seen = apart(async move { Interpreters::discover(&places).await }).await;
    let interpreters = match seen {
        Ok(interpreters) => interpreters,
        Err(unseen) => return (None, Err(unseen)),
    };
    let default = interpreters.default().ok();
    let pythons = Pythons {
        found: interpreters
            .found()
            .iter()
            .map(|found| Python {
                minor: found.minor,
                version: found.python.version.clone(),
                executable: found.executable.clone(),
            })
            .collect(),
        skipped: interpreters
            .skipped()
            .iter()
            .map(|skipped| (skipped.executable.clone(), skipped.reason.clone()))
            .collect(),
        default: interpreters.found().iter().position(|found| Some(found) == default),
        wanted: settings.python.default,
        managed,
        mirror,
    };
    (Some(interpreters), Ok(pythons))
}

async fn uv(settings: &Settings) -> Seen<Uv> {
    let named = settings.python.uv.is_some();
    let found = apart(wiring::uv(settings)).await?;
    let found =
        found.map(|uv| (uv.program().to_owned(), uv.version().to_owned())).map_err(|error| {
            match error {
                environment::Error::NoUv { looked } => NoUv::Nowhere(looked),
                environment::Error::BadUv { program, reason } => {
                    let shown = program.display();
                    NoUv::Bad(Text::new(
                        format!("{shown} can't be used as uv: {reason}"),
                        format!("{shown} ne peut pas servir de uv : {reason}"),
                    ))
                }
                other => NoUv::Bad(other.text()),
            }
        });
    Ok(Uv { found, named })
}

async fn calculation(interpreters: Option<&Interpreters>) -> Seen<Calculation> {
    let Some(interpreters) = interpreters else { return Ok(Calculation::NoInterpreter) };
    let Some(python) = interpreters.default().ok().or_else(|| interpreters.found().first()) else {
        return Ok(Calculation::NoInterpreter);
    };
    // Not on a task of its own: when its time is over it is dropped, and with
    // it the sandbox and the temporary folder.
    match timeout(CALCULATION, wiring::calculate(python)).await {
        Ok(tried) => Ok(Calculation::Tried(tried)),
        Err(_) => Err(Unseen::Late(CALCULATION)),
    }
}

impl From<sandbox::Error> for Obstacle {
    fn from(error: sandbox::Error) -> Self {
        match error {
            sandbox::Error::Unsupported { missing, remedy } => {
                Self::Unsupported { missing, remedy }
            }
            other => Self::Failed(Text::same(other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_hangs_or_breaks_is_left_behind() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let hangs = tokio::task::spawn_blocking(move || held.recv().is_ok());
        let seen = in_time(Duration::from_millis(10), hangs).await;
        assert!(matches!(seen, Err(Unseen::Late(_))), "{seen:?}");
        drop(release);
        let broken = blocking(|| panic!("on purpose")).await;
        let broken: Seen<()> = broken;
        assert!(matches!(broken, Err(Unseen::Broken(_))), "{broken:?}");
    }
}
