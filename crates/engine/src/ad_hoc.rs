//! Code that is run without being deployed: checked like an archive, locked,
//! and kept, so that its tasks can be run again years later.
//!
//! The code becomes an archive of its own and a version of a function that a
//! company never sees. The same code with the same packages is the same
//! version.

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::manifest::BaseImage;
use domain::origin::Origin;
use domain::permission::Principal;
use domain::task::Priority;
use domain::{DeploymentId, Digest, Fault, FunctionId, Text, VersionId};
use package::Package;
use serde_json::{Value, json};
use store::functions::Version;

use crate::functions::archive_key;
use crate::submit::Accepting;
use crate::{Engine, EnvironmentWanted, Error, Submitted};

/// How long finding versions of the packages may take while the caller waits.
const LOCKING: Duration = Duration::from_secs(60);
/// The time limit where the caller asks for none.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Longest name of a calculation, in characters.
const LONGEST_NAME: usize = 200;
/// What the manifest of ad-hoc code calls it.
const NAME: &str = "ad-hoc";
const MANIFEST: &str = "mecapy.yaml";

/// A calculation without a deployed function.
#[derive(Clone, Debug)]
pub struct AdHoc {
    /// What the task is called.
    pub name: Option<String>,
    /// A Python module with `calculate(inputs)`.
    pub code: String,
    /// The inputs: one JSON object, as the caller wrote it.
    pub inputs: Bytes,
    /// Packages beyond the base image's, a list of PEP 508 lines.
    pub requirements: Option<Value>,
    /// `python-scientific` where absent.
    pub base_image: Option<Value>,
    /// The operator's default where absent.
    pub python_version: Option<Value>,
    /// MB; as a function's where absent.
    pub memory_limit: Option<Value>,
    /// Cores; as a function's where absent.
    pub cpu_limit: Option<Value>,
    /// Its place among the company's tasks.
    pub priority: Priority,
    /// Seconds; 300 where absent.
    pub timeout_s: Option<f64>,
    /// Whether the caller hears nothing of the task before its end.
    pub waits: bool,
    /// The request that asks, where one does.
    pub origin: Option<Origin>,
}

impl Engine {
    /// Runs code. When this returns the task is durable, unless the caller
    /// said that it waits for its end.
    pub async fn run_code(&self, who: &Principal, request: AdHoc) -> Result<Submitted, Error> {
        if self.closing.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        let begun = (Instant::now(), self.clock.now());
        let limit_bytes = self.limits.inputs_bytes;
        if request.inputs.len() as u64 > limit_bytes {
            return Err(Error::TooLarge { what: "inputs", limit_bytes });
        }
        let company = self.company_seen(who.company).await?;
        self.check_room(&company).await?;
        let timeout = self.timeout(request.timeout_s, TIMEOUT);
        let AdHoc { name, inputs, priority, waits, origin, .. } = request.clone();
        let (limits, policy) = (self.limits.clone(), self.policy);
        let read = self.apart(who.company, move || read(&request, &limits, policy)).await?;
        // Everything that is wrong is told at once.
        let (package, timeout) = match (read, timeout) {
            (Ok(package), Ok(timeout)) => (package, timeout),
            (Err(mut faults), Err(Error::Invalid(more))) => {
                faults.extend(more);
                return Err(Error::Invalid(faults));
            }
            (Err(faults), _) => return Err(Error::Invalid(faults)),
            (_, Err(error)) => return Err(error),
        };
        let version = match self.store.code(who.company, package.digest).await? {
            Some(version) => version,
            None => self.keep_code(who, &package).await?,
        };
        let deployed = self.deployed(who.company, version).await?;
        let inputs = self.check_inputs(who, &deployed, inputs).await.map_err(in_inputs)?;
        let name = name.unwrap_or_else(|| NAME.to_owned());
        let accepting = Accepting { name, inputs, priority, timeout, waits, origin, begun };
        self.accept_on(who, &deployed, &company, accepting).await
    }

