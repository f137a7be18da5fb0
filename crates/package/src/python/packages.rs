//! Imports that can only fail, because nothing brings the module.

use std::collections::BTreeSet;

use domain::manifest::{BaseImage, Runtime};
use domain::{Fault, Severity, Text};
use ruff_python_ast::{Alias, Stmt};
use ruff_text_size::Ranged as _;

use super::policy::{ALLOWED, BLOCKED, RUNTIME};
use super::{HANDLER, Module, Policy, is_test};
use crate::code;

/// The modules of Python 3.9 to 3.13, whatever the system.
const STANDARD_LIBRARY: &str = include_str!("standard-library.txt");

/// An import of a module that is neither Python's nor the archive's.
#[derive(Debug)]
pub(crate) struct Foreign {
    module: String,
    /// With its place; an error where the import is made whenever the
    /// function is loaded.
    fault: Fault,
}

impl Foreign {
    /// The fault where the function runs without any package.
    pub(crate) fn without_packages(self) -> Fault {
        let Self { module, fault } = self;
        let (en, fr) = match BaseImage::with_module(&module) {
            Some(image) => (
                format!("name an image that has it: `runtime: {{base_image: {image}}}`"),
                format!("nommez une image qui l’a : `runtime: {{base_image: {image}}}`"),
            ),
            None => (
                "list the package that has it under `dependencies.packages`".to_owned(),
                "listez le paquet qui l’a sous `dependencies.packages`".to_owned(),
            ),
        };
        let message = Text::new(
            format!(
                "the module `{module}` is not there: `python-base` has the standard library alone; {en}"
            ),
            format!(
                "le module `{module}` n’est pas là : `python-base` n’a que la bibliothèque standard ; {fr}"
            ),
        );
        Fault { message, ..fault }
    }
}

/// Whether a function has the standard library and its own files alone.
pub(crate) fn has_none(runtime: &Runtime, requirements: &[String]) -> bool {
    runtime.base_image == BaseImage::Base && requirements.is_empty()
}

/// The foreign imports of one module that nothing guards: those in a `try` or
/// an `if` are made by an author who knows that they may fail.
pub(super) fn foreign(module: &Module<'_>, policy: Policy, own: &BTreeSet<String>) -> Vec<Foreign> {
    let mut finder = Finder { module, policy, own, found: Vec::new() };
    if policy != Policy::Off && !is_test(module.path) {
        let severity = if module.path == HANDLER { Severity::Error } else { Severity::Warning };
        finder.body(module.parsed.suite(), severity);
    }
    finder.found
}

struct Finder<'a> {
    module: &'a Module<'a>,
    policy: Policy,
    own: &'a BTreeSet<String>,
    found: Vec<Foreign>,
}

impl Finder<'_> {
    fn body(&mut self, body: &[Stmt], severity: Severity) {
        for statement in body {
            match statement {
                Stmt::Import(import) => {
                    import
                        .names
                        .iter()
                        .for_each(|name| self.import(name, name.name.as_str(), severity));
                }
                Stmt::ImportFrom(import) if import.level == 0 => {
                    if let (Some(dotted), Some(first)) = (&import.module, import.names.first()) {
                        self.import(first, dotted.as_str(), severity);
                    }
                }
                // It is made when the function is called, if ever.
                Stmt::FunctionDef(function) => self.body(&function.body, Severity::Warning),
                Stmt::ClassDef(class) => self.body(&class.body, severity),
                _ => {}
            }
        }
    }

    fn import(&mut self, at: &Alias, dotted: &str, severity: Severity) {
        let top = dotted.split('.').next().unwrap_or(dotted);
        let is_known = top == RUNTIME
            || top.starts_with('_')
            || self.own.contains(top)
            || STANDARD_LIBRARY.lines().any(|name| name == top)
            // Which has a fault of its own.
            || (self.policy == Policy::AllowList && !ALLOWED.contains(&top))
            || BLOCKED.iter().any(|blocked| blocked.modules.contains(&top));
        if is_known {
            return;
        }
        let fault = Fault {
            severity,
            ..Fault::error(code::PYTHON_NO_PACKAGE, Text::same(String::new())).at_key(top)
        };
        let fault = self.module.place(fault, at.range().start());
        self.found.push(Foreign { module: top.to_owned(), fault });
    }
}
