//! What `mecapy doctor` asks of the components.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use domain::Text;
use environment::settings::Pythons;
use environment::{Interpreter, Uv};
use sandbox::{Assignment, End, Job, Limits, Sandbox, TemplateLimits, TemplateSpec};
use tempfile::TempDir;

use crate::doctor::{Calculated, Obstacle};
use crate::settings::Settings;

/// Where interpreters are looked for.
pub(crate) fn pythons(settings: &Settings) -> Pythons {
    super::environments(settings).pythons
}

/// The program that installs packages.
pub(crate) fn uv(
    settings: &Settings,
) -> impl Future<Output = Result<Uv, environment::Error>> + Send + use<> {
    let settings = super::environments(settings);
    async move { Uv::find(&settings.uv, &settings.index, &settings.cache).await }
}

/// The tension of an M20 bolt.
const HANDLER: &str = "\
def calculate(inputs):
    return {\"stress\": inputs[\"force\"] / inputs[\"section\"]}
";
const INPUTS: &[u8] = br#"{"force": 94080, "section": 245}"#;

/// Starts a sandbox as a server does, runs one calculation in it, and ends it.
///
/// Needs no `uv` and no data folder, so that it tells of the isolation alone.
pub(crate) async fn calculate(python: &Interpreter) -> Result<Calculated, Obstacle> {
    let failed = |error: anyhow::Error| Obstacle::Failed(Text::same(format!("{error:#}")));
    let code = code().map_err(|error| {
        let folder = std::env::temp_dir();
        let folder = folder.display();
        Obstacle::Failed(Text::new(
            format!("no folder can be made in {folder}: {error}"),
            format!("aucun dossier ne peut être créé dans {folder} : {error}"),
        ))
    })?;
    let begun = Instant::now();
    let settings =
        super::sandbox(format!("mecapy-doctor-{}", std::process::id())).map_err(failed)?;
    let sandbox = Sandbox::start(settings).await?;
    let stood = begun.elapsed();
    let tried = run(&sandbox, python, &code, stood).await;
    sandbox.shutdown().await;
    tried
}

async fn run(
    sandbox: &Sandbox,
    python: &Interpreter,
    code: &TempDir,
    stood: Duration,
) -> Result<Calculated, Obstacle> {
    let begun = Instant::now();
    let limits = TemplateLimits { start: Duration::from_secs(30), ..TemplateLimits::default() };
    let spec = TemplateSpec { limits, ..TemplateSpec::new(shown(python)) };
    let template = sandbox.start_template(spec).await?;
    let ready = template.prepare().await?;
    let warm = begun.elapsed();
    let limits =
        Limits { memory_bytes: 256 << 20, wall: Duration::from_secs(10), ..Limits::default() };
    let job = Job::Calculate { inputs: INPUTS.into() };
    let assignment = Assignment::new(job, code.path().to_owned(), limits);
    let outcome = ready.assign(assignment).outcome().await;
    template.stop().await;
    match outcome.end {
        End::Result { json, .. } => Ok(Calculated {
            result: String::from_utf8_lossy(&json).into_owned(),
            python: python.python.version.clone(),
            sandbox: stood,
            template: warm,
            run: outcome.measured.wall,
        }),
        End::Failed(failure) => {
            let traceback = failure.traceback.map(|text| format!("\n{}", text.trim_end()));
            let traceback = traceback.unwrap_or_default();
            let french = failure.french.as_ref().unwrap_or(&failure.message);
            Err(Obstacle::Failed(Text::new(
                format!("{}{traceback}", failure.message),
                format!("{french}{traceback}"),
            )))
        }
    }
}

/// A temporary folder with the handler, readable for the sandbox's user.
fn code() -> std::io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("mecapy-doctor-").tempdir()?;
    fs::write(folder.path().join("handler.py"), HANDLER)?;
    fs::set_permissions(folder.path().join("handler.py"), fs::Permissions::from_mode(0o444))?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// The interpreter with what the sandbox shows of the host for it.
fn shown(python: &Interpreter) -> sandbox::Interpreter {
    let folders = python.binds.iter().chain(&python.library_dirs);
    sandbox::Interpreter {
        executable: python.executable.clone(),
        python_version: python.python.version.clone(),
        library_dirs: folders.filter(|path| path.is_dir()).cloned().collect(),
    }
}
