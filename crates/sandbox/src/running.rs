//! Drives one run from its assignment to its outcome.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use crate::cgroup;
use crate::error::Error;
use crate::events::{self, Events, Sink, Stream};
use crate::frames::{Broken, Frame, Frames};
use crate::link::{Link, News};
use crate::outcome::{End, Failure, FailureKind, Measured, Outcome};
use crate::outputs::{Held, Outputs};
use crate::run::{Assignment, Job, Killer, Orders, Reason};
use crate::verdict::{self, Death};
use crate::wire::{INLINE_JOB_BYTES, Id, Reply, Request, RunLimits};

/// How long the kernel may take to end a killed run before the host stops
/// waiting for it.
const DYING: Duration = Duration::from_secs(10);
const LOG_CHUNK: usize = 64 << 10;
/// Words about an archive's tests that are passed on.
const TEST_BYTES: usize = 4 << 20;
/// Frames that a pipe holds at most, and some.
const MOST_UNREAD_FRAMES: usize = 4096;

/// A run at work. Dropping it kills the run.
#[derive(Debug)]
pub struct Running {
    prepared: Prepared,
    assignment: Assignment,
    began: Instant,
    orders: Arc<Orders>,
    sink: Sink,
    events: Option<Events>,
}

/// The host's side of a prepared run.
#[derive(Debug)]
pub(crate) struct Prepared {
    link: Arc<Link>,
    run: Id,
    held: Held,
    news: mpsc::UnboundedReceiver<News>,
    control: OwnedFd,
    frames: Frames,
    out: pipe::Receiver,
    err: pipe::Receiver,
    scratch: OwnedFd,
    process: OwnedFd,
    cpu: std::fs::File,
    peak: std::fs::File,
}

impl Prepared {
    pub(crate) fn new(
        link: Arc<Link>,
        run: Id,
        held: Held,
        news: mpsc::UnboundedReceiver<News>,
        files: Vec<OwnedFd>,
    ) -> io::Result<Self> {
        let files: [OwnedFd; 8] = files.try_into().map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "a run came without its files")
        })?;
        let [control, result, out, err, scratch, process, cpu, peak] = files;
        Ok(Self {
            link,
            run,
            held,
            news,
            control,
            frames: Frames::new(pipe::Receiver::from_owned_fd(result)?),
            out: pipe::Receiver::from_owned_fd(out)?,
            err: pipe::Receiver::from_owned_fd(err)?,
            scratch,
            process,
            cpu: cpu.into(),
            peak: peak.into(),
        })
    }

    pub(crate) fn is_alive(&self) -> bool {
        // A process that has ended makes its pidfd readable.
        let mut ended = [rustix::event::PollFd::new(&self.process, rustix::event::PollFlags::IN)];
        let now = rustix::event::Timespec::default();
        self.link.is_alive()
            && rustix::event::poll(&mut ended, Some(&now)).is_ok_and(|ready| ready == 0)
    }

    /// Ends every process of the run: this one is pid 1 of its namespace.
    fn kill(&self) {
        // It may have ended by itself.
        let _ = rustix::process::pidfd_send_signal(self.process.as_fd(), Signal::KILL);
    }

    fn cpu_time(&self) -> Duration {
        read(&self.cpu).and_then(|text| cgroup::cpu_time(&text)).unwrap_or_default()
    }

    fn peak_bytes(&self) -> u64 {
        peak_bytes(&self.peak)
    }
}

fn peak_bytes(file: &std::fs::File) -> u64 {
    read(file).and_then(|text| cgroup::memory_peak(&text)).unwrap_or_default()
}

fn read(file: &std::fs::File) -> Option<String> {
    let mut text = [0; 1024];
    let length = file.read_at(&mut text, 0).ok()?;
    Some(String::from_utf8_lossy(&text[..length]).into_owned())
}

impl Running {
    pub(crate) fn new(prepared: Prepared, assignment: Assignment) -> Self {
        let test_bytes = match assignment.job {
            Job::Pytest => TEST_BYTES,
            Job::Calculate { .. } | Job::Compile => 0,
        };
        let (sink, events) = events::channel(assignment.limits.log_bytes, test_bytes);
        Self {
            prepared,
            assignment,
            began: Instant::now(),
            orders: Arc::default(),
            sink,
            events: Some(events),
        }
    }

    /// The live stream of logs and progress; `None` the second time.
    pub fn events(&mut self) -> Option<Events> {
        self.events.take()
    }

    /// A handle that can end the run while somebody awaits its outcome.
    pub fn killer(&self) -> Killer {
        Killer::new(self.orders.clone())
    }

