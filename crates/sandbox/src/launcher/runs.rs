//! Runs as the launcher sees them: forked, checked, assigned, buried.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};

use crate::cgroup::Group;
use crate::sys::message;
use crate::sys::reap::Dead;
use crate::wire::{Id, Reply, RunLimits};

use super::birth::{self, Candidate, Expected, Facts, FileId, RunFiles};
use super::{Launcher, Role, Source, kill};

/// How long a fork and its isolation may take.
const BIRTH: Duration = Duration::from_secs(20);

/// One run, from the order to fork until the worker has read its files.
pub(super) struct Run {
    template: Id,
    phase: Phase,
    group: Group,
    /// The host's end of the socket on which the run waits for its job.
    control: OwnedFd,
    process: Option<OwnedFd>,
    /// Its scratch space, where the launcher has to give its outputs away.
    scratch: Option<OwnedFd>,
    /// How it died, while its outputs are given to the worker.
    death: Option<Dead>,
    /// Dead and reaped, or never known to live.
    dead: bool,
    /// The worker needs nothing of it any more.
    released: bool,
}

/// Why a run was not born.
#[derive(Debug, thiserror::Error)]
enum Unborn {
    /// What the template has imported: nothing else changes what it does.
    #[error("{0}")]
    Unfit(String),
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl Unborn {
    fn failed(cause: impl Into<String>) -> Self {
        Self::Failed(io::Error::other(cause.into()))
    }
}

enum Phase {
    /// Ordered from the template. The host's ends of the result pipe, stdout
    /// and stderr wait here; `given` are the ends that the run gets.
    Birth { deadline: Instant, files: [OwnedFd; 3], given: RunFiles },
    /// Checked, without work.
    Waiting,
    /// Has work, or failed to get any.
    Assigned,
}

impl Launcher {
    /// Orders a run from a template; it answers by itself.
    pub(super) fn prepare(&mut self, template: Id, run: Id) {
        if let Err(error) = self.try_prepare(template, run) {
            let detail = error.to_string();
            self.answer(&Reply::PrepareFailed { run, detail, by_packages: false }, &[]);
        }
    }

    fn try_prepare(&mut self, id: Id, run: Id) -> io::Result<()> {
        let gone = || io::Error::other("the template has ended");
        let template = self.templates.get_mut(&id).ok_or_else(gone)?;
        template.namespaces().ok_or_else(gone)?;
        let group = match template.spare_groups.pop() {
            Some(group) => group,
            None => {
                template.groups_made += 1;
                self.tree.group(&format!("r{id}-{}", template.groups_made))?
            }
        };
        let (control, control_end) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // The kernel then says who wrote the first message.
        rustix::net::sockopt::set_socket_passcred(&control, true)?;
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
        let ((result, result_end), (out, out_end), (err, err_end)) = (pipe()?, pipe()?, pipe()?);
        let given = [
            FileId::of(&out_end)?,
            FileId::of(&err_end)?,
            FileId::of(&control_end)?,
            FileId::of(&result_end)?,
        ];
        let mut files =
            vec![control_end.as_fd(), result_end.as_fd(), out_end.as_fd(), err_end.as_fd()];
        files.extend(group.join_files());
        template.order_fork(&files)?;
        template.live_runs += 1;
        self.watch(control.as_fd(), Source::Birth(run))?;
        let deadline = Instant::now() + BIRTH;
        let phase = Phase::Birth { deadline, files: [result, out, err], given };
        let run_state = Run {
            template: id,
            phase,
            group,
            control,
            process: None,
            scratch: None,
            death: None,
            dead: false,
            released: false,
        };
        self.runs.insert(run, run_state);
        Ok(())
    }

    /// A forked child says that it is isolated, or is gone.
    pub(super) fn birth(&mut self, id: Id) {
        let Some(run) = self.runs.get(&id) else { return };
        let mut hello = [0; 16];
        let received = message::receive(&run.control, &mut hello);
        let sender = match received {
            Ok(received) if received.length == 2 && hello[..2] == *b"H\x01" => received.sender,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            _ => None,
        };
        let Some(sender) = sender else {
            let cause = "the forked process ended before it was isolated";
            return self.miscarry(id, &Unborn::Unfit(cause.into()));
        };
        match self.admit(id, sender.pid) {
            Ok(()) => {}
            Err(cause) => self.miscarry(id, &cause),
        }
    }

