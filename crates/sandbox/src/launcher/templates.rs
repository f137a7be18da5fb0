//! Templates as the launcher sees them: started, told to import, ended.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::Dev;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use rustix::process::Pid;
use serde::Deserialize;
use serde_json::json;

use crate::cgroup::Group;
use crate::seccomp;
use crate::sys::message;
use crate::sys::reap::{Dead, Exit};
use crate::wire::{Id, Reply, RunLimits, TemplatePlan};

use super::birth::{Facts, Namespaces};
use super::root::{self, RootPlan};
use super::{KEEPERS, Launcher, Role, Source, UIDS, boot, kill};

/// Log text of a template kept for error messages.
const TAIL_BYTES: usize = 4096;
/// Threads and processes of a template and of its runs until they have joined
/// their own groups.
const TEMPLATE_PIDS: u64 = 256;

/// Tasks of a template's group while nothing is being born.
const KEEPER_AND_TEMPLATE: u64 = 2;

/// One template with its keeper.
pub(super) struct Template {
    keeper: OwnedFd,
    process: OwnedFd,
    pid: Pid,
    alive: bool,
    socket: OwnedFd,
    log: OwnedFd,
    tail: VecDeque<u8>,
    group: Group,
    uid: u32,
    packages: Vec<std::path::PathBuf>,
    namespaces: Option<Namespaces>,
    /// The devices of files that it can write to.
    memory: Vec<Dev>,
    /// When the answer that is awaited must be there.
    deadline: Option<Instant>,
    /// Groups that earlier runs of this template have left empty. They are
    /// never given to another template's run, as a hostile template may have
    /// kept the files through which they are joined.
    pub(super) spare_groups: Vec<Group>,
    pub(super) groups_made: u64,
    /// Groups that may still be joined by a process of this template that
    /// never showed itself.
    pub(super) lost_groups: Vec<Group>,
    /// Runs that are not known to be dead.
    pub(super) live_runs: u64,
}

/// What the template process says; nothing in it is believed further than
/// needed to answer the worker.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Booted { protocol: u32 },
    Imported { loaded: Vec<String>, failed: Vec<(String, String)>, unfit: Option<(String, String)> },
}

impl Launcher {
    /// Goes through all of a sandbox's set-up once, without an interpreter.
    pub(super) fn prove(&mut self) -> io::Result<()> {
        let group = self.tree.group("proof")?;
        let (log, _) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let control = log.try_clone()?;
        let booted = boot::boot(self.order(&RootPlan::for_proof(), None, &group, 0, control, log));
        if let Ok(booted) = &booted {
            kill(&booted.keeper_fd);
        }
        // Both processes are children of this one, which has no others yet.
        while rustix::process::wait(rustix::process::WaitOptions::empty())
            .is_ok_and(|w| w.is_some())
        {}
        group.remove();
        booted.map(drop)
    }

    /// Starts a template; the answer comes when its interpreter is up.
    pub(super) fn start_template(&mut self, id: Id, plan: &TemplatePlan) {
        let ended = |detail: String| Reply::TemplateEnded { template: id, detail };
        let cache = std::fs::read("/etc/ld.so.cache").ok();
        let root = match root::plan(plan, cache, &root::look) {
            Ok(root) => root,
            Err(detail) => return self.answer(&ended(detail), &[]),
        };
        if let Err(error) = self.try_start(id, plan, root) {
            self.answer(&ended(error.to_string()), &[]);
        }
    }

