//! From bytes to a package, with every fault of the archive at once.

use std::collections::BTreeMap;

use domain::limits::Limits;
use domain::manifest::Manifest;
use domain::{Digest, Fault, Severity, Text};

use crate::archive::{self, File};
use crate::manifest;
use crate::python::{self, Foreign, Policy};
use crate::schema::{FileRef, Schemas};
use crate::{code, source};

/// A function archive that may be deployed.
#[derive(Debug)]
pub struct Package {
    /// The manifest, defaults filled in.
    pub manifest: Manifest,
    /// Over sorted paths and contents, whatever the ZIP's order and times.
    pub digest: Digest,
    /// Sorted by path.
    pub files: Vec<File>,
    /// Modules that the code imports and that are not in the archive, sorted,
    /// to be loaded ahead of a run. Parts stand beside their package
    /// (`scipy`, `scipy.optimize`); one that can't be imported is passed over.
    pub imports: Vec<String>,
    /// The compiled schemas.
    pub schemas: Schemas,
    /// Where the manifest's test cases stand.
    pub test_cases: TestCasePlaces,
    /// Where the manifest names its version.
    pub version_place: VersionPlace,
    /// What is worth telling and refuses nothing.
    pub warnings: Vec<Fault>,
}

/// Where the test cases of a manifest stand, for whoever reports that one of
/// them failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCasePlaces {
    file: &'static str,
    base: &'static str,
    /// Line and column of each case's expected outputs.
    places: Vec<(u32, u32)>,
}

impl TestCasePlaces {
    /// A fault at the case with this index, or at what `pointer` names of its
    /// expected outputs.
    #[must_use]
    pub fn fault(&self, fault: Fault, index: usize, pointer: Option<&str>) -> Fault {
        let (line, column) = self.places.get(index).copied().unwrap_or((1, 1));
        let key = format!("{}quality.test_cases[{index}]", self.base);
        let key = match pointer {
            Some(pointer) => format!("{key}.expected_outputs{}", pointer.replace('/', ".")),
            None => key,
        };
        fault.in_file(self.file).at(line, column).at_key(key)
    }
}

/// Where a manifest names the version that it shall become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionPlace {
    file: &'static str,
    place: (u32, u32),
}

impl VersionPlace {
    /// A fault at that key.
    #[must_use]
    pub fn fault(&self, fault: Fault) -> Fault {
        let key = match self.file {
            manifest::TOML => "project.version",
            _ => "versioning.version",
        };
        fault.in_file(self.file).at(self.place.0, self.place.1).at_key(key)
    }
}

impl Package {
    /// Whether there is Python in `tests/`, for pytest.
    #[must_use]
    pub fn has_unit_tests(&self) -> bool {
        let is_test = |file: &File| file.path.starts_with("tests/") && file.path.ends_with(".py");
        self.files.iter().any(is_test)
    }
}

/// Why an archive was refused; every fault of it, not the first, warnings
/// among them.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} fault(s) in the archive", faults.len())]
pub struct Refused {
    /// The faults in the order of file and line.
    pub faults: Vec<Fault>,
}

/// Faults beyond this many add nothing for whoever reads them.
const MOST_FAULTS: usize = 100;

/// Reads the bytes of a ZIP.
///
/// # Errors
/// Every fault of the archive. Where the ZIP itself can't be read, its faults
/// are all there is to tell.
pub fn read(zip: &[u8], limits: &Limits, policy: Policy) -> Result<Package, Refused> {
    let files =
        archive::unzip(zip, limits).map_err(|faults| Refused { faults: bounded(faults) })?;
    settle(files, limits, policy)
}

/// Reads files that were in a folder, by paths relative to it with `/`.
///
/// # Errors
/// Every fault of the archive that the files would make.
pub fn read_dir(
    files: Vec<(String, Vec<u8>)>,
    limits: &Limits,
    policy: Policy,
) -> Result<Package, Refused> {
    let files = files.into_iter().map(|(path, content)| File { path, content });
    settle(files.collect(), limits, policy)
}

