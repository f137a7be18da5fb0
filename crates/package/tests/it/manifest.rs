//! The manifest, key by key, and the sentences for what is wrong in it.

use domain::limits::Limits;
use domain::manifest::{BaseImage, PythonVersion};
use package::{Policy, read_dir};

use crate::support::{HANDLER, codes, faults, folder, lignes, lines, read_files};

const WHOLE: &str = r#"version: "1.0"
metadata:
  name: beam
  description: A beam.
  author: Anna Martin
  email: anna.martin@example.fr
  tags: [beam, steel]
  category: structures
runtime:
  python_version: "3.11"
  base_image: python-scientific
  timeout: 120
  memory_limit: 1024
  cpu_limit: 1.5
  cache: true
  retry: {max_attempts: 2, backoff: 5, on_user_error: true}
dependencies:
  packages: ["rainflow>=3.2", "fluids==1.0.26 ; python_version >= '3.9'"]
io:
  inputs_schema:
    type: object
    properties:
      force: {type: number, minimum: 1e-12}
  outputs_schema: {type: object}
quality:
  test_cases:
    - inputs: {force: 10}
      expected_outputs: {stress: 1e2, flag: true}
      rel_tolerance: 1e-6
      abs_tolerance: 0.5
      source: EN 1993-1-8
versioning:
  version: 1.2.3
  changelog: First.
"#;

#[test]
fn every_key_is_read() {
    let package = read_files(&[("mecapy.yaml", WHOLE)]).unwrap();
    let manifest = package.manifest;
    assert_eq!(package.warnings, []);
    assert_eq!(manifest.metadata.tags, ["beam", "steel"]);
    assert_eq!(manifest.metadata.email.as_deref(), Some("anna.martin@example.fr"));
    let runtime = manifest.runtime;
    assert_eq!(runtime.python_version.map(PythonVersion::minor), Some(11));
    assert_eq!(runtime.base_image, BaseImage::Scientific);
    assert_eq!((runtime.timeout_s, runtime.memory_limit_mb, runtime.cpu_limit), (120, 1024, 1.5));
    assert!(runtime.cache && runtime.retry.on_user_error);
    assert_eq!((runtime.retry.max_attempts, runtime.retry.backoff_s), (2, 5));
    assert_eq!(
        manifest.requirements,
        ["rainflow>=3.2", "fluids==1.0.26 ; python_version >= '3.9'"]
    );
    let minimum = &manifest.io.inputs_schema["properties"]["force"]["minimum"];
    assert!(minimum.as_number().is_some_and(|number| number.as_str() == "1e-12"));
    let case = &manifest.test_cases[0];
    assert_eq!((case.rel_tolerance, case.abs_tolerance), (Some(1e-6), Some(0.5)));
    assert_eq!(case.expected_outputs["stress"].to_string(), "1e2");
    assert_eq!(manifest.version, Some(semver::Version::new(1, 2, 3)));
}

#[test]
fn what_is_not_given_has_its_default() {
    let manifest = read_files(&[]).unwrap().manifest;
    assert_eq!(manifest.runtime.python_version, None);
    assert_eq!(manifest.runtime.base_image, BaseImage::Base);
    let runtime = manifest.runtime;
    assert_eq!((runtime.timeout_s, runtime.memory_limit_mb, runtime.cpu_limit), (300, 2048, 2.0));
    assert_eq!((runtime.cache, runtime.retry.max_attempts), (false, 3));
    assert_eq!((manifest.version, manifest.requirements.len()), (None, 0));
}

#[test]
fn attempts_are_the_operators_where_the_manifest_says_nothing() {
    let limits = Limits { max_attempts: 7, ..Limits::default() };
    let attempts = |manifest: &str| {
        let files = folder(&[("mecapy.yaml", manifest)]);
        read_dir(files, &limits, Policy::DenyList).unwrap().manifest.runtime.retry.max_attempts
    };
    assert_eq!((attempts(crate::support::MANIFEST), attempts(WHOLE)), (7, 2));
}