    fn try_start(&mut self, id: Id, plan: &TemplatePlan, root: RootPlan) -> io::Result<()> {
        let slot = (0..UIDS)
            .find(|slot| !self.used_uids.contains(slot))
            .ok_or_else(|| io::Error::other("all user ids for sandboxes are taken"))?;
        let mut group = self.tree.group(&format!("t{id}"))?;
        group.limit(&RunLimits {
            memory_bytes: plan.memory_bytes,
            pids: TEMPLATE_PIDS,
            cpu_cores: 1024.0,
            low_priority: false,
        })?;
        let (socket, control) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let (log, log_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let order = self.order(&root, Some(&plan.executable), &group, slot, control, log_end);
        let uid = order.uid;
        let booted = match boot::boot(order) {
            Ok(booted) => booted,
            Err(error) => {
                group.remove();
                return Err(error);
            }
        };
        self.watch(socket.as_fd(), Source::TemplateSocket(id))?;
        self.watch(log.as_fd(), Source::TemplateLog(id))?;
        self.roles.insert(booted.keeper, Role::Keeper(id));
        self.roles.insert(booted.template, Role::Template(id));
        self.used_uids.push(slot);
        let template = Template {
            keeper: booted.keeper_fd,
            process: booted.template_fd,
            pid: booted.template,
            alive: true,
            socket,
            log,
            tail: VecDeque::new(),
            group,
            uid,
            packages: root.packages,
            namespaces: None,
            memory: self.memory_devices.clone(),
            deadline: Some(Instant::now() + plan.within),
            spare_groups: Vec::new(),
            groups_made: 0,
            lost_groups: Vec::new(),
            live_runs: 0,
        };
        template.tell(&self.boot_message(&template))?;
        self.templates.insert(id, template);
        Ok(())
    }

    fn order<'a>(
        &'a self,
        root: &'a RootPlan,
        executable: Option<&'a std::path::Path>,
        group: &'a Group,
        slot: u32,
        control: OwnedFd,
        log: OwnedFd,
    ) -> boot::Order<'a> {
        boot::Order {
            root,
            executable,
            group,
            filter: &self.filters.template,
            uid: self.begin.first_uid + slot,
            keeper_uid: self.begin.first_uid + KEEPERS,
            rootless: self.rootless.is_some(),
            outputs_group: self.outputs_group(self.begin.first_uid + slot),
            scratch_bytes: self.begin.tmp_bytes,
            scratch_inodes: self.begin.tmp_inodes,
            control,
            log,
        }
    }

    fn boot_message(&self, template: &Template) -> serde_json::Value {
        let hex: String = seccomp::instructions(&self.filters.run)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        json!({
            "packages": template.packages.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
            "run_filter": hex,
            "fork_flags": seccomp::FORK_FLAGS,
        })
    }

    /// Tells a template to import modules.
    pub(super) fn import(&mut self, id: Id, modules: &[String], within: Duration) {
        let Some(template) = self.templates.get_mut(&id).filter(|template| template.alive) else {
            let detail = "the template has ended already".to_owned();
            return self.answer(&Reply::TemplateEnded { template: id, detail }, &[]);
        };
        template.deadline = Some(Instant::now() + within);
        if let Err(error) = template.tell(&json!({"import": modules})) {
            template.note(&format!("it takes no commands: {error}"));
            kill(&template.process);
        }
    }

    /// Tells a template to lay out its memory. One that can't is seen to have
    /// ended when the next run is asked of it.
    pub(super) fn settle(&mut self, id: Id) {
        if let Some(template) = self.templates.get_mut(&id).filter(|template| template.alive) {
            let _ = template.tell(&json!({"settle": true}));
        }
    }

    /// A template's socket is readable.
    pub(super) fn template_speaks(&mut self, id: Id, packet: &mut [u8]) {
        let Some(template) = self.templates.get_mut(&id) else { return };
        let received = match message::receive(&template.socket, packet) {
            Ok(received) if received.length > 0 => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // Its end: nothing can be asked of it any more.
            _ => {
                unwatch(&self.epoll, &template.socket);
                kill(&template.process);
                return;
            }
        };
        let Ok(said) = serde_json::from_slice(&packet[..received.length]) else {
            template.note("it said what no template says");
            kill(&template.process);
            return;
        };
        template.deadline = None;
        let pid = template.pid.as_raw_nonzero().get();
        let reply = match said {
            Said::Booted { protocol: 1 } => {
                let facts = Facts::of(template.pid);
                match facts.and_then(|facts| Ok((facts.namespaces()?, facts.scratch_device()?))) {
                    Ok((namespaces, scratch)) => {
                        template.namespaces = Some(namespaces);
                        template.memory.push(scratch);
                        Reply::TemplateBooted { template: id, pid }
                    }
                    // Dead already; its end is reported when it is reaped.
                    Err(_) => return,
                }
            }
            Said::Booted { .. } => {
                template.note("it speaks another protocol");
                kill(&template.process);
                return;
            }
            Said::Imported { loaded, failed, unfit } => {
                Reply::Imported { template: id, loaded, failed, unfit }
            }
        };
        self.answer(&reply, &[]);
    }

    /// A template wrote to its standard output or error.
    pub(super) fn template_writes(&mut self, id: Id) {
        let Some(template) = self.templates.get_mut(&id) else { return };
        if !template.read_log() {
            unwatch(&self.epoll, &template.log);
        }
    }

    /// Ends a template; assigned runs live on.
    pub(super) fn stop_template(&mut self, id: Id) {
        self.end_waiting_runs(id);
        let Some(template) = self.templates.get(&id) else { return };
        kill(&template.process);
    }

    pub(super) fn template_is_dead(&mut self, id: Id, dead: Dead) {
        let Some(template) = self.templates.get_mut(&id) else { return };
        template.alive = false;
        template.deadline = None;
        template.read_log();
        let how = match dead.exit {
            Exit::Code(code) => format!("exit code {code}"),
            Exit::Signal(libc::SIGKILL) if template.group.oom_kills() > 0 => {
                "its imports need more memory than a template may use".to_owned()
            }
            Exit::Signal(signal) => format!("signal {signal}"),
        };
        let tail = String::from_utf8_lossy(template.tail.make_contiguous()).trim().to_owned();
        let detail = if tail.is_empty() { how } else { format!("{how}; it wrote: {tail}") };
        unwatch(&self.epoll, &template.socket);
        unwatch(&self.epoll, &template.log);
        self.fail_births(id, &detail);
        self.end_waiting_runs(id);
        self.answer(&Reply::TemplateEnded { template: id, detail }, &[]);
        self.end_keeper_when_idle(id);
    }

    /// Ends what is left of a dead template once its last run is dead.
    pub(super) fn end_keeper_when_idle(&mut self, id: Id) {
        if let Some(template) = self.templates.get(&id)
            && !template.alive
            && template.live_runs == 0
        {
            kill(&template.keeper);
        }
    }

    /// With its pid namespace gone, so is every process of the template: the
    /// kernel lets pid 1 end only after all others have been reaped.
    pub(super) fn keeper_is_dead(&mut self, id: Id) {
        let Some(template) = self.templates.get_mut(&id) else { return };
        template.group.remove();
        for group in template.spare_groups.iter().chain(&template.lost_groups) {
            group.remove();
        }
        let slot = template.uid - self.begin.first_uid;
        self.used_uids.retain(|used| *used != slot);
        self.templates.remove(&id);
    }

    /// Ends templates whose answer is overdue.
    pub(super) fn expire_templates(&mut self, now: Instant) {
        for template in self.templates.values_mut() {
            if template.deadline.is_some_and(|deadline| deadline <= now) {
                template.deadline = None;
                template.note("it took longer than allowed to start or to import");
                kill(&template.process);
            }
        }
    }

    /// When the next template's answer is due.
    pub(super) fn next_template_deadline(&self) -> Option<Instant> {
        self.templates.values().filter_map(|template| template.deadline).min()
    }
}

