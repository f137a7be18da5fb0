//! What an operator decides about environments.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use domain::manifest::PythonVersion;

/// Where environments lie, which programs make them, and their bounds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the built environments; made where absent.
    pub root: PathBuf,
    /// Folder of `uv`'s cache. On the same file system as `root`, its files
    /// are hard-linked instead of copied.
    pub cache: PathBuf,
    /// Where interpreters are looked for.
    pub pythons: Pythons,
    /// Where `uv` is looked for.
    pub uv: UvProgram,
    /// Where packages come from.
    pub index: Index,
    /// Bounds on each lock and each build.
    pub limits: Limits,
    /// How long the lock of the same request is answered from memory. New
    /// releases on the index are seen after this at the latest.
    pub lock_ttl: Duration,
    /// Folder or ZIP of advisories in the OSV format, against which locks are
    /// checked; no check where absent.
    pub advisories: Option<PathBuf>,
}

impl Settings {
    /// The settings that need nothing but a folder for the platform's data.
    #[must_use]
    pub fn under(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Self {
            root: data.join("environments"),
            cache: data.join("cache").join("uv"),
            pythons: Pythons { managed: data.join("pythons"), ..Pythons::default() },
            uv: UvProgram::default(),
            index: Index::default(),
            limits: Limits::default(),
            lock_ttl: Duration::from_secs(600),
            advisories: None,
        }
    }
}

/// Where interpreters are looked for, in this order.
#[derive(Clone, Debug, Default)]
pub struct Pythons {
    /// The operator's own list of executables.
    pub executables: Vec<PathBuf>,
    /// Folders of whole installations, such as `~/.pyenv/versions`; each
    /// `*/bin/python3.X` in them is asked. Shims are not: they are scripts
    /// that choose an interpreter by the folder they are called from.
    pub version_roots: Vec<PathBuf>,
    /// Where `uv python install` puts what it fetches, and where it is found.
    pub managed: PathBuf,
    /// The mirror that missing interpreters are fetched from, in the layout
    /// of python-build-standalone's releases; nothing is fetched without it.
    pub mirror: Option<String>,
    /// The version for functions that ask for none; 3.12 where it is found,
    /// else the newest one found.
    pub default: Option<PythonVersion>,
}

/// Where `uv` is looked for, in this order.
#[derive(Clone, Debug, Default)]
pub struct UvProgram {
    /// The program itself. Where it is given, nothing else is tried.
    pub program: Option<PathBuf>,
    /// Folders that are tried next, such as `.tools/bin`.
    pub folders: Vec<PathBuf>,
    /// The value of `PATH`, tried last.
    pub path: Option<OsString>,
}

/// Where packages come from.
#[derive(Clone, Default)]
pub struct Index {
    /// The package index; PyPI where absent.
    pub url: Option<String>,
    /// Further indexes, which come before the first one.
    pub extra_urls: Vec<String>,
    /// Who asks the index at `url`. Never logged and never on a command line.
    pub credentials: Option<Credentials>,
    /// Folders or pages with wheels, asked beside the index.
    pub find_links: Vec<String>,
    /// Whether the index at `url` is left out and `find_links` stands alone.
    pub only_find_links: bool,
    /// Whether the network is left alone: only what the cache and local
    /// `find_links` hold can be installed.
    pub offline: bool,
    /// A file of certificate authorities in place of the machine's.
    pub certificates: Option<PathBuf>,
    /// The HTTP proxy, as a URL.
    pub proxy: Option<String>,
}

/// A user name and a password or token.
#[derive(Clone)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The password or token.
    pub password: String,
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs may carry credentials too, so only their number is told.
        f.debug_struct("Index")
            .field("has_url", &self.url.is_some())
            .field("extra_urls", &self.extra_urls.len())
            .field("has_credentials", &self.credentials.is_some())
            .field("find_links", &self.find_links.len())
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Bounds on each lock and each build. Whoever meets one is told its value.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Size of an environment's files, in bytes.
    pub environment_bytes: u64,
    /// Number of an environment's files and folders.
    pub environment_files: u64,
    /// Time to find versions that fit together.
    pub lock_time: Duration,
    /// Time to fetch and unpack the packages, the bytecode not included.
    pub build_time: Duration,
    /// Size of the log of one build that is kept, in bytes.
    pub log_bytes: u64,
    /// Number of requirements in one request.
    pub requirements: usize,
    /// Builds of different environments at a time.
    pub parallel_builds: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            environment_bytes: 4 << 30,
            environment_files: 300_000,
            lock_time: Duration::from_secs(120),
            build_time: Duration::from_secs(600),
            log_bytes: 1 << 20,
            requirements: 200,
            parallel_builds: 2,
        }
    }
}