    /// Checks a candidate and hands it to the worker.
    fn admit(&mut self, id: Id, pid: Pid) -> Result<(), Unborn> {
        // Only a child that isn't reaped is certain to be the one that wrote.
        let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let is_ours = matches!(rustix::process::waitid(WaitId::Pid(pid), peek), Ok(None));
        if !is_ours || self.roles.contains_key(&pid) {
            return Err(Unborn::Unfit("the message came from no new child".into()));
        }
        let process =
            rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from)?;
        let unknown = || Unborn::failed("unknown run");
        let run = self.runs.get_mut(&id).ok_or_else(unknown)?;
        run.process = Some(process.try_clone()?);
        self.roles.insert(pid, Role::Run(id));
        let uid = self.inspect(id, pid)?;
        let scratch = self.attach_own(pid, process.as_fd(), uid)?;
        let kept = self.rootless.is_some().then(|| scratch.try_clone()).transpose()?;

        let run = self.runs.get_mut(&id).ok_or_else(unknown)?;
        let Phase::Birth { files: [result, out, err], .. } =
            std::mem::replace(&mut run.phase, Phase::Waiting)
        else {
            return Err(Unborn::failed("it is born already"));
        };
        run.scratch = kept;
        let _ = rustix::event::epoll::delete(&self.epoll, &run.control);
        let run = &self.runs[&id];
        let files = [
            run.control.as_fd(),
            result.as_fd(),
            out.as_fd(),
            err.as_fd(),
            scratch.as_fd(),
            process.as_fd(),
            run.group.cpu_file(),
            run.group.peak_file(),
        ];
        self.answer(&Reply::Prepared { run: id }, &files);
        Ok(())
    }

    /// Checks from outside that a candidate is isolated, and that its template
    /// has made no other process. Gives their user id.
    fn inspect(&self, id: Id, pid: Pid) -> Result<u32, Unborn> {
        let run = self.runs.get(&id).ok_or_else(|| Unborn::failed("unknown run"))?;
        let Phase::Birth { given, .. } = &run.phase else {
            return Err(Unborn::failed("it is born already"));
        };
        let gone = || Unborn::failed("the template has ended");
        let template = self.templates.get(&run.template).ok_or_else(gone)?;
        let facts = Facts::of(pid)?;
        let candidate = Candidate {
            status: &facts.read("status")?,
            namespaces: &facts.namespaces()?,
            in_its_group: self.tree.holds(&run.group, &facts.read("cgroup")?),
            files: &facts.open_files()?.map_err(Unborn::Unfit)?,
            at_its_root: facts.stands_at_its_root()?,
            shares_memory: facts.has_shared_memory(template.memory())?,
        };
        let expected = Expected {
            template: template.namespaces().ok_or_else(gone)?,
            launcher: rustix::process::getpid().as_raw_nonzero().get(),
            uid: template.uid(),
            files: given,
        };
        birth::verify(&candidate, &expected).map_err(Unborn::Unfit)?;
        let born = |other: &&Run| {
            other.template == run.template && matches!(other.phase, Phase::Birth { .. })
        };
        template
            .is_alone_but_for(self.runs.values().filter(born).count())?
            .map_err(Unborn::Unfit)?;
        Ok(template.uid())
    }