fn settle(files: Vec<File>, limits: &Limits, policy: Policy) -> Result<Package, Refused> {
    let mut faults = Vec::new();
    let files = archive::settle(files, limits, &mut faults);
    let manifest::Read { manifest, file, root, base, faults: in_manifest } =
        manifest::read(&files, limits);
    faults.extend(in_manifest);
    let (schemas, in_schemas) = schemas(file, base, root.as_ref());
    faults.extend(in_schemas);
    if let (Some(schemas), Some(manifest), Some(root)) = (&schemas, &manifest, &root) {
        faults.extend(test_cases(schemas, manifest, file, base, root, &files));
    }
    let places = |manifest: &Manifest| {
        let places = (0..manifest.test_cases.len()).filter_map(|index| {
            let pointer = format!("/quality/test_cases/{index}/expected_outputs");
            root.as_ref().map(|root| root.place(&pointer)).map(|place| (place.line, place.column))
        });
        TestCasePlaces { file, base, places: places.collect() }
    };
    let version = root.as_ref().map(|root| root.place("/versioning/version"));
    let version = version.map_or((1, 1), |place| (place.line, place.column));
    let examined = python::examine(&files, policy);
    faults.extend(examined.faults);
    if manifest.as_ref().is_some_and(|m| python::has_none(&m.runtime, &m.requirements)) {
        faults.extend(examined.foreign.into_iter().map(Foreign::without_packages));
    }
    faults.extend(no_tests(files.keys()));
    faults.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    let refused = faults.iter().any(|fault| fault.severity == Severity::Error);
    let faults = bounded(faults);
    match (manifest, schemas) {
        (Some(manifest), Some(schemas)) if !refused => Ok(Package {
            test_cases: places(&manifest),
            version_place: VersionPlace { file, place: version },
            manifest,
            digest: archive::digest(&files),
            files: files.into_iter().map(|(path, content)| File { path, content }).collect(),
            imports: examined.imports,
            schemas,
            warnings: faults,
        }),
        _ => Err(Refused { faults }),
    }
}

/// What there is to say of a folder for tests in which none can be.
fn no_tests<'a>(paths: impl Iterator<Item = &'a String>) -> Option<Fault> {
    let mut inside = paths.filter(|path| path.starts_with("tests/")).peekable();
    inside.peek()?;
    let text = Text::new(
        "there is no Python file in tests/, so nothing is tested by it; pytest looks for functions `test_…` in files `test_….py`",
        "il n’y a aucun fichier Python dans tests/, qui ne teste donc rien ; pytest cherche des fonctions `test_…` dans des fichiers `test_….py`",
    );
    inside
        .all(|path| !path.ends_with(".py"))
        .then(|| Fault::warning(code::ARCHIVE_NO_TESTS, text).in_file("tests"))
}

/// As many faults as somebody may want to read, errors before warnings where
/// there are more, and how many more there are.
fn bounded(mut faults: Vec<Fault>) -> Vec<Fault> {
    if faults.len() <= MOST_FAULTS {
        return faults;
    }
    faults.sort_by_key(|fault| fault.severity == Severity::Warning);
    let more = faults.split_off(MOST_FAULTS);
    let text = Text::new(
        format!("{} further faults are not listed; mend these first", more.len()),
        format!("{} autres erreurs ne sont pas listées ; corrigez d’abord celles-ci", more.len()),
    );
    let all_warn = faults.iter().all(|fault| fault.severity == Severity::Warning);
    let fault = if all_warn { Fault::warning } else { Fault::error };
    faults.push(fault(code::ARCHIVE_MORE_FAULTS, text));
    faults
}

