//! The program as people and scripts call it.

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

mod doctor;
mod help;
mod hostile;
mod many;
mod problems;
mod program;
mod refusals;
mod server;
mod settings_page;
mod sweep;
mod tenants;
mod testing;
mod writing;
