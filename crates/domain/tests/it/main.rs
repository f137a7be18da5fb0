//! Tests of the domain against the world outside.

#![expect(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

mod pint;
