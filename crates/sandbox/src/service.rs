//! The sandbox as a component: settings, start, host report, shutdown.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::launcher;
use crate::link::Link;
use crate::sys::fork::raise_file_limit;
use crate::template::{Template, TemplateSpec};
use crate::wire::{self, Begin, Reply, Request};

/// The first argument with which the program is executed again as launcher.
pub const LAUNCHER_ARGUMENT: &str = "sandbox-launcher";

/// The running component; clones share one launcher. The launcher and all it
/// started end with the last clone, with [`Sandbox::shutdown`], or with this
/// process, whatever comes first.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    link: Arc<Link>,
    host: HostReport,
    launcher: Mutex<Option<Child>>,
}

/// From what a sandbox is built.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Executable that calls [`launcher_main`] when its first argument is
    /// [`LAUNCHER_ARGUMENT`].
    pub program: PathBuf,
    /// Names this worker's cgroups; two workers of one machine need two names.
    /// Letters, digits, `-` and `_`, at most 64.
    pub instance: String,
    /// Size of a run's private `/tmp` and outputs folder together.
    pub tmp_bytes: u64,
    /// Files and folders a run may make.
    pub tmp_inodes: u64,
    /// First of 65,536 host user ids given to sandboxes; must belong to nobody.
    /// Without root they are the user's subordinate ids instead.
    pub first_uid: u32,
}

/// What the host offers, for `mecapy doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReport {
    /// How limits are kept.
    pub cgroups: CgroupMode,
    /// Kernel release.
    pub kernel: String,
    /// What works less well than it could, each with its reason.
    pub notes: Vec<String>,
}

/// Which generation of cgroups keeps the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CgroupMode {
    /// The unified hierarchy with memory, cpu and pids.
    V2,
    /// Separate hierarchies for memory, cpu and pids.
    V1,
}

impl Settings {
    /// Settings with the defaults: 512 MiB of `/tmp`, 100,000 files.
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            instance: "default".into(),
            tmp_bytes: 512 << 20,
            tmp_inodes: 100_000,
            first_uid: 1_900_000_000,
        }
    }
}

impl Sandbox {
    /// Starts the launcher and proves the isolation; refuses where any part of
    /// it can't be set up. Must be called inside a tokio runtime. Raises this
    /// process's limit on open files, as each run takes eight.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let name = &settings.instance;
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(valid) {
            return Err(Error::Unsupported {
                missing: format!("the instance name is {name:?}"),
                remedy: "use 1 to 64 letters, digits, `-` or `_`".into(),
            });
        }
        raise_file_limit();
        let (launcher, socket) = spawn(&settings.program)?;
        let link =
            Link::new(socket).map_err(|error| Error::host("watching the launcher", &error))?;
        let begin = Begin {
            instance: settings.instance,
            tmp_bytes: settings.tmp_bytes,
            tmp_inodes: settings.tmp_inodes,
            first_uid: settings.first_uid,
        };
        link.send(&Request::Begin(begin), &[]).await?;
        match link.receive(&mut vec![0; wire::PACKET_BYTES]).await?.0 {
            Reply::Host(host) => {
                link.runtime().spawn(link.clone().dispatch());
                let launcher = Mutex::new(Some(launcher));
                Ok(Self { inner: Arc::new(Inner { link, host, launcher }) })
            }
            Reply::Unsupported { missing, remedy } => Err(Error::Unsupported { missing, remedy }),
            other => {
                Err(Error::LauncherGone(format!("it answered {other:?} to its first message")))
            }
        }
    }

    /// Starts a template; returns when its modules are imported.
    pub async fn start_template(&self, spec: TemplateSpec) -> Result<Template, Error> {
        Template::start(self.inner.link.clone(), spec).await
    }

    /// What the host offers.
    pub fn host(&self) -> HostReport {
        self.inner.host.clone()
    }

    /// Whether the launcher still works.
    pub fn is_alive(&self) -> bool {
        self.inner.link.is_alive()
    }

    /// The launcher's process id.
    pub fn launcher_pid(&self) -> Option<u32> {
        self.inner.launcher.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Child::id)
    }

    /// Ends every run and template, removes what they used, and waits for it.
    pub async fn shutdown(self) {
        self.inner.link.close();
        let launcher = self.inner.launcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut launcher) = launcher {
            // A thread that ends with the launcher, which ends within seconds.
            let ended = tokio::task::spawn_blocking(move || launcher.wait());
            if tokio::time::timeout(Duration::from_secs(15), ended).await.is_err() {
                tracing::error!(
                    "the sandbox launcher did not end in 15 s; its sandboxes may still run"
                );
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.link.close();
        let launcher = self.launcher.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut launcher) = launcher {
            std::thread::spawn(move || launcher.wait());
        }
    }
}

/// The launcher process. `main` calls it before it starts any thread or
/// runtime when the first argument is [`LAUNCHER_ARGUMENT`].
pub fn launcher_main() -> ! {
    launcher::main()
}

/// Executes the program as launcher: empty environment, one socket.
fn spawn(program: &std::path::Path) -> Result<(Child, OwnedFd), Error> {
    let failed = |error: io::Error| Error::host(format!("starting {}", program.display()), &error);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(|error| failed(error.into()))?;
    for end in [&ours, &theirs] {
        rustix::net::sockopt::set_socket_send_buffer_size(end, 1 << 20)
            .map_err(|error| failed(error.into()))?;
    }
    let child = Command::new(program)
        .arg(LAUNCHER_ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(failed)?;
    Ok((child, ours))
}
