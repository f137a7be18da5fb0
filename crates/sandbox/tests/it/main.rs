//! The sandbox against the real kernel and real interpreters.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bytecode;
mod calculations;
mod endings;
mod files;
mod harness;
mod hostile;
mod leavings;
mod syscalls;
mod templates;
