//! Prints how long assignment → result takes, and how many runs a second fit.
//!
//! `latency PYTHON [PACKAGES [MODULE …]]`: the interpreter, a folder of
//! installed packages, the modules to preload. Run it as root.
#![expect(clippy::print_stdout, reason = "its purpose")]

use std::time::{Duration, Instant};

use sandbox::{
    Assignment, End, Interpreter, Job, LAUNCHER_ARGUMENT, Limits, Sandbox, Settings, Template,
    TemplateSpec,
};

/// Runs of each client in the throughput measurement.
const RUNS: usize = 100;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const HANDLER: &str =
    "def calculate(inputs):\n    return {'stress': inputs['force'] / inputs['section']}\n";
const INPUTS: &str = r#"{"force": 1000, "section": 10}"#;

fn main() -> Result<(), Failed> {
    if std::env::args().nth(1).as_deref() == Some(LAUNCHER_ARGUMENT) {
        sandbox::launcher_main();
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure())
}

async fn measure() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let python = arguments.next().ok_or("usage: latency PYTHON [PACKAGES [MODULE …]]")?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("handler.py"), HANDLER)?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let version = python.rsplit("python").next().unwrap_or_default().to_owned();
    let mut spec = TemplateSpec::new(Interpreter::at(python.as_ref(), &version)?);
    spec.packages.extend(arguments.next().map(Into::into));
    spec.preload.extend(arguments);

    let settings =
        Settings { instance: "latency".into(), ..Settings::new(std::env::current_exe()?) };
    let sandbox = Sandbox::start(settings).await?;
    println!("{:?}", sandbox.host());
    let began = Instant::now();
    let template = sandbox.start_template(spec).await?;
    let cold = template.prepare().await?;
    println!("cold template and first run ready: {:?}", began.elapsed());
    println!("{:?}, {} MiB", template.preloaded(), template.memory_bytes()? >> 20);
    one(cold, folder.path()).await?;
    template.compile(folder.path(), Limits::default()).await?;

    let (mut prepare, mut assign, mut startup) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..300 {
        let began = Instant::now();
        let ready = template.prepare().await?;
        prepare.push(began.elapsed());
        let (took, start) = one(ready, folder.path()).await?;
        assign.push(took);
        startup.push(start);
    }
    print("prepare, one at a time", prepare);
    print("assign to result, one at a time", assign);
    print("  of which until user code", startup);
    for clients in [2, 4, 16] {
        let before = Cpu::now(sandbox.launcher_pid());
        throughput(&template, folder.path(), clients).await?;
        before.print_since(sandbox.launcher_pid(), clients * RUNS);
    }
    drop(template);
    sandbox.shutdown().await;
    Ok(())
}

async fn one(
    ready: sandbox::Ready,
    code: &std::path::Path,
) -> Result<(Duration, Duration), Failed> {
    let job = Job::Calculate { inputs: INPUTS.into() };
    let began = Instant::now();
    let mut running = ready.assign(Assignment::new(job, code.to_path_buf(), Limits::default()));
    let events = running.events();
    let outcome = running.outcome().await;
    let took = began.elapsed();
    match outcome.end {
        End::Result { .. } => Ok((took, outcome.measured.startup)),
        End::Failed(failure) => {
            let said = match events {
                Some(mut events) => events.next().await,
                None => None,
            };
            Err(format!("{failure:?}, it wrote {said:?}").into())
        }
    }
}

async fn throughput(
    template: &Template,
    code: &std::path::Path,
    clients: usize,
) -> Result<(), Failed> {
    let began = Instant::now();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (template, code) = (template.clone(), code.to_path_buf());
        waiting.spawn(async move {
            let mut took = Vec::new();
            let mut ready = template.prepare().await?;
            for _ in 0..RUNS {
                let (next, done) = tokio::join!(template.prepare(), one(ready, &code));
                took.push(done?.0);
                ready = next?;
            }
            Ok::<_, Failed>(took)
        });
    }
    let mut took = Vec::new();
    while let Some(done) = waiting.join_next().await {
        took.extend(done??);
    }
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    print(&format!("{clients} clients, {rate:.0} runs/s, assign to result"), took);
    Ok(())
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: p50 {:?}, p95 {:?}, p99 {:?}", at(0.5), at(0.95), at(0.99));
}

/// CPU time used so far by this process, the launcher, and all sandboxes (on
/// cgroup v1, where one file has their sum).
struct Cpu {
    own: Duration,
    launcher: Duration,
    sandboxes: Duration,
}

impl Cpu {
    fn now(launcher: Option<u32>) -> Self {
        let usage = std::fs::read_to_string("/sys/fs/cgroup/cpuacct/mecapy-latency/cpuacct.usage");
        let nanoseconds = usage.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self {
            own: process("self"),
            launcher: launcher.map(|pid| process(&pid.to_string())).unwrap_or_default(),
            sandboxes: Duration::from_nanos(nanoseconds),
        }
    }

    fn print_since(&self, launcher: Option<u32>, runs: usize) {
        let now = Self::now(launcher);
        let each = |now: Duration, then: Duration| now.saturating_sub(then) / runs as u32;
        println!(
            "  CPU per run: sandboxes {:?}, launcher {:?}, worker {:?}",
            each(now.sandboxes, self.sandboxes),
            each(now.launcher, self.launcher),
            each(now.own, self.own)
        );
    }
}

/// User and system time of a process, in ticks of 10 ms.
fn process(pid: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