    /// Gives up on a run that was never handed out.
    fn miscarry(&mut self, id: Id, cause: &Unborn) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let mut detail = cause.to_string();
        if let Phase::Birth { files: [_, _, err], .. } =
            std::mem::replace(&mut run.phase, Phase::Assigned)
        {
            let _ = rustix::event::epoll::delete(&self.epoll, &run.control);
            let mut text = [0; 2048];
            if let Ok(1..) = rustix::io::ioctl_fionread(&err)
                && let Ok(length) = rustix::io::read(&err, &mut text)
            {
                detail += "; it wrote: ";
                detail += String::from_utf8_lossy(&text[..length]).trim();
            }
        }
        run.released = true;
        match &run.process {
            Some(process) => kill(process),
            None => {
                run.dead = true;
                self.lost_a_run(id);
            }
        }
        let by_packages = matches!(cause, Unborn::Unfit(_));
        self.answer(&Reply::PrepareFailed { run: id, detail, by_packages }, &[]);
        self.bury(id);
    }

    /// Gives a waiting run its limits, its code, and a short job.
    pub(super) fn assign(
        &mut self,
        id: Id,
        code: &Path,
        inputs: Option<&Path>,
        limits: &RunLimits,
        job: &[u8],
    ) {
        let reply = match self.try_assign(id, code, inputs, limits, job) {
            Ok(()) => Reply::Assigned { run: id },
            Err(error) => {
                if let Some(process) = self.runs.get(&id).and_then(|run| run.process.as_ref()) {
                    kill(process);
                }
                Reply::AssignFailed { run: id, detail: error.to_string() }
            }
        };
        self.answer(&reply, &[]);
    }

    fn try_assign(
        &mut self,
        id: Id,
        code: &Path,
        inputs: Option<&Path>,
        limits: &RunLimits,
        job: &[u8],
    ) -> io::Result<()> {
        let run = self.runs.get_mut(&id).ok_or_else(|| io::Error::other("the run has ended"))?;
        if !matches!(run.phase, Phase::Waiting) || run.dead {
            return Err(io::Error::other("the run has ended while it waited"));
        }
        run.phase = Phase::Assigned;
        run.group.limit(limits)?;
        let run = &self.runs[&id];
        let process = run.process.as_ref().ok_or_else(|| io::Error::other("the run has ended"))?;
        self.attach_work(process.as_fd(), code, inputs)?;
        if !job.is_empty() {
            // The socket's buffer is empty and larger than any short job.
            let sent = message::send(&run.control, &[IoSlice::new(job)], &[])?;
            if sent < job.len() {
                return Err(io::Error::other("the run's socket took only part of the job"));
            }
        }
        Ok(())
    }

    /// The worker is done with a run's files.
    pub(super) fn release(&mut self, id: Id) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        if matches!(run.phase, Phase::Birth { .. }) {
            return self.miscarry(id, &Unborn::failed("nobody waits for it any more"));
        }
        run.released = true;
        if let Some(process) = run.process.as_ref().filter(|_| !run.dead) {
            kill(process);
        }
        self.bury(id);
    }

    pub(super) fn run_is_dead(&mut self, id: Id, dead: Dead) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        if !run.released
            && let Some(scratch) = run.scratch.take()
        {
            run.death = Some(dead);
            if self.adopt_outputs(id, scratch.as_fd()) {
                return;
            }
        }
        self.run_has_ended(id, dead);
    }

    /// The worker can read what a run left.
    pub(super) fn outputs_are_adopted(&mut self, id: Id) {
        if let Some(dead) = self.runs.get_mut(&id).and_then(|run| run.death.take()) {
            self.run_has_ended(id, dead);
        }
    }

    fn run_has_ended(&mut self, id: Id, dead: Dead) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.dead = true;
        let oom_kills = run.group.oom_kills();
        if !run.released {
            self.answer(&Reply::Ended { run: id, exit: dead.exit, cpu: dead.cpu, oom_kills }, &[]);
        }
        self.lost_a_run(id);
        self.bury(id);
    }

    /// Counts a template's living runs, and ends what is left of a dead one.
    fn lost_a_run(&mut self, id: Id) {
        let Some(template_id) = self.runs.get(&id).map(|run| run.template) else { return };
        if let Some(template) = self.templates.get_mut(&template_id) {
            template.live_runs -= 1;
        }
        self.end_keeper_when_idle(template_id);
    }

    /// Forgets a run that is dead and no longer needed, and keeps its group.
    fn bury(&mut self, id: Id) {
        if self.runs.get(&id).is_some_and(|run| run.dead && run.released) {
            let Some(run) = self.runs.remove(&id) else { return };
            let template = self.templates.get_mut(&run.template);
            match (template, run.process.is_some()) {
                (Some(template), true) => template.spare_groups.extend(run.group.renew()),
                // A process that never showed itself may still join.
                (Some(template), false) => template.lost_groups.push(run.group),
                (None, _) => run.group.remove(),
            }
        }
    }

    /// Gives up the runs that a dead template still owes.
    pub(super) fn fail_births(&mut self, template: Id, detail: &str) {
        let owed = |run: &Run| run.template == template && matches!(run.phase, Phase::Birth { .. });
        let ids: Vec<Id> =
            self.runs.iter().filter(|(_, run)| owed(run)).map(|(id, _)| *id).collect();
        for id in ids {
            self.miscarry(id, &Unborn::failed(format!("the template has ended: {detail}")));
        }
    }

    /// Ends the runs of a template that have no work.
    pub(super) fn end_waiting_runs(&mut self, template: Id) {
        for run in self.runs.values() {
            if run.template == template
                && matches!(run.phase, Phase::Waiting)
                && let Some(process) = &run.process
            {
                kill(process);
            }
        }
    }

    /// Acts on everything that is overdue.
    pub(super) fn expire(&mut self, now: Instant) {
        self.expire_templates(now);
        let overdue =
            |run: &Run| matches!(&run.phase, Phase::Birth { deadline, .. } if *deadline <= now);
        let ids: Vec<Id> =
            self.runs.iter().filter(|(_, run)| overdue(run)).map(|(id, _)| *id).collect();
        for id in ids {
            self.miscarry(id, &Unborn::Unfit("the template did not fork in time".into()));
        }
    }

    /// When something will be overdue.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let births = self.runs.values().filter_map(|run| match &run.phase {
            Phase::Birth { deadline, .. } => Some(*deadline),
            Phase::Waiting | Phase::Assigned => None,
        });
        births.chain(self.next_template_deadline()).min()
    }
}
