//! Archives to begin from, and faults as a person reads them.

use domain::limits::Limits;
use domain::{Fault, Lang};
use package::{Package, Policy, Refused};

/// The smallest good manifest.
pub(crate) const MANIFEST: &str = r#"version: "1.0"
metadata:
  name: bolt-stress
io:
  inputs_schema:
    type: object
    properties:
      force: {type: number}
"#;

/// The smallest good handler.
pub(crate) const HANDLER: &str = "def calculate(inputs):\n    return {}\n";

/// A folder with the given files, and the smallest good ones where not given.
pub(crate) fn folder(files: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![("mecapy.yaml", MANIFEST), ("handler.py", HANDLER)];
    all.retain(|(path, _)| !files.iter().any(|(given, _)| given == path));
    all.extend_from_slice(files);
    all.into_iter().map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect()
}

pub(crate) fn read_files(files: &[(&str, &str)]) -> Result<Package, Refused> {
    package::read_dir(folder(files), &Limits::default(), Policy::DenyList)
}

/// The faults of files that must be refused.
pub(crate) fn faults(files: &[(&str, &str)]) -> Vec<Fault> {
    read_files(files).unwrap_err().faults
}

/// Every fault as a line, in English.
pub(crate) fn lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(|fault| fault.display(Lang::En).to_string()).collect()
}

/// Every fault as a line, in French.
pub(crate) fn lignes(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(|fault| fault.display(Lang::Fr).to_string()).collect()
}

pub(crate) fn codes(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.code.as_str()).collect()
}

/// The smallest good manifest with another inputs' schema, as flow YAML.
pub(crate) fn with_schema(schema: &str) -> String {
    format!("version: \"1.0\"\nmetadata: {{name: bolt-stress}}\nio:\n  inputs_schema: {schema}\n")
}
