//! What every test needs: a sandbox of its own, interpreters, handlers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sandbox::{
    Assignment, CgroupMode, End, Failure, FailureKind, Interpreter, Job, Limits, Outcome, Ready,
    Sandbox, Settings, Template, TemplateSpec,
};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A sandbox with one template of the default interpreter.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) template: Template,
    pub(crate) instance: String,
    first_uid: u32,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(TemplateSpec::new(interpreters().pop().unwrap())).await
    }

    pub(crate) async fn with(spec: TemplateSpec) -> Self {
        let (sandbox, instance) = start_sandbox().await;
        let template = sandbox.start_template(spec).await.unwrap();
        let first_uid = first_uid(&instance);
        Self { sandbox, template, instance, first_uid, folder: readable_folder() }
    }

    /// A code folder with this handler.
    pub(crate) fn code(&self, handler: &str) -> PathBuf {
        let name = format!("code-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("handler.py"), handler).unwrap();
        folder
    }

    /// Runs a handler on inputs.
    pub(crate) async fn run(&self, handler: &str, inputs: &str) -> Outcome {
        self.run_within(handler, inputs, limits()).await
    }

    pub(crate) async fn run_within(&self, handler: &str, inputs: &str, limits: Limits) -> Outcome {
        let ready = self.template.prepare().await.unwrap();
        self.run_on(ready, handler, inputs, limits).await
    }

    pub(crate) async fn run_on(
        &self,
        ready: Ready,
        handler: &str,
        inputs: &str,
        limits: Limits,
    ) -> Outcome {
        let job = Job::Calculate { inputs: inputs.as_bytes().to_vec().into() };
        ready.assign(Assignment::new(job, self.code(handler), limits)).outcome().await
    }

    /// The JSON of a handler without inputs that is expected to succeed.
    pub(crate) async fn result(&self, handler: &str) -> String {
        result(self.run(handler, "{}").await)
    }

    /// Proves that the sandbox still works and that nothing was left behind.
    pub(crate) async fn still_sound(self) {
        let answer = self
            .run("def calculate(inputs):\n    return {'twice': inputs['x'] * 2}\n", r#"{"x": 21}"#);
        assert_eq!(result(answer.await), r#"{"twice":42}"#);
        assert_eq!(self.end().await, Vec::<String>::new());
    }

    /// Ends everything and tells what is left.
    pub(crate) async fn end(self) -> Vec<String> {
        let launcher = self.sandbox.launcher_pid().unwrap();
        self.template.stop().await;
        drop(self.template);
        self.sandbox.shutdown().await;
        assert!(!Path::new(&format!("/proc/{launcher}")).exists(), "the launcher has ended");
        let mut left = leftovers(&self.instance);
        left.extend(processes(&self.instance, self.first_uid));
        left
    }
}

/// Limits that make tests quick and small.
pub(crate) fn limits() -> Limits {
    Limits { memory_bytes: 256 << 20, wall: patience(Duration::from_secs(20)), ..Limits::default() }
}

/// A time that is ample on real hardware, stretched for an emulated machine by
/// the factor in `SANDBOX_TEST_PATIENCE`.
pub(crate) fn patience(time: Duration) -> Duration {
    let factor = std::env::var_os("SANDBOX_TEST_PATIENCE").map_or(1, |factor| {
        factor.to_str().and_then(|factor| factor.parse().ok()).expect("a whole number")
    });
    time * factor
}

/// A sandbox and its instance name. Its limits are kept by the generation of
/// cgroups that `SANDBOX_TEST_CGROUPS` demands, where it does.
pub(crate) async fn start_sandbox() -> (Sandbox, String) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let instance = format!("test-{}-{number}", std::process::id());
    let settings = Settings {
        instance: instance.clone(),
        tmp_bytes: 64 << 20,
        tmp_inodes: 2000,
        first_uid: first_uid(&instance),
        ..Settings::new(env!("CARGO_BIN_EXE_sandbox-launcher").into())
    };
    let sandbox = Sandbox::start(settings).await.unwrap();
    match std::env::var_os("SANDBOX_TEST_CGROUPS").as_deref().and_then(|demanded| demanded.to_str())
    {
        Some("v2") => assert_eq!(sandbox.host().cgroups, CgroupMode::V2),
        Some("v1") => assert_eq!(sandbox.host().cgroups, CgroupMode::V1),
        Some(other) => panic!("SANDBOX_TEST_CGROUPS is {other:?}, expected v1 or v2"),
        None => {}
    }
    (sandbox, instance)
}

/// The user ids of an instance, no other test's.
fn first_uid(instance: &str) -> u32 {
    let mut numbers = instance.rsplit('-').map(|number| number.parse::<u32>().unwrap());
    let (number, process) = (numbers.next().unwrap(), numbers.next().unwrap());
    1_000_000_000 + 65_536 * (process.wrapping_mul(97).wrapping_add(number) % 13_000)
}

/// Processes that run under an instance's user ids, or in its control groups:
/// without root, all instances of a user share their ids.
fn processes(instance: &str, first_uid: u32) -> Vec<String> {
    let uid = |status: &str| -> Option<u32> {
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok())
    };
    let groups = format!("/mecapy-{instance}/");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let read = |name: &str| std::fs::read_to_string(entry.path().join(name)).ok();
            let (status, cgroups) = (read("status")?, read("cgroup")?);
            let ours = uid(&status)
                .is_some_and(|uid| (first_uid..first_uid + 65_536).contains(&uid))
                || cgroups.contains(&groups);
            ours.then_some(status)
        })
        .collect()
}