    /// Works until the end, which always comes: the time limit is kept here.
    pub async fn outcome(mut self) -> Outcome {
        self.prepared.frames.limit(self.assignment.limits.result_bytes);
        let cpu_before = self.prepared.cpu_time();
        let started = self.start().await;
        // By the host's clock: a run would say what suits it.
        let startup = self.began.elapsed();
        let end = match started {
            Ok(()) => self.drive().await,
            Err(error) => internal(error.to_string()),
        };
        let wall = self.began.elapsed();
        let measured = Measured {
            wall,
            startup,
            cpu: self.prepared.cpu_time().saturating_sub(cpu_before),
            peak_memory_bytes: self.prepared.peak_bytes(),
        };
        self.prepared.kill();
        drain(&self.prepared.out, Stream::Out, &self.sink);
        drain(&self.prepared.err, Stream::Err, &self.sink);
        let limits = &self.assignment.limits;
        let Prepared { held, scratch, mut news, .. } = self.prepared;
        let outputs =
            Outputs::new(Some(scratch), limits.artifact_count, limits.artifact_bytes, held);
        if !outputs.is_empty() {
            // Nothing may change any more while the files are read.
            let _ = tokio::time::timeout(DYING, death(&mut news)).await;
        }
        Outcome { end, measured, outputs }
    }

    /// Hands the job over: with the assignment when it is short, else after it.
    async fn start(&mut self) -> Result<(), Error> {
        let limits = &self.assignment.limits;
        let (mut header, body) = match &self.assignment.job {
            Job::Calculate { inputs } => (json!({"job": "calculate"}), inputs.as_ref()),
            Job::Pytest => (json!({"job": "pytest"}), &b""[..]),
            Job::Compile => (json!({"job": "compile"}), &b""[..]),
        };
        header["cpu_cores"] = json!(limits.cpu_cores);
        header["processes"] = json!(limits.pids);
        header["result_bytes"] = json!(limits.result_bytes);
        if let Some(request_id) = &self.assignment.request_id {
            header["request_id"] = json!(&**request_id);
        }
        let header = header.to_string();
        let mut job = Vec::with_capacity(12 + header.len() + body.len());
        job.extend((header.len() as u32).to_le_bytes());
        job.extend((body.len() as u64).to_le_bytes());
        job.extend(header.as_bytes());
        job.extend(body);

        let request = Request::Assign {
            run: self.prepared.run,
            code: self.assignment.code.clone(),
            inputs: self.assignment.input_files.clone(),
            limits: RunLimits {
                memory_bytes: limits.memory_bytes,
                pids: limits.pids,
                cpu_cores: limits.cpu_cores,
                low_priority: self.assignment.low_priority,
            },
        };
        if job.len() <= INLINE_JOB_BYTES {
            return self.prepared.link.send(&request, &job).await;
        }
        self.prepared.link.send(&request, &[]).await?;
        loop {
            match self.prepared.news.recv().await {
                Some((Reply::Assigned { .. }, _)) => break,
                Some((Reply::AssignFailed { detail, .. }, _)) => {
                    return Err(Error::Prepare(detail));
                }
                Some((Reply::Ended { .. }, _)) => {
                    return Err(Error::Prepare("the run ended while it waited".into()));
                }
                Some(_) => {}
                None => return Err(Error::LauncherGone("it ended during an assignment".into())),
            }
        }
        let broken = |error: io::Error| Error::host("handing the job over", &error);
        let control = self.prepared.control.try_clone().map_err(broken)?;
        let control = std::os::unix::net::UnixStream::from(control);
        control.set_nonblocking(true).map_err(broken)?;
        let mut control = UnixStream::from_std(control).map_err(broken)?;
        let deadline = tokio::time::Instant::from_std(self.began + limits.wall);
        let written = tokio::select! {
            written = control.write_all(&job) => written,
            () = tokio::time::sleep_until(deadline) => Ok(()),
            _ = self.orders.given() => Ok(()),
        };
        match written {
            // Who doesn't take its job has ended, and how is seen later.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(broken),
        }
    }

