//! The sandbox against the real kernel and real interpreters.
#![expect(clippy::unwrap_used, reason = "tests")]

mod calculations;
mod harness;