/// Compiles the schemas that the manifest's tree holds, even where other
/// parts of the manifest are at fault.
fn schemas(file: &str, base: &str, root: Option<&source::Node>) -> (Option<Schemas>, Vec<Fault>) {
    let io = root.and_then(|root| root.get("io"));
    let schema = |key: &str| {
        let node = &io?.node.get(key)?.node;
        matches!(node.value, source::Value::Map(_)).then_some(node)
    };
    let Some(inputs) = schema("inputs_schema") else { return (None, Vec::new()) };
    let outputs = schema("outputs_schema");
    let (inputs_json, outputs_json) = (inputs.to_json(), outputs.map(source::Node::to_json));
    let (schemas, mut problems) = Schemas::examine(&inputs_json, outputs_json.as_ref());
    if let Some(schemas) = &schemas {
        problems.extend(schemas.check_defaults(&inputs_json));
    }
    let faults = problems.into_iter().map(|problem| {
        let node = match problem.section {
            crate::schema::Section::Inputs => inputs,
            crate::schema::Section::Outputs => outputs.unwrap_or(inputs),
        };
        let place = node.place(&problem.pointer);
        let key = problem.fault.key.as_deref().map(|key| format!("{base}{key}"));
        let fault = problem.fault.in_file(file).at(place.line, place.column);
        Fault { key, ..fault }
    });
    (schemas, faults.collect())
}

/// The inputs of each test case against the schema they will meet.
fn test_cases(
    schemas: &Schemas,
    manifest: &Manifest,
    file: &str,
    base: &str,
    root: &source::Node,
    files: &BTreeMap<String, Vec<u8>>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    if schemas.too_long(manifest.test_cases.iter().map(|case| &case.inputs)) {
        let text = Text::new(
            "matching the texts of the test cases with the patterns of `io.inputs_schema` could take minutes; shorten them, or use patterns with fewer repetitions",
            "comparer les textes des cas de test aux motifs de `io.inputs_schema` pourrait prendre des minutes ; raccourcissez-les, ou utilisez des motifs avec moins de répétitions",
        );
        let place = root.place("/quality/test_cases");
        let fault = Fault::error(code::TEST_CASE_INPUTS, text).in_file(file);
        let key = format!("{base}quality.test_cases");
        return vec![fault.at(place.line, place.column).at_key(key)];
    }
    for (index, case) in manifest.test_cases.iter().enumerate() {
        let inputs = case.inputs.to_string();
        let found = match schemas.check_inputs(inputs.as_bytes()) {
            Ok(checked) => checked
                .files
                .iter()
                .filter(|file| !files.contains_key(&file.reference))
                .map(no_such_file)
                .collect(),
            Err(found) => found,
        };
        for fault in found {
            let pointer = fault.key.unwrap_or_default();
            let place = root.place(&format!("/quality/test_cases/{index}/inputs{pointer}"));
            let key =
                format!("{base}quality.test_cases[{index}].inputs{}", pointer.replace('/', "."));
            faults.push(
                Fault::error(
                    code::TEST_CASE_INPUTS,
                    Text::new(
                        format!("these inputs violate `io.inputs_schema`: {}", fault.message.en),
                        format!("ces entrées violent `io.inputs_schema` : {}", fault.message.fr),
                    ),
                )
                .in_file(file)
                .at(place.line, place.column)
                .at_key(key),
            );
        }
    }
    faults
}

/// A test case has no uploads to refer to: its files lie in the archive.
fn no_such_file(FileRef { pointer, reference }: &FileRef) -> Fault {
    let shown: String = reference.chars().take(80).collect();
    let text = Text::new(
        format!(
            "expected the path of a file of the archive, such as `data/measured.csv`, found {shown:?}"
        ),
        format!(
            "le chemin d’un fichier de l’archive est attendu, comme `data/mesure.csv`, trouvé {shown:?}"
        ),
    );
    Fault::error(code::TEST_CASE_INPUTS, text).at_key(pointer.as_str())
}
