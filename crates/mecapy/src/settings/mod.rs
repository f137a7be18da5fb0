//! Settings: one table of names, read from flags, environment variables and a
//! TOML file, in that order of precedence.
//!
//! This is the one home of environment variables. Every fault of all sources
//! is reported at once; each names where the value came from, what was
//! expected and what was found. Secrets are never part of a message.

mod documentation;
mod paths;
mod resolve;
mod secret;
mod sources;
pub mod table;
mod value;
mod variables;

pub use documentation::page;
pub use secret::Secret;
pub use sources::Flags;
pub use variables::Variables;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use domain::Text;
use domain::limits::Limits;
use domain::manifest::PythonVersion;
use store::url::Location;

/// What the operator and the user decided, checked and complete.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder with everything the server keeps.
    pub data: PathBuf,
    /// The file with the tokens that `mecapy login` keeps.
    pub credentials: PathBuf,
    /// The TOML file that was read, if any.
    pub config: Option<PathBuf>,
    /// What this installation is for.
    pub environment: Environment,
    /// The least weighty log lines that are written; `None` leaves the
    /// choice to the command.
    pub log_level: Option<tracing::Level>,
    /// The address that `up` listens on.
    pub host: IpAddr,
    /// The port that `up` listens on, 0 for a free one.
    pub port: u16,
    /// Origins whose pages may call the API.
    pub cors_allow_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<domain::Network>,
    /// Networks that repositories may be fetched from though they are not
    /// public.
    pub allowed_networks: Vec<domain::Network>,
    /// The file with the authorities of Git servers, instead of the usual ones.
    pub git_ca_file: Option<PathBuf>,
    /// Requests that a user, a token or an address may make.
    pub rates: api::Rates,
    /// How streams of events are kept.
    pub streams: api::Streams,
    /// How long sessions of browsers last.
    pub sessions: engine::logins::Sessions,
    /// Whether requests need a valid token.
    pub token_verification: bool,
    /// The database.
    pub database: Location,
    /// How a database on PostgreSQL is reached.
    pub pool: store::postgres::Options,
    /// What many processes on one database order their queue by; `None` for
    /// the memory of the only one.
    pub redis: Option<Redis>,
    /// Where objects are kept; `None` for a folder of the data.
    pub s3: Option<blobs::s3::Settings>,
    /// How strictly archives are checked: `deny-list`, `allow-list` or `off`.
    pub static_check: String,
    /// The folder or ZIP of advisories that locked packages are checked
    /// against; `None` for no check.
    pub advisories: Option<PathBuf>,
    /// Where interpreters and packages come from.
    pub python: Python,
    /// Calculations that run at the same time; `None` for one per core and
    /// one more.
    pub slots: Option<usize>,
    /// Memory that warm templates may hold together, in MB.
    pub template_memory_mb: u64,
    /// Runs after which a warm template is replaced.
    pub template_runs: u64,
    /// Age after which it is replaced, too.
    pub template_age: std::time::Duration,
    /// Disk that built environments may take, in MB.
    pub environments_mb: u64,
    /// How long a stop waits for running calculations.
    pub drain: std::time::Duration,
    /// Connections that may be open at once.
    pub connections: u32,
    /// How long a connection may take to send the head of a request.
    pub head_timeout: std::time::Duration,
    /// How long a body may pause on its way in or out.
    pub body_pause: std::time::Duration,
    /// Bounds on archives, inputs, runs and results.
    pub limits: Limits,
    /// Who is told of traces and errors, beside the log.
    pub receivers: crate::telemetry::Receivers,
    /// The server that client commands talk to, where it was named.
    pub api_url: Option<String>,
    /// The token that client commands present, where it was given.
    pub token: Option<Secret>,
    /// What is set and has no effect in this release.
    pub warnings: Vec<Text>,
}

/// How Redis is reached.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Its URL, which may hold a password.
    pub url: Secret,
    /// The certificate of its authority.
    pub ca_file: Option<PathBuf>,
}

/// Where interpreters and packages come from.
#[derive(Clone, Debug)]
pub struct Python {
    /// Executables named by the operator.
    pub executables: Vec<PathBuf>,
    /// Folders of whole installations, such as `~/.pyenv/versions`.
    pub version_roots: Vec<PathBuf>,
    /// The version of functions that ask for none.
    pub default: Option<PythonVersion>,
    /// The mirror that missing interpreters are fetched from.
    pub mirror: Option<String>,
    /// The `uv` program, where it was named.
    pub uv: Option<PathBuf>,
    /// Folders where `uv` is looked for before `PATH`.
    pub uv_folders: Vec<PathBuf>,
    /// The value of `PATH`.
    pub search_path: Option<std::ffi::OsString>,
    /// The package index; PyPI where absent.
    pub index_url: Option<Secret>,
    /// Folders with wheels, asked beside the index.
    pub wheels: Vec<PathBuf>,
    /// Whether the network is left alone.
    pub offline: bool,
}

/// What an installation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// A developer's machine: checks may be switched off.
    Development,
    /// As production, with other data.
    Staging,
    /// People rely on it.
    Production,
}

impl Environment {
    /// The word in settings and log lines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

/// Settings that can't be used; every fault of every source.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", faults.iter().map(|fault| fault.en.as_str()).collect::<Vec<_>>().join("\n"))]
pub struct Refused {
    /// What is wrong, one sentence or two each.
    pub faults: Vec<Text>,
}

impl Settings {
    /// Reads and checks all sources.
    ///
    /// # Errors
    /// Every fault of every source at once.
    pub fn load(variables: &Variables, flags: &Flags) -> Result<Self, Refused> {
        resolve::settings(variables, flags)
    }

    /// Where `up` listens.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// The file with the administrator's token.
    #[must_use]
    pub fn admin_token_file(&self) -> PathBuf {
        self.data.join("admin.token")
    }

    /// The file in which a running `up` tells its address.
    #[must_use]
    pub fn server_file(&self) -> PathBuf {
        self.data.join("server.json")
    }
}
