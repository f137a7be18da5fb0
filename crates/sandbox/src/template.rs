//! A warm Python process per environment, from which runs are forked.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::run::{Limits, Ready};

/// A handle to a warm process; clones share it, and the last drop ends it.
/// Runs forked from it live on.
#[derive(Debug, Clone)]
pub struct Template {}

/// What a template is made of.
#[derive(Debug, Clone)]
pub struct TemplateSpec {
    /// The interpreter.
    pub interpreter: Interpreter,
    /// Folders of installed packages, read-only, in `sys.path` order after the
    /// standard library. Their `.pth` files are never executed.
    pub packages: Vec<PathBuf>,
    /// Modules imported before the first fork; one that fails to import or
    /// starts a thread is dropped.
    pub preload: Vec<String>,
    /// What the template process itself may use.
    pub limits: TemplateLimits,
}

/// What a template process may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateLimits {
    /// Memory of the imported packages.
    pub memory_bytes: u64,
    /// How long start and imports may take.
    pub start: std::time::Duration,
}

/// A Python on the host, bound at its own absolute path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Interpreter {
    /// The program itself, without symbolic links.
    pub executable: PathBuf,
    /// Full version, such as `3.12.1`.
    pub python_version: String,
    /// Folders it needs beside the system's libraries, such as its prefix.
    pub library_dirs: Vec<PathBuf>,
}

/// What [`Template::preload`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preloaded {
    /// Modules now imported.
    pub loaded: Vec<String>,
    /// Modules that are not: name and reason. A run imports them by itself.
    pub dropped: Vec<(String, String)>,
}

/// What [`Template::compile`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// Bytecode files written.
    pub written: u64,
    /// Sources that don't compile: relative path and message.
    pub failed: Vec<(String, String)>,
}

impl Default for TemplateLimits {
    fn default() -> Self {
        Self { memory_bytes: 4096 << 20, start: std::time::Duration::from_secs(60) }
    }
}

impl TemplateSpec {
    /// A bare interpreter.
    pub fn new(interpreter: Interpreter) -> Self {
        Self { interpreter, packages: Vec::new(), preload: Vec::new(), limits: TemplateLimits::default() }
    }
}

impl Interpreter {
    /// Finds what the interpreter at `executable` needs, without starting it.
    pub fn at(executable: &Path, python_version: &str) -> Result<Self, Error> {
        let _ = (executable, python_version);
        todo!()
    }
}

impl Template {
    /// Imports more modules between forks. When one of them starts a thread,
    /// a fresh template without it takes this one's place.
    pub async fn preload(&self, modules: &[String]) -> Result<Preloaded, Error> {
        let _ = modules;
        todo!()
    }

    /// Forks, isolates and checks one run, ahead of its assignment.
    pub async fn prepare(&self) -> Result<Ready, Error> {
        todo!()
    }

    /// Compiles every `.py` below `folder` inside the sandbox and puts the
    /// `__pycache__` files beside them, valid whatever the sources' times
    /// (unchecked-hash). Nothing of the folder is executed.
    pub async fn compile(&self, folder: &Path, limits: Limits) -> Result<Compiled, Error> {
        let _ = (folder, limits);
        todo!()
    }

    /// Modules imported by [`TemplateSpec::preload`] and [`Template::preload`] so far.
    pub fn preloaded(&self) -> Preloaded {
        todo!()
    }

    /// Proportional set size of the template process, in bytes.
    pub fn memory_bytes(&self) -> Result<u64, Error> {
        todo!()
    }

    /// Whether runs can still be prepared from it.
    pub fn is_alive(&self) -> bool {
        todo!()
    }

    /// Ends the template now; prepared runs that are not assigned end too,
    /// assigned ones live on.
    pub async fn stop(&self) {
        todo!()
    }
}