    /// Locks the packages and stores code that was not seen before.
    async fn keep_code(&self, who: &Principal, package: &Package) -> Result<VersionId, Error> {
        let runtime = &package.manifest.runtime;
        let wanted = EnvironmentWanted {
            python: runtime.python_version,
            base_image: runtime.base_image,
            requirements: package.manifest.requirements.clone(),
        };
        let turns = self.locking.get_with(who.company, Default::default);
        let locked = tokio::time::timeout(LOCKING, async {
            let _turn = turns.lock().await;
            self.locker.lock(wanted).await
        });
        let built = match locked.await {
            Ok(Ok(built)) => built,
            Ok(Err(faults)) => return Err(unlocked(faults)),
            Err(_) => return Err(Error::Invalid(vec![locked_too_long()])),
        };
        let files: Vec<_> = package
            .files
            .iter()
            .map(|file| (file.path.as_str(), file.content.as_slice()))
            .collect();
        let archive = package::zip(&files)
            .map_err(|error| Error::Internal(format!("code can't be packed: {error}")))?;
        self.blobs.put(archive_key(who.company, package.digest), archive.into()).await?;
        let warnings = package.warnings.iter().cloned().chain(built.warnings);
        let version = Version {
            company: who.company,
            id: VersionId::new(),
            function: FunctionId::AD_HOC,
            name: NAME.to_owned(),
            version: number(package.digest),
            archive: package.digest,
            manifest: package.manifest.clone(),
            environment: built.digest,
            python: built.python,
            python_full: built.python_full,
            lock: built.lock,
            shared_environment: built.shared,
            imports: package.imports.clone(),
            warnings: warnings.collect(),
            deployment: DeploymentId::new(),
            source: None,
            created_by: who.user,
            created_at: self.clock.now(),
        };
        Ok(self.store.keep_code(version).await?)
    }
}

/// Faults of the inputs, at their place in the request.
fn in_inputs(error: Error) -> Error {
    let Error::Invalid(faults) = error else { return error };
    let at = |fault: Fault| {
        let key = format!("/inputs{}", fault.key.as_deref().unwrap_or_default());
        fault.at_key(key)
    };
    Error::Invalid(faults.into_iter().map(at).collect())
}

/// The number of a version of ad-hoc code: no release, and no two alike.
fn number(digest: Digest) -> semver::Version {
    let pre = semver::Prerelease::new(&format!("x{}", digest.hex()));
    semver::Version {
        pre: pre.expect("a letter and hexadecimal digits are an identifier"),
        ..semver::Version::new(0, 0, 0)
    }
}

/// The archive that the code makes, or every fault, each at the field of the
/// request that it is about.
fn read(
    request: &AdHoc,
    limits: &domain::limits::Limits,
    policy: package::Policy,
) -> Result<Package, Vec<Fault>> {
    let mut runtime = serde_json::Map::new();
    let base_image = request.base_image.clone();
    let base_image = base_image.unwrap_or_else(|| json!(BaseImage::Scientific.name()));
    runtime.insert("base_image".to_owned(), base_image);
    for (key, value) in [
        ("python_version", &request.python_version),
        ("memory_limit", &request.memory_limit),
        ("cpu_limit", &request.cpu_limit),
    ] {
        runtime.extend(value.clone().map(|value| (key.to_owned(), value)));
    }
    let manifest = json!({
        "version": "1.0",
        "metadata": { "name": NAME },
        "runtime": runtime,
        "dependencies": { "packages": request.requirements.clone().unwrap_or_else(|| json!([])) },
        "io": { "inputs_schema": { "type": "object" } },
    });
    let files = vec![
        (MANIFEST.to_owned(), manifest.to_string().into_bytes()),
        ("handler.py".to_owned(), request.code.clone().into_bytes()),
    ];
    let mut faults = match package::read_dir(files, limits, policy) {
        Ok(package) if name_fault(request).is_none() => return Ok(package),
        Ok(_) => Vec::new(),
        Err(refused) => refused.faults.into_iter().map(of_field).collect(),
    };
    faults.extend(name_fault(request));
    Err(faults)
}

fn name_fault(request: &AdHoc) -> Option<Fault> {
    let name = request.name.as_ref()?;
    let is_good = !name.trim().is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(char::is_control);
    let text = Text::new(
        format!("expected a name of 1 to {LONGEST_NAME} characters on one line"),
        format!("attendu : un nom de 1 à {LONGEST_NAME} caractères sur une ligne"),
    );
    (!is_good).then(|| Fault::error("body_value", text).at_key("/name"))
}

