//! Backups of real databases and objects.

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

mod hostile;
mod roundtrip;
mod world;