#[test]
fn pyproject_gives_the_same_manifest() {
    let toml = r#"
[build-system]
requires = ["hatchling"]
[project]
name = "beam"
version = "1.2.3"
description = "A beam."
authors = [{name = "Anna Martin", email = "anna.martin@example.fr"}]
keywords = ["beam", "steel"]
requires-python = ">=3.9"
dependencies = ["rainflow>=3.2", "fluids==1.0.26 ; python_version >= '3.9'"]
[tool.mecapy]
metadata.category = "structures"
runtime.python_version = "3.11"
runtime.base_image = "python-scientific"
runtime.timeout = 120
runtime.memory_limit = 1_024
runtime.cpu_limit = 1.5
runtime.cache = true
runtime.retry = {max_attempts = 2, backoff = 5, on_user_error = true}
versioning.changelog = "First."
[tool.mecapy.io]
outputs_schema = {type = "object"}
[tool.mecapy.io.inputs_schema]
type = "object"
properties.force = {type = "number", minimum = 1e-12}
[[tool.mecapy.quality.test_cases]]
inputs = {force = 10}
expected_outputs = {stress = 1e2, flag = true}
rel_tolerance = 1e-6
abs_tolerance = 0.5
source = "EN 1993-1-8"
[tool.ruff]
line-length = 100
"#;
    let files = vec![
        ("pyproject.toml".to_owned(), toml.as_bytes().to_vec()),
        ("handler.py".to_owned(), HANDLER.into()),
    ];
    let package = read_dir(files, &Limits::default(), Policy::DenyList).unwrap();
    assert_eq!(package.warnings, []);
    assert_eq!(package.manifest, read_files(&[("mecapy.yaml", WHOLE)]).unwrap().manifest);
}

#[test]
fn faults_in_pyproject_name_its_own_keys() {
    let toml = "[project]\nname = \"My Beam\"\nversion = \"1\"\ndependancies = []\n\n[tool.mecapy]\nruntime.timeoutt = 3\nruntime.timeout = 9999\nio.inputs_schema = {type = \"object\", properties.a = {type = \"numbr\"}}\n";
    let files = vec![
        ("pyproject.toml".to_owned(), toml.as_bytes().to_vec()),
        ("handler.py".to_owned(), HANDLER.into()),
    ];
    let faults = read_dir(files, &Limits::default(), Policy::DenyList).unwrap_err().faults;
    let places: Vec<_> =
        faults.iter().map(|fault| (fault.line.unwrap(), fault.key.clone().unwrap())).collect();
    assert_eq!(
        places,
        [
            (2, "project.name".to_owned()),
            (3, "project.version".to_owned()),
            (4, "project.dependancies".to_owned()),
            (7, "tool.mecapy.runtime.timeoutt".to_owned()),
            (8, "tool.mecapy.runtime.timeout".to_owned()),
            (9, "tool.mecapy.io.inputs_schema.properties.a.type".to_owned()),
        ]
    );
}

#[test]
fn both_manifests_at_once_are_refused_but_settings_of_tools_may_stay() {
    let found = faults(&[("pyproject.toml", "[project]\nname = \"x\"\n")]);
    assert_eq!(codes(&found), ["manifest_twice"]);
    assert!(read_files(&[("pyproject.toml", "[tool.ruff]\nline-length = 100\n")]).is_ok());
}

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let yaml = r#"version: "2.0"
metadata:
  name: Bolt Stress
  nmae: x
  email: nobody
runtime:
  timeout: "300"
  memory_limit: 99999
  python_version: 3.1
  base_image: python-scientifc
  retry: {max_attempts: 0}
tags: [a]
io:
  inputs_schema:
    properties:
      force: {type: nombre, unit: kNN}
quality:
  test_cases:
    - input: {}
