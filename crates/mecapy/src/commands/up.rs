//! `mecapy up`: everything on this machine.

use std::net::SocketAddr;

use clap::Args;
use domain::Lang;

use crate::cli::values;
use crate::client::{Announced, announce};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::wiring::Role;
use crate::{telemetry, wiring};

/// Arguments of `mecapy up`.
#[derive(Debug, Args)]
pub struct Up {
    /// Port to listen on, 0 for a free one; 8000 unless given
    #[arg(long, value_parser = values::whole(0..=u16::MAX))]
    pub port: Option<u16>,
}

impl Up {
    /// Serves until a signal ends it.
    ///
    /// # Errors
    /// When the server can't start.
    pub fn run(self, settings: Settings, console: Console) -> Result<Exit, Failure> {
        serve(settings, console, Role::Whole)
    }
}

/// Serves in one role until a signal ends it.
///
/// # Errors
/// When the server can't start.
pub(crate) fn serve(settings: Settings, console: Console, role: Role) -> Result<Exit, Failure> {
    wiring::check(&settings, role).map_err(|text| Failure::new(Exit::Usage, text))?;
    let sending = telemetry::start_server(&settings);
    let sending = sending.map_err(|text| Failure::new(Exit::Usage, text))?;
    for warning in &settings.warnings {
        console.warn(warning);
    }
    wiring::serve(settings, console, role)?;
    // What was not told yet is told now.
    drop(sending);
    Ok(Exit::Done)
}

/// Says that the worker takes calculations.
pub(crate) fn working(settings: &Settings, console: Console) {
    if console.json {
        console.value(&serde_json::json!({
            "data": settings.data, "version": env!("CARGO_PKG_VERSION"),
        }));
    } else {
        // Scripts wait for this very line, so it reads the same in French.
        console.say("MecaPy takes calculations");
    }
}

/// Says that the server listens at `address`, to people and to this machine's
/// clients, until the answer is dropped.
///
/// # Errors
/// When the data folder can't be written.
pub fn ready(
    settings: &Settings,
    console: Console,
    address: SocketAddr,
) -> std::io::Result<Announced> {
    let announced = announce(settings, address)?;
    if console.json {
        console.value(&serde_json::json!({
            "url": announced.url, "data": settings.data, "version": env!("CARGO_PKG_VERSION"),
        }));
    } else {
        // Scripts wait for this very line, so it reads the same in French.
        console.say(format!("MecaPy is ready at {}", announced.url));
        if console.interactive {
            let token = settings.admin_token_file();
            let (url, token) = (&announced.url, token.display());
            console.note(match console.lang {
                Lang::En => format!(
                    "  the API, to read: {url}/docs\n  the administrator's token: {token}\n  Ctrl-C ends it"
                ),
                Lang::Fr => format!(
                    "  l’API, à lire : {url}/docs\n  le jeton d’administration : {token}\n  Ctrl-C l’arrête"
                ),
            });
        }
    }
    Ok(announced)
}