impl Template {
    /// Sends a command, without waiting.
    fn tell(&self, command: &serde_json::Value) -> io::Result<()> {
        let text = command.to_string();
        message::send(&self.socket, &[IoSlice::new(text.as_bytes())], &[]).map(drop)
    }

    /// Orders a run, which gets these files.
    pub(super) fn order_fork(&self, files: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
        message::send(&self.socket, &[IoSlice::new(b"F")], files).map(drop)
    }

    /// The namespaces to compare a run's with; none while it doesn't run.
    pub(super) fn namespaces(&self) -> Option<&Namespaces> {
        self.namespaces.as_ref().filter(|_| self.alive)
    }

    /// Refuses a template whose packages have left processes or threads beside
    /// it, which would run outside of every run's limits. Those being born may
    /// not have joined their own groups yet.
    pub(super) fn is_alone_but_for(&self, births: usize) -> io::Result<Result<(), String>> {
        let found = self.group.tasks()?;
        if found <= KEEPER_AND_TEMPLATE + births as u64 {
            return Ok(Ok(()));
        }
        kill(&self.process);
        let left = found - KEEPER_AND_TEMPLATE;
        Ok(Err(format!("{left} processes or threads were left behind by an import")))
    }

    /// The devices of files that it can write to.
    pub(super) fn memory(&self) -> &[Dev] {
        &self.memory
    }

    /// The host user id of its processes.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// Ends all of its processes, its runs too.
    pub(super) fn kill(&self) {
        kill(&self.keeper);
    }

    fn note(&mut self, text: &str) {
        self.tail.extend(text.bytes());
        self.tail.push_back(b'\n');
    }

    /// Reads what is there; false when the pipe has ended.
    fn read_log(&mut self) -> bool {
        let mut chunk = [0u8; 4096];
        // One that writes all the time is heard only as long as others can wait.
        for _ in 0..16 {
            match rustix::io::ioctl_fionread(&self.log) {
                Ok(0) | Err(_) => {
                    return rustix::event::poll(
                        &mut [rustix::event::PollFd::new(&self.log, rustix::event::PollFlags::IN)],
                        Some(&rustix::event::Timespec::default()),
                    )
                    .is_ok_and(|ready| ready == 0);
                }
                Ok(_) => match rustix::io::read(&self.log, &mut chunk) {
                    Ok(length) => self.tail.extend(&chunk[..length]),
                    Err(_) => return false,
                },
            }
            let excess = self.tail.len().saturating_sub(TAIL_BYTES);
            self.tail.drain(..excess);
        }
        true
    }
}

fn unwatch(epoll: &OwnedFd, file: &OwnedFd) {
    // Not watched any more is as good.
    let _ = rustix::event::epoll::delete(epoll, file);
}