versioning: {version: 1.0}
"#;
    let found =
        faults(&[("mecapy.yaml", yaml), ("handler.py", "def compute(inputs):\n    import os\n")]);
    assert_eq!(
        lines(&found),
        [
            "handler.py calculate: expected `def calculate(inputs):` at module level, found none; rename `compute` to `calculate`",
            "handler.py:2:12 os: the import of `os` is blocked: use `pathlib` for paths and `mecapy_runtime.outputs()` for the folder of results; of `os`, only `os.path` and `os.environ[\"MECAPY_OUTPUTS\"]` are admitted",
            "mecapy.yaml:1:10 version: expected \"1.0\", the version of this format, found \"2.0\"; the function's own version stands under `versioning.version`",
            "mecapy.yaml:3:9 metadata.name: expected 1 to 63 characters of a–z, 0–9 and `-`, found \"Bolt Stress\"; for example \"bolt-stress\"",
            "mecapy.yaml:4:3 metadata.nmae: unknown key `nmae`; did you mean `name`?",
            "mecapy.yaml:5:10 metadata.email: expected an address such as anna.martin@example.fr, found \"nobody\"",
            "mecapy.yaml:7:12 runtime.timeout: expected a number, found the text \"300\"; take off the quotes",
            "mecapy.yaml:8:17 runtime.memory_limit: expected a number from 32 to 4096 MB, found 99999",
            "mecapy.yaml:9:19 runtime.python_version: expected \"3.9\", \"3.10\", \"3.11\", \"3.12\" or \"3.13\", found 3.1; for Python 3.10 write \"3.10\" in quotes, as 3.1 and 3.10 are the same number",
            "mecapy.yaml:10:15 runtime.base_image: expected `python-base`, `python-scientific` or `python-cfd`, found \"python-scientifc\"; did you mean `python-scientific`?",
            "mecapy.yaml:11:25 runtime.retry.max_attempts: expected a number from 1 to 10, found 0",
            "mecapy.yaml:12:1 tags: unknown key `tags`; did you mean `metadata.tags`?",
            "mecapy.yaml:16:15 io.inputs_schema.properties.force.type: not valid in a JSON Schema: \"nombre\" fits none of the 2 alternatives; the nearest one says: expected one of \"array\", \"boolean\", \"integer\", \"null\", \"number\", \"object\", \"string\", found \"nombre\"",
            "mecapy.yaml:19:7 quality.test_cases[0].input: unknown key `input`; did you mean `inputs`?",
            "mecapy.yaml:19:7 quality.test_cases[0].inputs: the mandatory key `inputs` is missing; for example `inputs: {force: 1000}`",
            "mecapy.yaml:19:7 quality.test_cases[0].expected_outputs: the mandatory key `expected_outputs` is missing; for example `expected_outputs: {force: 1000}`",
            "mecapy.yaml:20:23 versioning.version: expected a semantic version of three numbers, such as \"1.2.0\", found \"1.0\"; write \"1.0.0\"",
        ]
    );
}

#[test]
fn the_same_faults_read_in_french() {
    let yaml = "version: \"1.0\"\nmetadata:\n  name: Flèche Poutre\n  titre: x\nruntime: {timeout: 0, cpu_limit: 1,5}\nio: {inputs_schema: []}\n";
    assert_eq!(
        lignes(&faults(&[("mecapy.yaml", yaml)])),
        [
            "mecapy.yaml:3:9 metadata.name: 1 à 63 caractères parmi a–z, 0–9 et `-` sont attendus, trouvé \"Flèche Poutre\" ; par exemple \"fleche-poutre\"",
            "mecapy.yaml:4:3 metadata.titre: clé inconnue `titre` ; les clés sont ici `name`, `description`, `author`, `email`, `tags`, `category`",
            "mecapy.yaml:5:20 runtime.timeout: un nombre de 1 à 600 s est attendu, trouvé 0",
            "mecapy.yaml:5:36 runtime.5: clé inconnue `5` ; les clés sont ici `python_version`, `base_image`, `timeout`, `memory_limit`, `cpu_limit`, `cache`, `retry`",
            "mecapy.yaml:6:21 io.inputs_schema: attendu : un JSON Schema écrit ici, commençant par `type: object` ; trouvé : une liste",
        ]
    );
}

