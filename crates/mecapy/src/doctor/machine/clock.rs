//! The clocks, and whether the network sets them.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use domain::{Clock as _, Timestamp, clock};
use tokio::process::Command;
use tokio::time::timeout;

use crate::doctor::facts::Clock;

/// Made by systemd-timesyncd when it has set the clock.
const SET_BY_TIMESYNCD: &str = "/run/systemd/timesync/synchronized";
/// Where systemd runs, it knows of chrony and ntpd too.
const SYSTEMD: &str = "/run/systemd/system";
const ASKING: Duration = Duration::from_secs(3);

/// Both clocks at one moment.
pub(super) struct Watch {
    wall: Timestamp,
    steady: Instant,
}

impl Watch {
    pub(super) fn start() -> Self {
        Self { wall: clock::System.now(), steady: Instant::now() }
    }

    /// How far each of them went.
    pub(super) fn stop(&self, synchronised: Option<bool>) -> Clock {
        let (now, steady) = (clock::System.now(), self.steady.elapsed());
        Clock {
            now,
            wall_us: now.0.saturating_sub(self.wall.0),
            steady_us: i64::try_from(steady.as_micros()).unwrap_or(i64::MAX),
            synchronised,
        }
    }
}

/// Whether the network sets the clock; `None` where nobody says.
pub(super) async fn synchronised() -> Option<bool> {
    if Path::new(SET_BY_TIMESYNCD).exists() {
        return Some(true);
    }
    if !Path::new(SYSTEMD).exists() {
        return None;
    }
    let asked = Command::new("/usr/bin/timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(ASKING, asked).await.ok()?.ok()?;
    match output.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}
