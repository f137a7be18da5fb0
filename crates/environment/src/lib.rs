//! Python environments: interpreters found, requirements locked with hashes,
//! wheels installed with `uv` into folders named by content.
//!
//! A [`Request`] becomes a [`Lock`] and a [`Lock`] becomes an [`Environment`],
//! both through [`Environments`]. The same lock is the same environment on
//! every machine with the same interpreter, is built once, and is shared.
//!
//! Wheels are their authors' code. Nothing in this crate starts an interpreter
//! over an environment: a `.pth` file in it would run. Only wheels are
//! installed, by `uv` and into a folder that no interpreter looks at, and the
//! bytecode is compiled by whoever implements [`CompileBytecode`] in a
//! sandbox.

mod advisories;
mod base;
mod build;
mod bytecode;
mod cache;
mod disk;
mod environments;
mod error;
mod explain;
mod garbage;
mod interpreter;
mod lock;
mod log;
mod requirement;
mod resolve;
pub mod settings;
mod test_tools;
mod uv;

pub use advisories::Unusable;
pub use bytecode::{CompileBytecode, WithoutBytecode};
pub use disk::{Description, Environment};
pub use environments::Environments;
pub use error::{Error, GET_UV, IndexRemedy, Problem, Stage};
pub use garbage::Collected;
pub use interpreter::{Interpreter, Interpreters, Python, Skipped};
pub use lock::{Lock, Locked, Request};
pub use log::Log;
pub use settings::Settings;
pub use uv::Uv;
