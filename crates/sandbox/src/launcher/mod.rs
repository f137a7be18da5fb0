//! The launcher: the one privileged process, which makes and ends sandboxes.
//!
//! It has one thread, no secret, and one open channel, a socket to the worker.
//! When that socket ends, it ends every sandbox and itself.

mod attach;
mod birth;
mod boot;
mod root;
mod rootless;
mod runs;
mod templates;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, epoll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Pid, Signal};

use crate::cgroup::{self, Tree};
use crate::seccomp::{self, Filters};
use crate::service::HostReport;
use crate::sys::{fork, maps, message, mounts, reap};
use crate::wire::{self, Begin, Id, Reply, Request};

use rootless::Rootless;
use runs::Run;
use templates::Template;

/// User ids given to templates. Without root this ends before 65,534, as which
/// the kernel shows every id that it can't name.
const UIDS: u32 = 65_533;
/// The keepers' user id, counted from the first.
const KEEPERS: u32 = 65_535;

/// The whole life of the launcher process; its standard input is the control socket.
pub(crate) fn main() -> ! {
    fork::ignore_requests_to_end();
    // A session of its own: a terminal's Ctrl-C doesn't reach it. It fails
    // only where the process leads one already.
    let _ = rustix::process::setsid();
    // Each run takes a dozen files here.
    fork::raise_file_limit();
    // Nothing else that the worker may have left open is kept.
    let _ = fork::close_from(3);
    let control = match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(control) => control,
        Err(_) => fork::exit(1),
    };
    let mut packet = vec![0; wire::PACKET_BYTES];
    match begin(control, &mut packet) {
        Ok(mut launcher) => {
            launcher.serve(&mut packet);
            launcher.end();
            fork::exit(0)
        }
        Err(()) => fork::exit(1),
    }
}

struct Launcher {
    control: OwnedFd,
    epoll: OwnedFd,
    signals: OwnedFd,
    tree: Tree,
    filters: Filters,
    begin: Begin,
    own_mounts: OwnedFd,
    /// With root only: without, there is no way back into it.
    own_pids: Option<OwnedFd>,
    /// Where it runs without root.
    rootless: Option<Rootless>,
    proc_from_outside: bool,
    /// See [`maps::memory_devices`].
    memory_devices: Vec<rustix::fs::Dev>,
    templates: HashMap<Id, Template>,
    runs: HashMap<Id, Run>,
    roles: HashMap<Pid, Role>,
    used_uids: Vec<u32>,
}

/// What a child of the launcher is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Keeper(Id),
    Template(Id),
    Run(Id),
    /// Gives a dead run's outputs to the worker.
    Adopter(Id),
}

/// What a readable file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Control,
    Signals,
    TemplateSocket(Id),
    TemplateLog(Id),
    Birth(Id),
}

/// Reads the first message, proves the isolation and answers.
fn begin(control: OwnedFd, packet: &mut [u8]) -> Result<Launcher, ()> {
    wait_for(control.as_fd(), PollFlags::IN);
    let length = message::receive(&control, packet).map_err(drop)?.length;
    let (request, _) = wire::parse(&packet[..length]).map_err(drop)?;
    let Request::Begin(begin) = request else { return Err(()) };
    let answer_to = control.try_clone().map_err(drop)?;
    let answer = |reply: &Reply| {
        wait_for(answer_to.as_fd(), PollFlags::OUT);
        wire::send(&answer_to, reply, &[], &[]).map_err(drop)
    };
    match Launcher::new(control, begin) {
        Ok(launcher) => {
            answer(&Reply::Host(launcher.report()))?;
            Ok(launcher)
        }
        Err((missing, remedy)) => {
            answer(&Reply::Unsupported { missing, remedy })?;
            Err(())
        }
    }
}