#[test]
fn python_versions_keep_their_digits() {
    let with = |version: &str| {
        let yaml = crate::support::MANIFEST
            .replace("io:", &format!("runtime: {{python_version: {version}}}\nio:"));
        read_files(&[("mecapy.yaml", &yaml)])
    };
    for (written, minor) in [("3.12", 12), ("\"3.12\"", 12), ("3.10", 10), ("'3.9'", 9), ("3.9", 9)]
    {
        assert_eq!(
            with(written).unwrap().manifest.runtime.python_version.map(PythonVersion::minor),
            Some(minor)
        );
    }
    for written in ["3.1", "3.8", "3", "\"3.12.1\"", "3.14", "true", "[3.12]"] {
        assert!(with(written).is_err(), "{written}");
    }
    let patch = with("\"3.12.1\"").unwrap_err().faults;
    assert!(lines(&patch)[0].ends_with("found 3.12.1; leave the patch number out: \"3.12\""));
}

#[test]
fn long_runs_need_the_operators_leave() {
    let yaml = crate::support::MANIFEST.replace("io:", "runtime: {timeout: 86400}\nio:");
    let files = || folder(&[("mecapy.yaml", &yaml)]);
    let strict = read_dir(files(), &Limits::default(), Policy::DenyList).unwrap_err().faults;
    assert_eq!(codes(&strict), ["manifest_range"]);
    let generous = Limits { long_timeout_s: 100_000, ..Limits::default() };
    let package = read_dir(files(), &generous, Policy::DenyList).unwrap();
    assert_eq!(package.manifest.runtime.timeout_s, 86_400);
}

#[test]
fn syntax_faults_name_their_line() {
    for (yaml, line) in [
        ("version: \"1.0\"\nmetadata: [\n", 2),
        ("a: b\n\tc: d\n", 1),
        ("a: b: c\n", 1),
        ("a: *nobody\n", 1),
    ] {
        let found = faults(&[("mecapy.yaml", yaml)]);
        assert_eq!(codes(&found), ["manifest_syntax"], "{yaml:?}");
        assert_eq!(found[0].line, Some(line), "{yaml:?}: {:?}", lines(&found));
    }
    let two = faults(&[("mecapy.yaml", "a: 1\n---\nb: 2\n")]);
    assert_eq!(codes(&two), ["manifest_syntax"]);
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let yaml = crate::support::MANIFEST.replace("metadata:\n", "metadata:\n  name: first\n");
    let found = faults(&[("mecapy.yaml", &yaml)]);
    assert_eq!(
        lines(&found),
        ["mecapy.yaml:4:3 metadata.name: `name` stands twice here, first on line 3; keep one"]
    );
}

#[test]
fn anchors_are_fine_and_merge_keys_are_not() {
    let yaml = "version: \"1.0\"\nmetadata: {name: a}\nio:\n  inputs_schema:\n    properties:\n      a: &length {type: number, unit: mm}\n      b: *length\n";
    let package = read_files(&[("mecapy.yaml", yaml)]).unwrap();
    assert_eq!(package.manifest.io.inputs_schema["properties"]["b"]["unit"], "mm");
    let merged = yaml.replace("b: *length", "b: {<<: *length}");
    assert!(
        lines(&faults(&[("mecapy.yaml", &merged)]))[0]
            .contains("`<<` (merge keys) is not part of YAML 1.2")
    );
}