/// A fault of the archive, at the field of the request that it came from.
fn of_field(fault: Fault) -> Fault {
    if fault.file.as_deref() != Some(MANIFEST) {
        return Fault { key: Some("/code".to_owned()), ..fault };
    }
    let key = fault.key.as_deref().unwrap_or_default();
    let field = match key.strip_prefix("runtime.") {
        Some(field) => format!("/{field}"),
        None => {
            let at = key.strip_prefix("dependencies.packages").unwrap_or_default();
            format!("/requirements{}", at.replace('[', "/").replace(']', ""))
        }
    };
    Fault { file: None, line: None, column: None, key: Some(field), ..fault }
}

/// What can be mended by asking for other packages is the caller's; the rest
/// is nothing that another request would change.
fn unlocked(faults: Vec<Fault>) -> Error {
    let of_the_caller = |fault: &Fault| {
        fault.code.starts_with("requirement")
            || ["environment_no_python", "environment_too_large", "environment_timed_out"]
                .contains(&fault.code.as_str())
    };
    if faults.iter().all(of_the_caller) {
        let at = |fault: Fault| match fault.code.as_str() {
            "environment_no_python" => fault.at_key("/python_version"),
            _ => fault.at_key("/requirements"),
        };
        return Error::Invalid(faults.into_iter().map(at).collect());
    }
    Error::NoEnvironment(faults)
}

fn locked_too_long() -> Fault {
    let limit = LOCKING.as_secs();
    Fault::error(
        "locking_timed_out",
        Text::new(
            format!(
                "no versions that fit together were found within {limit} s; give versions to the requirements, such as `numpy==2.1.0`, or try again"
            ),
            format!(
                "aucun ensemble de versions compatibles n'a été trouvé en {limit} s ; donnez des versions aux dépendances, par exemple `numpy==2.1.0`, ou réessayez"
            ),
        ),
    )
    .at_key("/requirements")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(code: &str) -> AdHoc {
        AdHoc {
            name: None,
            code: code.to_owned(),
            inputs: Bytes::from_static(b"{}"),
            requirements: None,
            base_image: None,
            python_version: None,
            memory_limit: None,
            cpu_limit: None,
            priority: Priority::default(),
            timeout_s: None,
            waits: false,
            origin: None,
        }
    }

    fn digest(request: &AdHoc) -> Digest {
        read(request, &Default::default(), package::Policy::DenyList).unwrap().digest
    }

    const GOOD: &str = "def calculate(inputs):\n    return {}\n";

    #[test]
    fn the_same_code_with_the_same_packages_is_the_same_content() {
        let good = request(GOOD);
        assert_eq!(digest(&good), digest(&AdHoc { name: Some("a".to_owned()), ..good.clone() }));
        let more = AdHoc { requirements: Some(json!(["bolts"])), ..good.clone() };
        assert_ne!(digest(&good), digest(&more));
        let base = AdHoc { base_image: Some(json!("python-base")), ..good.clone() };
        assert_ne!(digest(&good), digest(&base));
        assert_eq!(number(digest(&good)).to_string().len(), "0.0.0-x".len() + 64);
    }

    #[test]
    fn every_fault_is_told_at_its_field() {
        let bad = AdHoc {
            name: Some("two\nlines".to_owned()),
            requirements: Some(json!(["numpy", "git+https://example.org/x"])),
            base_image: Some(json!("python-huge")),
            python_version: Some(json!("2.7")),
            memory_limit: Some(json!(1_000_000)),
            cpu_limit: Some(json!("many")),
            ..request("import subprocess\n\ndef calculate(a, b):\n    return {}\n")
        };
        let faults = read(&bad, &Default::default(), package::Policy::DenyList).unwrap_err();
        let mut told: Vec<_> = faults.iter().map(|f| f.key.as_deref().unwrap()).collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                "/base_image",
                "/code",
                "/code",
                "/cpu_limit",
                "/memory_limit",
                "/name",
                "/python_version",
                "/requirements/1",
            ]
        );
        let of_code: Vec<_> = faults.iter().filter(|f| f.file.is_some()).collect();
        assert!(of_code.iter().all(|f| f.line.is_some()), "{of_code:?}");
    }
}
