//! Compiled schemas: what goes into a function and what comes out of it.

mod cost;
mod defaults;
mod inputs;
mod keywords;
mod lint;
mod message;
mod outputs;
mod patterns;
mod spots;
mod violations;

pub use inputs::{CheckedInputs, FileRef};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use keywords::children as subschemas;

use std::fmt;

use domain::{Fault, Severity, Text};
use jsonschema::{PatternOptions, ValidationOptions, Validator};
use serde_json::Value;

use crate::code;
use patterns::Steps;
use spots::Spots;

/// The compiled schemas of one version. Compiling takes a millisecond or so;
/// checking takes microseconds, so whoever checks often keeps this.
#[derive(Debug)]
pub struct Schemas {
    inputs: Compiled,
    outputs: Option<Compiled>,
}

impl Schemas {
    /// Whether checking even short inputs may take seconds, and belongs on a
    /// thread of its own.
    #[must_use]
    pub fn inputs_may_be_slow(&self) -> bool {
        self.inputs.patterns.any()
    }

    /// The same of results.
    #[must_use]
    pub fn outputs_may_be_slow(&self) -> bool {
        self.outputs.as_ref().is_some_and(|outputs| outputs.patterns.any())
    }

    /// Compiles the schemas of a manifest.
    ///
    /// # Errors
    /// Every fault of both, with the key under `io`; a schema that was
    /// accepted at deployment has none.
    pub fn compile(inputs: &Value, outputs: Option<&Value>) -> Result<Self, Vec<Fault>> {
        let (schemas, problems) = Self::examine(inputs, outputs);
        schemas.ok_or_else(|| {
            let errors = problems.into_iter().map(|problem| problem.fault);
            errors.filter(|fault| fault.severity == Severity::Error).collect()
        })
    }

    /// Compiles, and tells every problem with the place of its key; nothing
    /// is compiled where one of them is an error.
    pub(crate) fn examine(inputs: &Value, outputs: Option<&Value>) -> (Option<Self>, Vec<Problem>) {
        let mut problems = Vec::new();
        let inputs = compile(Section::Inputs, inputs, &mut problems);
        let outputs = outputs.map(|schema| compile(Section::Outputs, schema, &mut problems));
        let schemas = match (inputs, outputs) {
            (Some(inputs), None) => Some(Self { inputs, outputs: None }),
            (Some(inputs), Some(Some(outputs))) => Some(Self { inputs, outputs: Some(outputs) }),
            _ => None,
        };
        (schemas, problems)
    }
}

/// Which of the two schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Inputs,
    Outputs,
}

impl Section {
    /// The key under `io`.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Inputs => "inputs_schema",
            Self::Outputs => "outputs_schema",
        }
    }
}

/// A fault in a schema and the JSON Pointer of its key.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) section: Section,
    pub(crate) pointer: String,
    pub(crate) fault: Fault,
}

impl Problem {
    pub(crate) fn new(section: Section, pointer: &str, fault: Fault) -> Self {
        let dotted = pointer.replace('/', ".").replace("~1", "/").replace("~0", "~");
        let key = format!("io.{}{dotted}", section.key());
        Self { section, pointer: pointer.to_owned(), fault: fault.at_key(key) }
    }
}

/// One schema, ready to check values.
struct Compiled {
    validator: Validator,
    spots: Spots,
    /// What matching its patterns costs.
    patterns: Steps,
    /// The most assertions that are made about one item or member.
    assertions: u64,
    /// Whether numbers are divided, which takes long for the tiny and the huge.
    divides: bool,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("spots", &self.spots).finish_non_exhaustive()
    }
}

/// Nothing is fetched, and patterns run in linear time.
fn options() -> ValidationOptions<'static> {
    let patterns = PatternOptions::regex().size_limit(1 << 20).dfa_size_limit(1 << 20);
    jsonschema::draft202012::options()
        .offline()
        .should_validate_formats(true)
        .with_format("file", |_: &str| true)
        .with_pattern_options(patterns)
}

fn compile(section: Section, schema: &Value, problems: &mut Vec<Problem>) -> Option<Compiled> {
    let before = problems.len();
    lint::lint(section, schema, problems);
    let refused = |problems: &[Problem]| {
        problems[before..].iter().any(|problem| problem.fault.severity == Severity::Error)
    };
    if refused(problems) {
        return None;
    }
    let validator = options().build(schema);
    let spots = Spots::of(section, schema, problems);
    match validator {
        Ok(_) if refused(problems) => None,
        Ok(validator) => Some(Compiled {
            validator,
            spots,
            patterns: cost::of_patterns(schema),
            assertions: cost::of_values(schema),
            divides: schema.to_string().contains("\"multipleOf\""),
        }),
        Err(error) => {
            let pointer = error.instance_path().as_str().to_owned();
            let fault = Fault::error(
                code::SCHEMA_INVALID,
                Text::new(
                    format!("this JSON Schema can't be compiled: {error}"),
                    format!("ce JSON Schema ne peut pas être compilé : {error}"),
                ),
            );
            problems.push(Problem::new(section, &pointer, fault));
            None
        }
    }
}
