//! The manifest of a function, after every default was filled in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `mecapy.yaml` (or `pyproject.toml`) says of a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name, description and how to find the function.
    pub metadata: Metadata,
    /// Where and under which limits it runs.
    pub runtime: Runtime,
    /// The packages it needs beyond its base image, as PEP 508 lines in the
    /// order of the archive, whether they came from a file or a list.
    pub requirements: Vec<String>,
    /// The shapes of its inputs and outputs.
    pub io: Io,
    /// Known answers that the function must give.
    pub test_cases: Vec<TestCase>,
    /// The version asked for; the next patch of the last one where absent.
    pub version: Option<semver::Version>,
    /// What changed in this version.
    pub changelog: Option<String>,
}

/// The `metadata` section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// 1–63 characters of `[a-z0-9-]`.
    pub name: String,
    /// One or more sentences for people.
    pub description: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Where to write to the author.
    pub email: Option<String>,
    /// Words to search by.
    pub tags: Vec<String>,
    /// The one shelf it stands on.
    pub category: Option<String>,
}

/// The `runtime` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runtime {
    /// The Python version; the operator's default where absent.
    pub python_version: Option<PythonVersion>,
    /// The packages that are there without being asked for.
    pub base_image: BaseImage,
    /// Wall-clock limit in seconds.
    pub timeout_s: u32,
    /// Memory limit in MB (2²⁰ bytes).
    pub memory_limit_mb: u32,
    /// CPU limit in cores.
    pub cpu_limit: f64,
    /// Whether the same inputs may answer from an earlier result.
    pub cache: bool,
    /// When a failed task is tried again.
    pub retry: RetryPolicy,
}

/// The `io` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Io {
    /// JSON Schema 2020-12 of the inputs.
    pub inputs_schema: Value,
    /// JSON Schema 2020-12 of the outputs.
    pub outputs_schema: Option<Value>,
}

/// One entry of `quality.test_cases`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestCase {
    /// Inputs as a caller would send them.
    pub inputs: Value,
    /// The keys to compare and their values; other keys are free.
    pub expected_outputs: Value,
    /// Relative tolerance; 1e-9 where neither tolerance is given.
    pub rel_tolerance: Option<f64>,
    /// Absolute tolerance, in the unit of the value.
    pub abs_tolerance: Option<f64>,
    /// The book, standard or program that the answer comes from.
    pub source: Option<String>,
}

/// When and how often a failed task is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How many attempts in all, the first included.
    pub max_attempts: u32,
    /// Seconds before the second attempt; each further wait doubles.
    pub backoff_s: u32,
    /// Whether an error of the function's own code is tried again too.
    pub on_user_error: bool,
}

impl RetryPolicy {
    /// The most attempts that a function may ask for.
    pub const MOST_ATTEMPTS: u32 = 10;
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let max_attempts = crate::limits::Limits::default().max_attempts;
        Self { max_attempts, backoff_s: 0, on_user_error: false }
    }
}

/// A Python minor version that functions can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonVersion(u8);

impl PythonVersion {
    /// All supported versions, oldest first.
    pub const SUPPORTED: [Self; 5] = [Self(9), Self(10), Self(11), Self(12), Self(13)];
    /// What an operator's default is where the machine has it.
    pub const PREFERRED: Self = Self(12);

    /// The minor number: 12 for 3.12.
    #[must_use]
    pub fn minor(self) -> u8 {
        self.0
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}", self.0)
    }
}

/// A Python version that is not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a Python version from 3.9 to 3.13, found {0:?}")]
pub struct UnsupportedPython(pub String);

impl FromStr for PythonVersion {
    type Err = UnsupportedPython;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::SUPPORTED
            .into_iter()
            .find(|version| version.to_string() == text)
            .ok_or_else(|| UnsupportedPython(text.to_owned()))
    }
}

impl Serialize for PythonVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PythonVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A named set of packages that environments start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BaseImage {
    /// The standard library alone.
    #[default]
    #[serde(rename = "python-base")]
    Base,
    /// NumPy, SciPy, pandas, Matplotlib, SymPy, Pint.
    #[serde(rename = "python-scientific")]
    Scientific,
    /// `python-scientific` with meshio, fluids, CoolProp.
    #[serde(rename = "python-cfd")]
    Cfd,
}

impl BaseImage {
    /// All base images, smallest first.
    pub const ALL: [Self; 3] = [Self::Base, Self::Scientific, Self::Cfd];

    /// The name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "python-base",
            Self::Scientific => "python-scientific",
            Self::Cfd => "python-cfd",
        }
    }

    /// The smallest image that brings a module, as far as modules are called
    /// like the packages that they are asked for by.
    #[must_use]
    pub fn with_module(module: &str) -> Option<Self> {
        let top = module.split('.').next().unwrap_or(module);
        let brings = |image: &Self| {
            image.requirements().iter().any(|package| package.eq_ignore_ascii_case(top))
        };
        Self::ALL.into_iter().find(brings)
    }

    /// The requirements that the image stands for.
    #[must_use]
    pub fn requirements(self) -> &'static [&'static str] {
        const CFD: [&str; 9] = [
            "numpy",
            "scipy",
            "pandas",
            "matplotlib",
            "sympy",
            "pint",
            "meshio",
            "fluids",
            "CoolProp",
        ];
        match self {
            Self::Base => &[],
            Self::Scientific => CFD.split_at(6).0,
            Self::Cfd => &CFD,
        }
    }
}

impl fmt::Display for BaseImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BaseImage {
    type Err = UnknownBaseImage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|image| image.name() == text)
            .ok_or_else(|| UnknownBaseImage(text.to_owned()))
    }
}

/// A base image that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `python-base`, `python-scientific` or `python-cfd`, found {0:?}")]
pub struct UnknownBaseImage(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_base_image_holds_the_smaller_one() {
        for pair in BaseImage::ALL.windows(2) {
            assert!(pair[1].requirements().starts_with(pair[0].requirements()));
        }
    }

    #[test]
    fn only_supported_python_versions_are_read() {
        assert_eq!("3.12".parse(), Ok(PythonVersion::PREFERRED));
        assert!("3.8".parse::<PythonVersion>().is_err());
        assert!("3.12.1".parse::<PythonVersion>().is_err());
    }
}