#[test]
fn requirements_are_read_from_their_file_with_lines() {
    let text = "# numerical\nrainflow >= 3.2  # counting\n\nfluids==1.0.26 ; \\\n  python_version >= '3.9'\n";
    let manifest = read_files(&[("requirements.txt", text)]).unwrap().manifest;
    assert_eq!(
        manifest.requirements,
        ["rainflow >= 3.2", "fluids==1.0.26 ;   python_version >= '3.9'"]
    );
    let bad = "numpy\nNumPy>=1\n\n  scipy>>1\n";
    assert_eq!(
        lines(&faults(&[("requirements.txt", bad)])),
        [
            "requirements.txt:2:1: `numpy` is required twice, first as number or line 1; keep one, with all its conditions: `numpy>=1,<2`",
            "requirements.txt:4:3: expected a package and its versions, such as `numpy>=1.26`, found `scipy>>1` (no such comparison operator \">>\", must be one of ~= == != <= >= < > ===)",
        ]
    );
    let named =
        crate::support::MANIFEST.replace("io:", "dependencies: {requirements: deps.txt}\nio:");
    assert_eq!(codes(&faults(&[("mecapy.yaml", &named)])), ["requirement_file"]);
    assert!(read_files(&[("mecapy.yaml", &named), ("deps.txt", "numpy")]).is_ok());
}

#[test]
fn test_cases_must_satisfy_the_schema_of_the_inputs() {
    let yaml = format!(
        "{}quality:\n  test_cases:\n    - inputs: {{force: many}}\n      expected_outputs: {{a: 1}}\n",
        crate::support::MANIFEST
    );
    assert_eq!(
        lines(&faults(&[("mecapy.yaml", &yaml)])),
        [
            "mecapy.yaml:11:16 quality.test_cases[0].inputs.force: these inputs violate `io.inputs_schema`: expected a number, found \"many\""
        ]
    );
}

#[test]
fn decimals_with_a_comma_are_recognised() {
    let yaml = crate::support::MANIFEST.replace("io:", "runtime:\n  cpu_limit: 1,5\nio:");
    let found = faults(&[("mecapy.yaml", &yaml)]);
    assert_eq!(
        lignes(&found),
        [
            "mecapy.yaml:5:14 runtime.cpu_limit: attendu : un nombre ; trouvé : le texte \"1,5\" ; les décimales ont un point"
        ]
    );
}

#[test]
fn tolerances_may_be_named_as_pytest_names_them() {
    let case = "quality: {test_cases: [{inputs: {force: 1}, expected_outputs: {a: 1}, rel: 0.1, abs_tol: 2}]}\n";
    let yaml = format!("{}{case}", crate::support::MANIFEST);
    let manifest = read_files(&[("mecapy.yaml", &yaml)]).unwrap().manifest;
    let case = &manifest.test_cases[0];
    assert_eq!((case.rel_tolerance, case.abs_tolerance), (Some(0.1), Some(2.0)));
}

#[test]
fn an_empty_manifest_is_told_to_be_empty() {
    for text in ["", "# nothing\n", "---\n...\n", "~\n"] {
        let found = faults(&[("mecapy.yaml", text)]);
        assert_eq!(codes(&found), ["manifest_type"], "{text:?}");
        assert!(found[0].line.is_some() && found[0].message.en.ends_with("found nothing"));
    }
}

#[test]
fn a_carriage_return_alone_ends_a_line() {
    let files = vec![
        ("mecapy.yaml".to_owned(), b"version: x\r\rname: \xff".to_vec()),
        ("handler.py".to_owned(), HANDLER.as_bytes().to_vec()),
    ];
    let found = read_dir(files, &Limits::default(), Policy::DenyList).unwrap_err().faults;
    assert_eq!((found[0].line, found[0].column), (Some(3), Some(7)));
}

#[test]
fn a_colon_within_a_text_asks_for_quotes() {
    let yaml = "version: \"1.0\"\nmetadata:\n  name: bolt\n  description: EC3: shear\n";
    let found = faults(&[("mecapy.yaml", yaml)]);
    let english = lines(&found);
    assert!(english[0].starts_with("mecapy.yaml:4:"), "{english:?}");
    assert!(
        english[0].ends_with("a text with `: ` in it stands in quotes: key: \"a: b\""),
        "{english:?}"
    );
    let french = lignes(&found);
    assert!(
        french[0].ends_with("un texte qui contient « : » se met entre guillemets : clé: \"a: b\""),
        "{french:?}"
    );
}