/// A folder that a sandbox's user may read.
pub(crate) fn readable_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everybody).unwrap();
    folder
}

/// Every supported interpreter of this machine, oldest first.
pub(crate) fn interpreters() -> Vec<Interpreter> {
    let mut found = Vec::new();
    for minor in 9..=13 {
        let name = format!("python3.{minor}");
        let folders = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .chain(["/usr/bin".into(), "/usr/local/bin".into()])
            .chain(pyenv_folders())
            .collect::<Vec<_>>();
        let usable = folders.iter().find_map(|folder| {
            let path = folder.join(&name);
            // A pyenv shim is a script, no interpreter.
            let real = std::fs::read(path.canonicalize().ok()?).ok()?.starts_with(b"\x7fELF");
            real.then(|| Interpreter::at(&path, &format!("3.{minor}")).ok())?
        });
        found.extend(usable);
    }
    assert!(!found.is_empty(), "no Python 3.9 to 3.13 was found on this machine");
    found
}

fn pyenv_folders() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let versions = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
    versions.map(|entry| entry.path().join("bin")).collect()
}

/// The JSON of an outcome that is a result.
pub(crate) fn result(outcome: Outcome) -> String {
    match outcome.end {
        End::Result { json, .. } => String::from_utf8(json.to_vec()).unwrap(),
        End::Failed(failure) => panic!("{failure:?}"),
    }
}

/// The failure of an outcome that is one.
pub(crate) fn failure(outcome: &Outcome) -> &Failure {
    match &outcome.end {
        End::Failed(failure) => failure,
        End::Result { json, .. } => panic!("a result: {}", String::from_utf8_lossy(json)),
    }
}

/// The exception of a failed handler.
pub(crate) fn exception(outcome: &Outcome) -> (&str, &str) {
    match failure(outcome) {
        Failure { kind: FailureKind::UserError { exception, .. }, message, .. } => {
            (exception, message)
        }
        other => panic!("{other:?}"),
    }
}

/// Control groups of an instance that are still there: on v1 at the top of each
/// hierarchy, on v2 below the group that this process was started in.
pub(crate) fn leftovers(instance: &str) -> Vec<String> {
    let top = Path::new("/sys/fs/cgroup");
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let base = top.join(own.trim_end_matches("mecapy-supervisor"));
    let hierarchies = std::fs::read_dir(top).unwrap().flatten();
    hierarchies
        .map(|hierarchy| hierarchy.path())
        .chain([top.to_path_buf(), base])
        .map(|folder| folder.join(format!("mecapy-{instance}")))
        .filter(|group| group.exists())
        .map(|group| group.display().to_string())
        .collect()
}
