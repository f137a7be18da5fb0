//! Bytecode compilation, which reads the wheels' code and therefore happens in
//! the sandbox.

use std::path::Path;

use async_trait::async_trait;

use crate::interpreter::Interpreter;

/// Compiles the Python files of an environment in the sandbox.
#[async_trait]
pub trait CompileBytecode: Send + Sync {
    /// Compiles the modules below `site` and puts the bytecode beside them,
    /// valid whatever the sources' times; answers how many there are now, or
    /// says why not, in a sentence for the operator.
    ///
    /// The sandbox sees `site` read-only, because its files are linked with
    /// the cache and other environments share them. The host copies only
    /// bytecode out of it, and trusts no name that it made.
    async fn compile(&self, interpreter: &Interpreter, site: &Path) -> Result<u64, String>;
}

/// Leaves the environment without bytecode: for tests and for tools that
/// never run what they install.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutBytecode;

#[async_trait]
impl CompileBytecode for WithoutBytecode {
    async fn compile(&self, _: &Interpreter, _: &Path) -> Result<u64, String> {
        Ok(0)
    }
}