impl Launcher {
    /// Sets everything up; the error says what is missing and the remedy.
    fn new(control: OwnedFd, mut begin: Begin) -> Result<Self, (String, String)> {
        let failed = |what: &str, remedy: &str| {
            let (what, remedy) = (what.to_owned(), remedy.to_owned());
            move |error: io::Error| (format!("{what}: {error}"), remedy)
        };
        let is_root = rustix::process::geteuid().is_root();
        let rootless = if is_root { None } else { Some(Rootless::enter()?) };
        if let Some(rootless) = &rootless {
            begin.first_uid = rootless.first_uid();
        }
        let layout = cgroup::detect().map_err(|lack| (lack.missing, lack.remedy))?;
        let tree = Tree::claim(layout, &begin.instance).map_err(failed(
            "control groups can't be made",
            "make /sys/fs/cgroup writable for the worker, and give each worker of a machine its own instance name",
        ))?;
        let filters = seccomp::compile()
            .map_err(|error| (error.to_string(), "run on x86_64 or aarch64 Linux".to_owned()))?;
        let kernel = failed("the launcher's own files can't be opened", "mount /proc");
        let open = |path: &str| -> io::Result<OwnedFd> {
            Ok(rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
        };
        let set_up = || -> io::Result<_> {
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            Ok((
                epoll,
                maps::memory_devices()?,
                reap::child_signals()?,
                open("/proc/self/ns/mnt")?,
                is_root.then(|| open("/proc/self/ns/pid")).transpose()?,
            ))
        };
        let (epoll, memory_devices, signals, own_mounts, own_pids) = set_up().map_err(kernel)?;
        let mut launcher = Self {
            control,
            epoll,
            signals,
            tree,
            filters,
            begin,
            own_mounts,
            own_pids,
            rootless,
            proc_from_outside: mounts::proc_takes_a_namespace(),
            memory_devices,
            templates: HashMap::new(),
            runs: HashMap::new(),
            roles: HashMap::new(),
            used_uids: Vec::new(),
        };
        launcher.prove().map_err(|error| match &launcher.rootless {
            Some(rootless) => rootless.explain(&error),
            None => failed(
                "a sandbox can't be set up",
                "use Linux 5.14 or newer with user, mount, pid, network and IPC namespaces and \
                 seccomp; in a container, run it privileged; check \
                 user.max_user_namespaces",
            )(error),
        })?;
        let watched = launcher
            .watch(launcher.control.as_fd(), Source::Control)
            .and_then(|()| launcher.watch(launcher.signals.as_fd(), Source::Signals));
        watched.map_err(failed("epoll", "raise the limit on open files"))?;
        Ok(launcher)
    }

    fn report(&self) -> HostReport {
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        let mut notes: Vec<String> = self.rootless.iter().map(Rootless::note).collect();
        if !self.proc_from_outside {
            notes.push("before Linux 6.18, preparing a run costs one more fork".to_owned());
        }
        HostReport { cgroups: self.tree.mode(), kernel, notes }
    }

    /// Serves requests until the worker is gone.
    fn serve(&mut self, packet: &mut [u8]) {
        let mut events = Vec::with_capacity(64);
        loop {
            let timeout = self.next_deadline().map(|at| {
                let left = at.saturating_duration_since(Instant::now());
                Timespec {
                    tv_sec: left.as_secs().min(3600) as i64,
                    tv_nsec: left.subsec_nanos().into(),
                }
            });
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                timeout.as_ref(),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            for event in &events {
                match Source::decode(event.data.u64()) {
                    Source::Control => {
                        if self.take_requests(packet).is_err() {
                            return;
                        }
                    }
                    Source::Signals => self.reap(),
                    Source::TemplateSocket(id) => self.template_speaks(id, packet),
                    Source::TemplateLog(id) => self.template_writes(id),
                    Source::Birth(run) => self.birth(run),
                }
            }
            self.expire(Instant::now());
        }
    }

    /// Takes what has arrived; an error when the worker is gone.
    fn take_requests(&mut self, packet: &mut [u8]) -> Result<(), ()> {
        loop {
            match message::receive(&self.control, packet) {
                Ok(received) if received.length == 0 => return Err(()),
                Ok(received) => {
                    // The worker is this very program; what can't be read has no answer.
                    if let Ok((request, raw)) = wire::parse(&packet[..received.length]) {
                        self.handle(request, raw);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(()),
            }
        }
    }

    fn handle(&mut self, request: Request, raw: &[u8]) {
        match request {
            Request::Begin(_) => {}
            Request::StartTemplate { template, plan } => self.start_template(template, &plan),
            Request::Import { template, modules, within } => {
                self.import(template, &modules, within)
            }
            Request::Settle { template } => self.settle(template),
            Request::Prepare { template, run } => self.prepare(template, run),
            Request::Assign { run, code, inputs, limits } => {
                self.assign(run, &code, inputs.as_deref(), &limits, raw);
            }
            Request::Release { run } => self.release(run),
            Request::StopTemplate { template } => self.stop_template(template),
        }
    }

    fn reap(&mut self) {
        // The signal carries nothing that wait doesn't tell better.
        let mut scratch = [0u8; 512];
        while rustix::io::read(&self.signals, &mut scratch).is_ok() {}
        while let Some(dead) = reap::next_dead() {
            match self.roles.remove(&dead.pid) {
                Some(Role::Run(run)) => self.run_is_dead(run, dead),
                Some(Role::Adopter(run)) => self.outputs_are_adopted(run),
                Some(Role::Template(template)) => self.template_is_dead(template, dead),
                Some(Role::Keeper(template)) => self.keeper_is_dead(template),
                // A process that a template made without being asked to.
                None => {}
            }
        }
    }

    /// Answers the worker, however slowly it reads.
    fn answer(&self, reply: &Reply, files: &[BorrowedFd<'_>]) {
        loop {
            match wire::send(&self.control, reply, &[], files) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_for(self.control.as_fd(), PollFlags::OUT);
                }
                // A worker that is gone is noticed by the next read.
                _ => return,
            }
        }
    }

    fn watch(&self, file: BorrowedFd<'_>, source: Source) -> io::Result<()> {
        let data = epoll::EventData::new_u64(source.encode());
        Ok(epoll::add(&self.epoll, file, data, epoll::EventFlags::IN)?)
    }

    /// Ends every sandbox and removes what they used.
    fn end(mut self) {
        for template in self.templates.values() {
            template.kill();
        }
        let until = Instant::now() + Duration::from_secs(5);
        while !self.templates.is_empty() && Instant::now() < until {
            let mut signals = [PollFd::new(&self.signals, PollFlags::IN)];
            let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            let _ = rustix::event::poll(&mut signals, Some(&wait));
            self.reap();
        }
        self.tree.remove();
    }
}

impl Source {
    fn encode(self) -> u64 {
        match self {
            Self::Control => 0,
            Self::Signals => 1,
            Self::TemplateSocket(id) => id << 3 | 2,
            Self::TemplateLog(id) => id << 3 | 3,
            Self::Birth(id) => id << 3 | 4,
        }
    }

    fn decode(data: u64) -> Self {
        match data & 7 {
            0 => Self::Control,
            1 => Self::Signals,
            2 => Self::TemplateSocket(data >> 3),
            3 => Self::TemplateLog(data >> 3),
            _ => Self::Birth(data >> 3),
        }
    }
}

fn wait_for(file: BorrowedFd<'_>, what: PollFlags) {
    // An error shows in the following read or write.
    let _ = rustix::event::poll(&mut [PollFd::from_borrowed_fd(file, what)], None);
}

/// Kills a process that may be dead already.
fn kill(process: &OwnedFd) {
    let _ = rustix::process::pidfd_send_signal(process, Signal::KILL);
}