    /// Waits for whatever comes first: a result, an end, a limit, an order.
    async fn drive(&mut self) -> End {
        let limits = self.assignment.limits.clone();
        let deadline = tokio::time::Instant::from_std(self.began + limits.wall);
        let sleep = tokio::time::sleep_until(deadline);
        tokio::pin!(sleep);
        let prepared = &mut self.prepared;
        let (mut frames_open, mut out_open, mut err_open) = (true, true, true);
        let mut garbage = None;
        loop {
            tokio::select! {
                biased;
                // First, as a run that floods its pipes has always something to read.
                () = &mut sleep => {
                    let measured = self.began.elapsed();
                    // What is there came in time, even if nobody looked.
                    for _ in 0..MOST_UNREAD_FRAMES {
                        let Ok(Some(frame)) = prepared.frames.next_now() else { break };
                        if let Some(end) = settle(frame, &limits, &self.sink, &prepared.peak) {
                            return end;
                        }
                    }
                    prepared.kill();
                    // Whoever waits for a process that was killed for its
                    // memory runs out of time, too.
                    return match await_death(prepared).await {
                        0 => verdict::timeout(limits.wall, measured),
                        _ => verdict::out_of_memory(&limits, prepared.peak_bytes()),
                    };
                }
                reason = self.orders.given() => {
                    prepared.kill();
                    await_death(prepared).await;
                    return match reason {
                        Reason::Cancelled => verdict::cancelled(),
                        Reason::Abandoned => internal("the worker gave the run up".into()),
                    };
                }
                frame = prepared.frames.next(), if frames_open => match frame {
                    Ok(frame) => if let Some(end) = settle(frame, &limits, &self.sink, &prepared.peak) {
                        return end;
                    },
                    // How the process ended says more, and comes soon.
                    Err(Broken::Ended) => frames_open = false,
                    Err(Broken::TooLong(measured)) => {
                        return verdict::too_large(limits.result_bytes, measured);
                    }
                    Err(Broken::Garbage(what)) => {
                        frames_open = false;
                        garbage = Some(what);
                        prepared.kill();
                    }
                },
                open = forward(&prepared.out, Stream::Out, &self.sink), if out_open => out_open = open,
                open = forward(&prepared.err, Stream::Err, &self.sink), if err_open => err_open = open,
                news = prepared.news.recv() => match news {
                    Some((Reply::Ended { exit, oom_kills, .. }, _)) => {
                        // What it wrote before it died still counts.
                        while frames_open && let Ok(Some(frame)) = prepared.frames.next_now() {
                            if let Some(end) = settle(frame, &limits, &self.sink, &prepared.peak) {
                                return end;
                            }
                        }
                        let peak = prepared.peak_bytes();
                        let death = Death { exit, oom_kills, peak, garbage };
                        return verdict::of_death(death, &limits);
                    }
                    Some((Reply::AssignFailed { detail, .. }, _)) => return internal(detail),
                    Some(_) => {}
                    None => return internal("the sandbox launcher ended".into()),
                },
            }
        }
    }
}

/// What a frame means for the run; nothing yet when it is
/// progress or a test.
fn settle(
    frame: Frame,
    limits: &crate::run::Limits,
    sink: &Sink,
    peak: &std::fs::File,
) -> Option<End> {
    match frame {
        Frame::Progress(progress) => {
            sink.progress(progress.step, progress.total, progress.message);
            None
        }
        Frame::Test(test) => {
            sink.test(test);
            None
        }
        Frame::Result(head, body) => Some(verdict::of_result(head, body)),
        Frame::Failure(head) => Some(verdict::of_failure(head, limits, peak_bytes(peak))),
    }
}

/// Reads log text; false when the stream has ended.
async fn forward(pipe: &pipe::Receiver, stream: Stream, sink: &Sink) -> bool {
    let mut chunk = [0; 4096];
    if pipe.readable().await.is_err() {
        return false;
    }
    match pipe.try_read(&mut chunk) {
        Ok(0) => false,
        Ok(length) => {
            sink.log(stream, &chunk[..length]);
            true
        }
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Reads what is left in a pipe whose writers are dying.
fn drain(pipe: &pipe::Receiver, stream: Stream, sink: &Sink) {
    let mut chunk = [0; 4096];
    let mut left = LOG_CHUNK * 4;
    // Not through tokio, which may not have noticed the data yet.
    while let Ok(length @ 1..) = rustix::io::read(pipe, &mut chunk) {
        sink.log(stream, &chunk[..length]);
        left = left.saturating_sub(length);
        if left == 0 {
            return;
        }
    }
}

/// Waits for the end of a killed run; how many of its processes had been
/// killed for their memory.
async fn await_death(prepared: &mut Prepared) -> u64 {
    // Only a process that the kernel can't end right now takes longer; its
    // limits hold on.
    tokio::time::timeout(DYING, death(&mut prepared.news)).await.unwrap_or(0)
}

async fn death(news: &mut mpsc::UnboundedReceiver<News>) -> u64 {
    while let Some((reply, _)) = news.recv().await {
        if let Reply::Ended { oom_kills, .. } = reply {
            return oom_kills;
        }
    }
    0
}

fn internal(message: String) -> End {
    End::Failed(Failure { kind: FailureKind::Internal, message, french: None, traceback: None })
}
